//! Streams as Server-Sent Events.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use tessera_core::Result;
use tessera_core::tracker::ProjectUpdate;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use crate::convert::booking::booking as encode_booking;
use crate::convert::fact::fact as encode_fact;
use crate::convert::project::update as encode_update;
use crate::convert::reservation::availability as encode_availability;
use crate::subscriptions::{
    AvailabilityFollower, BookingFollower, FactFollower, Next, ProjectFollower, SLOW_READER_TIMEOUT,
};

/// The heartbeat of a stream, a comment.
const HEARTBEAT: &str = ": heartbeat\n\n";

/// Sends events to the client, one batch at a time.
struct Client(Sender<Bytes>);

impl Client {
    /// Sends text and waits until the connection has taken it, from when on its bytes count for the connection. Returns
    /// false if the client has disconnected or reads too slowly.
    async fn send(&self, text: String) -> bool {
        let taken = async { self.0.send(text.into()).await.is_ok() && self.0.reserve().await.is_ok() };
        tokio::time::timeout(SLOW_READER_TIMEOUT, taken).await.unwrap_or(false)
    }

    /// Waits for the next element of a stream; `None` if the client has disconnected or the stream has failed.
    async fn next<T>(&self, next: impl Future<Output = Result<T>>) -> Option<T> {
        tokio::select! {
            () = self.0.closed() => None,
            next = next => next.inspect_err(|error| tracing::warn!(?error, "stream failed")).ok(),
        }
    }
}

fn open() -> (Client, Response) {
    let (sender, receiver) = mpsc::channel(1);
    let body = Body::from_stream(ReceiverStream::new(receiver).map(Ok::<_, Infallible>));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (Client(sender), (headers, body).into_response())
}

/// Formats an event; the JSON has no line breaks.
fn event(id: Option<&str>, name: &str, body: &impl serde::Serialize) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let data = serde_json::to_string(body).unwrap_or_default();
    format!("{id}event: {name}\ndata: {data}\n\n")
}

/// Streams facts; the id of each event is the cursor after the fact.
pub(super) fn facts(mut follower: FactFollower) -> Response {
    let (client, response) = open();
    tokio::spawn(async move {
        // With the first id, a client that received no fact yet can resume here.
        if !client.send(format!("id: {}\nretry: 1000\n\n", follower.cursor())).await {
            return;
        }
        while let Some(next) = client.next(follower.next()).await {
            let text = match next {
                Next::Items(facts) => facts
                    .iter()
                    .map(|fact| {
                        let cursor = follower.cursor_of(fact);
                        event(Some(&cursor), &fact.body.fact_type, &encode_fact(fact, cursor.clone()))
                    })
                    .collect(),
                Next::Heartbeat => format!("id: {}\n{HEARTBEAT}", follower.cursor()),
                Next::Shutdown | Next::Revoked => return,
            };
            if !client.send(text).await {
                return;
            }
        }
    });
    response
}

/// Streams the issue count of a project.
pub(super) fn project(mut follower: ProjectFollower, first: ProjectUpdate) -> Response {
    let (client, response) = open();
    tokio::spawn(async move {
        let mut updates = vec![first];
        loop {
            let text =
                if updates.is_empty() { HEARTBEAT.to_owned() } else { counts(std::mem::take(&mut updates)) };
            if !client.send(text).await {
                return;
            }
            match client.next(follower.next()).await {
                Some(Next::Items(items)) => updates = items,
                Some(Next::Heartbeat) => {}
                None | Some(Next::Shutdown | Next::Revoked) => return,
            }
        }
    });
    response
}

/// Streams the availability of an event.
pub(super) fn availability(mut follower: AvailabilityFollower) -> Response {
    let (client, response) = open();
    tokio::spawn(async move {
        while let Some(next) = client.next(follower.next()).await {
            let text = match next {
                Next::Items(updates) => {
                    let body = |update| encode_availability(follower.event, update);
                    updates.iter().map(|update| event(None, "availability", &body(update))).collect()
                }
                Next::Heartbeat => HEARTBEAT.to_owned(),
                Next::Shutdown | Next::Revoked => return,
            };
            if !client.send(text).await {
                return;
            }
        }
    });
    response
}

/// Streams a booking and its position until the booking ends.
pub(super) fn position(mut follower: BookingFollower) -> Response {
    let (client, response) = open();
    tokio::spawn(async move {
        while let Some(Some(next)) = client.next(follower.next()).await {
            let text = match next {
                Next::Items(positions) => {
                    let text = |position| event(None, "booking", &encode_booking(position));
                    positions.into_iter().map(text).collect()
                }
                Next::Heartbeat => HEARTBEAT.to_owned(),
                Next::Shutdown | Next::Revoked => return,
            };
            if !client.send(text).await {
                return;
            }
        }
    });
    response
}

fn counts(updates: Vec<ProjectUpdate>) -> String {
    updates.into_iter().map(|update| event(None, "project", &encode_update(update))).collect()
}
