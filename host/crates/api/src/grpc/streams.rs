//! Streams: the tenant's facts, what is left of events, places in queues, and the counts of projects.

use std::time::Duration;

use tessera_core::id::{BookingId, EventId, ProjectId};
use tessera_core::{Ctx, Error, Result};
use tessera_proto::facts::v1 as facts;
use tessera_proto::project::v1 as projects;
use tessera_proto::ticket::v1 as tickets;
use tonic::Streaming;

use crate::convert;
use crate::grpc::call::Grpc;
use crate::grpc::error::unread;
use crate::grpc::response_stream::StreamSender;
use crate::subscriptions::{
    AvailabilityFollower, BookingFollower, FactFollower, FactQuery, Next, ProjectFollower,
};

/// When a client whose host goes down shall come back.
const RETURN: Duration = Duration::from_secs(1);

fn shutdown() -> Error {
    Error::unavailable("the host goes down; open the stream anew, one of facts after the last cursor", RETURN)
}

fn revoked() -> Error {
    Error::unauthenticated("the API key is not valid any more")
}

/// Opens a stream of facts.
pub(super) async fn open_facts(
    grpc: &Grpc,
    ctx: Ctx,
    request: facts::StreamFactsRequest,
) -> Result<FactFollower> {
    let facts::StreamFactsRequest { after, types, object, filter } = request;
    FactFollower::open(grpc, &ctx, FactQuery { after, types, object, filter }).await
}

/// Tells facts until the stream ends.
pub(super) async fn tell_facts(
    mut follower: FactFollower,
    to: StreamSender<facts::StreamFactsResponse>,
) -> Result<()> {
    // The first cursor lets a client that saw nothing yet come back to this place.
    to.send(facts::StreamFactsResponse { fact: None, cursor: follower.cursor() }).await?;
    loop {
        match follower.next().await? {
            Next::News(news) => {
                for fact in news {
                    let cursor = follower.cursor_of(&fact);
                    let fact = Some(convert::fact::fact(&fact, cursor.clone()));
                    to.send(facts::StreamFactsResponse { fact, cursor }).await?;
                }
            }
            Next::Heartbeat => {
                to.send(facts::StreamFactsResponse { fact: None, cursor: follower.cursor() }).await?;
            }
            Next::Shutdown => return Err(shutdown()),
            Next::Revoked => return Err(revoked()),
        }
    }
}

/// Opens a stream of what is left of an event.
pub(super) async fn open_availability(
    grpc: &Grpc,
    ctx: Ctx,
    request: tickets::StreamAvailabilityRequest,
) -> Result<AvailabilityFollower> {
    AvailabilityFollower::open(grpc, &ctx, EventId::parse("event_id", &request.event_id)?).await
}

/// Tells what is left until the stream ends.
pub(super) async fn tell_availability(
    mut follower: AvailabilityFollower,
    to: StreamSender<tickets::StreamAvailabilityResponse>,
) -> Result<()> {
    loop {
        match follower.next().await? {
            Next::News(news) => {
                for update in news {
                    to.send(convert::reservation::levels(follower.event, &update)).await?;
                }
            }
            // It only shows that the caller may still listen.
            Next::Heartbeat => {}
            Next::Shutdown => return Err(shutdown()),
            Next::Revoked => return Err(revoked()),
        }
    }
}

/// Opens a stream of a booking's place.
pub(super) async fn open_position(
    grpc: &Grpc,
    ctx: Ctx,
    request: tickets::StreamQueuePositionRequest,
) -> Result<BookingFollower> {
    BookingFollower::open(grpc, &ctx, BookingId::parse("booking_id", &request.booking_id)?).await
}

/// Tells a booking's place until the booking is over, or the stream ends.
pub(super) async fn tell_position(
    mut follower: BookingFollower,
    to: StreamSender<tickets::StreamQueuePositionResponse>,
) -> Result<()> {
    while let Some(next) = follower.next().await? {
        match next {
            Next::News(news) => {
                for position in news {
                    let booking = Some(convert::booking::standing(position));
                    to.send(tickets::StreamQueuePositionResponse { booking }).await?;
                }
            }
            // It only shows that the caller may still listen.
            Next::Heartbeat => {}
            Next::Shutdown => return Err(shutdown()),
            Next::Revoked => return Err(revoked()),
        }
    }
    Ok(())
}

/// The requests of a client that follows projects, and its follower.
pub(super) struct Projects {
    requests: Streaming<projects::StreamProjectUpdatesRequest>,
    follower: ProjectFollower,
    /// Whether the client has subscribed to a project.
    subscribed: bool,
}

/// Opens a stream of projects' counts.
pub(super) async fn open_projects(
    grpc: &Grpc,
    ctx: Ctx,
    requests: Streaming<projects::StreamProjectUpdatesRequest>,
) -> Result<Projects> {
    let follower = ProjectFollower::open(grpc, &ctx).await?;
    Ok(Projects { requests, follower, subscribed: false })
}

/// Sends counts until the client leaves, or until its requests end while it follows no project.
pub(super) async fn tell_projects(
    mut projects: Projects,
    to: StreamSender<projects::StreamProjectUpdatesResponse>,
) -> Result<()> {
    let mut listening = true;
    while listening || projects.subscribed {
        tokio::select! {
            request = projects.requests.message(), if listening => {
                match request.map_err(|status| unread(&status))? {
                    Some(request) => to.send(projects.act(&request).await?).await?,
                    None => listening = false,
                }
            }
            next = projects.follower.next() => match next? {
                Next::News(news) => {
                    for update in news {
                        to.send(convert::project::update(update)).await?;
                    }
                }
                // It only shows that the caller may still listen.
                Next::Heartbeat => {}
                Next::Shutdown => return Err(shutdown()),
                Next::Revoked => return Err(revoked()),
            },
        }
    }
    Ok(())
}

impl Projects {
    async fn act(
        &mut self,
        request: &projects::StreamProjectUpdatesRequest,
    ) -> Result<projects::StreamProjectUpdatesResponse> {
        let id = || ProjectId::parse("project_id", &request.project_id);
        let update = match request.action.as_str() {
            "subscribe" => {
                let update = self.follower.updates.subscribe(id()?).await?;
                self.subscribed = true;
                update
            }
            "update" => self.follower.updates.present(id()?, "update").await?,
            other => {
                let message = format!("is {other:?}; \"subscribe\" or \"update\" is expected");
                return Err(Error::invalid("action", message));
            }
        };
        Ok(convert::project::update(update))
    }
}
