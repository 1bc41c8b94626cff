//! Streams as Server-Sent Events.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use tessera_core::tracker::ProjectUpdate;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use crate::convert::booking::standing;
use crate::convert::fact::fact as described;
use crate::convert::project::update as count;
use crate::convert::reservation::levels;
use crate::subscriptions::{
    AvailabilityFollower, BookingFollower, FactFollower, Next, ProjectFollower, STALL,
};

/// The heartbeat of a stream.
const BEAT: &str = ": heartbeat\n\n";

/// A stream's end of the channel to the client: one batch waits at most.
struct Client(Sender<Bytes>);

impl Client {
    /// Sends; false when the client is gone or does not read.
    async fn send(&self, text: String) -> bool {
        self.0.send_timeout(text.into(), STALL).await.is_ok()
    }
}

fn open() -> (Client, Response) {
    let (sender, receiver) = mpsc::channel(1);
    let body = Body::from_stream(ReceiverStream::new(receiver).map(Ok::<_, Infallible>));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (Client(sender), (headers, body).into_response())
}

/// One event; JSON has no line break in it.
fn event(id: Option<&str>, name: &str, body: &impl serde::Serialize) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let data = serde_json::to_string(body).unwrap_or_default();
    format!("{id}event: {name}\ndata: {data}\n\n")
}

/// The facts as events, each with the cursor after it as its id.
pub(super) fn facts(mut follower: FactFollower) -> Response {
    let (client, response) = open();
    tokio::spawn(async move {
        // The first id lets a client that saw nothing yet come back to this place.
        if !client.send(format!("id: {}\nretry: 1000\n\n", follower.cursor())).await {
            return;
        }
        loop {
            let next = tokio::select! {
                () = client.0.closed() => return,
                next = follower.next() => next,
            };
            let text = match next {
                Ok(Next::News(facts)) => facts
                    .iter()
                    .map(|fact| {
                        let cursor = follower.cursor_of(fact);
                        event(Some(&cursor), &fact.body.fact_type, &described(fact, cursor.clone()))
                    })
                    .collect(),
                Ok(Next::Heartbeat) => format!("id: {}\n{BEAT}", follower.cursor()),
                Ok(Next::Shutdown | Next::Revoked) => return,
                Err(error) => return tracing::warn!(?error, "fact stream failed"),
            };
            if !client.send(text).await {
                return;
            }
        }
    });
    response
}

/// The counts as events.
pub(super) fn project(mut follower: ProjectFollower, first: ProjectUpdate) -> Response {
    let (client, response) = open();
    tokio::spawn(async move {
        let mut news = vec![first];
        loop {
            let text = if news.is_empty() { BEAT.to_owned() } else { counts(std::mem::take(&mut news)) };
            if !client.send(text).await {
                return;
            }
            let next = tokio::select! {
                () = client.0.closed() => return,
                next = follower.next() => next,
            };
            match next {
                Ok(Next::News(updates)) => news = updates,
                Ok(Next::Heartbeat) => {}
                Ok(Next::Shutdown | Next::Revoked) => return,
                Err(error) => return tracing::warn!(?error, "project stream failed"),
            }
        }
    });
    response
}

/// Streams availability as events.
pub(super) fn availability(mut follower: AvailabilityFollower) -> Response {
    let (client, response) = open();
    tokio::spawn(async move {
        loop {
            let next = tokio::select! {
                () = client.0.closed() => return,
                next = follower.next() => next,
            };
            let text = match next {
                Ok(Next::News(updates)) => {
                    let body = |update| levels(follower.event, update);
                    updates.iter().map(|update| event(None, "availability", &body(update))).collect()
                }
                Ok(Next::Heartbeat) => BEAT.to_owned(),
                Ok(Next::Shutdown | Next::Revoked) => return,
                Err(error) => return tracing::warn!(?error, "availability stream failed"),
            };
            if !client.send(text).await {
                return;
            }
        }
    });
    response
}

/// A booking and its place, as events, until the booking is over.
pub(super) fn position(mut follower: BookingFollower) -> Response {
    let (client, response) = open();
    tokio::spawn(async move {
        loop {
            let next = tokio::select! {
                () = client.0.closed() => return,
                next = follower.next() => next,
            };
            let text = match next {
                Ok(Some(Next::News(news))) => {
                    news.into_iter().map(|position| event(None, "booking", &standing(position))).collect()
                }
                Ok(Some(Next::Heartbeat)) => BEAT.to_owned(),
                Ok(None | Some(Next::Shutdown | Next::Revoked)) => return,
                Err(error) => return tracing::warn!(?error, "booking stream failed"),
            };
            if !client.send(text).await {
                return;
            }
        }
    });
    response
}

fn counts(updates: Vec<ProjectUpdate>) -> String {
    updates.into_iter().map(|update| event(None, "project", &count(update))).collect()
}
