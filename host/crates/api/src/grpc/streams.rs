//! Streams: facts of a tenant, availability of events, positions in queues, and issue counts of projects.

use std::time::Duration;

use tessera_core::id::{BookingId, EventId, ProjectId};
use tessera_core::{Ctx, Error, Result};
use tessera_proto::facts::v1 as facts;
use tessera_proto::project::v1 as projects;
use tessera_proto::ticket::v1 as tickets;
use tonic::Streaming;

use crate::convert;
use crate::grpc::call::Grpc;
use crate::grpc::error::unreadable_message;
use crate::grpc::response_stream::StreamSender;
use crate::subscriptions::{
    AvailabilityFollower, BookingFollower, FactFollower, FactQuery, Next, ProjectFollower,
};

/// When a client should reconnect after its host shut down.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Returns the elements to send; none for a heartbeat, which only confirms that the caller may still read the stream.
fn elements<T>(next: Next<T>) -> Result<Vec<T>> {
    match next {
        Next::Items(items) => Ok(items),
        Next::Heartbeat => Ok(Vec::new()),
        Next::Shutdown => {
            let message =
                "the host is shutting down; reopen the stream, a stream of facts after the last cursor";
            Err(Error::unavailable(message, RECONNECT_AFTER))
        }
        Next::Revoked => {
            Err(Error::unauthenticated("the API key is no longer valid, or the tenant is suspended"))
        }
    }
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

/// Sends facts until the stream ends.
pub(super) async fn send_facts(
    mut follower: FactFollower,
    to: StreamSender<facts::StreamFactsResponse>,
) -> Result<()> {
    // With the first cursor, a client that received no fact yet can resume here.
    to.send(facts::StreamFactsResponse { fact: None, cursor: follower.cursor() }).await?;
    loop {
        let next = follower.next().await?;
        if matches!(next, Next::Heartbeat) {
            to.send(facts::StreamFactsResponse { fact: None, cursor: follower.cursor() }).await?;
        }
        for fact in elements(next)? {
            let cursor = follower.cursor_of(&fact);
            let fact = Some(convert::fact::fact(&fact, cursor.clone()));
            to.send(facts::StreamFactsResponse { fact, cursor }).await?;
        }
    }
}

/// Opens a stream of an event's availability.
pub(super) async fn open_availability(
    grpc: &Grpc,
    ctx: Ctx,
    request: tickets::StreamAvailabilityRequest,
) -> Result<AvailabilityFollower> {
    let event = EventId::parse("event_id", &request.event_id)?;
    AvailabilityFollower::open(grpc, &ctx, event, &request.access_code).await
}

/// Sends availability until the stream ends.
pub(super) async fn send_availability(
    mut follower: AvailabilityFollower,
    to: StreamSender<tickets::StreamAvailabilityResponse>,
) -> Result<()> {
    loop {
        for update in elements(follower.next().await?)? {
            to.send(convert::reservation::availability(follower.event, &update)).await?;
        }
    }
}

/// Opens a stream of a booking's position.
pub(super) async fn open_position(
    grpc: &Grpc,
    ctx: Ctx,
    request: tickets::StreamQueuePositionRequest,
) -> Result<BookingFollower> {
    BookingFollower::open(grpc, &ctx, BookingId::parse("booking_id", &request.booking_id)?).await
}

/// Sends a booking and its position until the booking or the stream ends.
pub(super) async fn send_position(
    mut follower: BookingFollower,
    to: StreamSender<tickets::StreamQueuePositionResponse>,
) -> Result<()> {
    while let Some(next) = follower.next().await? {
        for position in elements(next)? {
            let booking = Some(convert::booking::booking(position));
            to.send(tickets::StreamQueuePositionResponse { booking }).await?;
        }
    }
    Ok(())
}

/// A bidirectional stream of project updates: the client's requests, and the updates.
pub(super) struct ProjectStream {
    requests: Streaming<projects::StreamProjectUpdatesRequest>,
    follower: ProjectFollower,
    /// Whether the client has subscribed to a project.
    subscribed: bool,
}

/// Opens a stream of the issue counts of projects.
pub(super) async fn open_project_updates(
    grpc: &Grpc,
    ctx: Ctx,
    requests: Streaming<projects::StreamProjectUpdatesRequest>,
) -> Result<ProjectStream> {
    let follower = ProjectFollower::open(grpc, &ctx).await?;
    Ok(ProjectStream { requests, follower, subscribed: false })
}

/// Sends counts until the client disconnects, or until its requests end and it has subscribed to no project.
pub(super) async fn send_project_updates(
    mut stream: ProjectStream,
    to: StreamSender<projects::StreamProjectUpdatesResponse>,
) -> Result<()> {
    let mut has_requests = true;
    while has_requests || stream.subscribed {
        tokio::select! {
            request = stream.requests.message(), if has_requests => {
                match request.map_err(|status| unreadable_message(&status))? {
                    Some(request) => to.send(stream.handle(&request).await?).await?,
                    None => has_requests = false,
                }
            }
            next = stream.follower.next() => {
                for update in elements(next?)? {
                    to.send(convert::project::update(update)).await?;
                }
            }
        }
    }
    Ok(())
}

impl ProjectStream {
    async fn handle(
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
