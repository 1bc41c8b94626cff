//! Streams over WebSocket.

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use serde_json::json;
use tessera_core::id::ProjectId;
use tessera_core::tracker::ProjectUpdate;
use tessera_core::{Error, ErrorKind, Result};
use tessera_proto::project::v1::StreamProjectUpdatesRequest;
use tokio::time::{Duration, timeout};

use crate::convert::fact::fact as encode_fact;
use crate::convert::project::update as encode_update;
use crate::rest::decode;
use crate::subscriptions::{FactFollower, Next, ProjectFollower, SLOW_READER_TIMEOUT};

/// The largest message from a client, in bytes.
pub(super) const MAX_MESSAGE: usize = 4 * 1024;

/// The timeout of sending a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a stream ends.
enum End {
    /// The client disconnected.
    Disconnected,
    /// The client reads too slowly.
    SlowReader,
    /// The host shuts down.
    Shutdown,
    /// The caller may no longer read the stream.
    Revoked,
    /// The stream failed.
    Failed,
}

impl End {
    fn close_frame(&self, cursor: String) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Disconnected => return None,
            Self::SlowReader => (close_code::AGAIN, cursor),
            Self::Shutdown => (close_code::RESTART, cursor),
            Self::Revoked => {
                (close_code::POLICY, "the API key is no longer valid, or the tenant is suspended".to_owned())
            }
            Self::Failed => (close_code::ERROR, cursor),
        };
        Some(CloseFrame { code, reason: reason.into() })
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(SLOW_READER_TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Disconnected),
        Err(_) => Err(End::SlowReader),
    }
}

async fn send_json(socket: &mut WebSocket, body: &impl serde::Serialize) -> Result<(), End> {
    let text = serde_json::to_string(body).unwrap_or_default();
    send(socket, Message::Text(text.into())).await
}

async fn close(mut socket: WebSocket, end: &End, cursor: String) {
    if let Some(frame) = end.close_frame(cursor) {
        // A slow reader may not read the close frame either.
        let _ = timeout(CLOSE_TIMEOUT, socket.send(Message::Close(Some(frame)))).await;
    }
}

fn log_failure(error: &Error) -> End {
    tracing::warn!(?error, "stream failed");
    End::Failed
}

/// A message from the client.
enum Received {
    Text(String),
    Other,
}

fn parse_message(message: Option<Result<Message, axum::Error>>) -> Result<Received, End> {
    match message {
        None | Some(Err(_) | Ok(Message::Close(_))) => Err(End::Disconnected),
        Some(Ok(Message::Text(text))) => Ok(Received::Text(text.as_str().to_owned())),
        Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => Ok(Received::Other),
    }
}

/// Streams facts. Messages from the client are ignored.
pub(super) async fn facts(mut socket: WebSocket, mut follower: FactFollower) {
    // With the first cursor, a client that received no fact yet can resume here.
    let mut step = send_json(&mut socket, &json!({ "cursor": follower.cursor() })).await;
    let end = loop {
        if let Err(end) = step {
            break end;
        }
        step = facts_step(&mut socket, &mut follower).await;
    };
    close(socket, &end, follower.cursor()).await;
}

async fn facts_step(socket: &mut WebSocket, follower: &mut FactFollower) -> Result<(), End> {
    let next = tokio::select! {
        message = socket.recv() => return parse_message(message).map(|_| ()),
        next = follower.next() => next.map_err(|error| log_failure(&error))?,
    };
    match next {
        Next::Items(facts) => {
            for fact in facts {
                let cursor = follower.cursor_of(&fact);
                send_json(socket, &json!({ "fact": encode_fact(&fact, cursor) })).await?;
                follower.mark_sent(&fact);
            }
            Ok(())
        }
        Next::Heartbeat => {
            send(socket, Message::Ping(Default::default())).await?;
            send_json(socket, &json!({ "cursor": follower.cursor() })).await
        }
        Next::Shutdown => Err(End::Shutdown),
        Next::Revoked => Err(End::Revoked),
    }
}

/// Streams the issue counts of projects, and answers requests of the client.
pub(super) async fn project(mut socket: WebSocket, mut follower: ProjectFollower, first: ProjectUpdate) {
    let mut step = send_json(&mut socket, &encode_update(first)).await;
    while step.is_ok() {
        step = project_step(&mut socket, &mut follower).await;
    }
    if let Err(end) = step {
        close(socket, &end, String::new()).await;
    }
}

async fn project_step(socket: &mut WebSocket, follower: &mut ProjectFollower) -> Result<(), End> {
    let next = tokio::select! {
        message = socket.recv() => {
            return match parse_message(message)? {
                Received::Text(text) => respond(socket, follower, &text).await,
                Received::Other => Ok(()),
            };
        }
        next = follower.next() => next.map_err(|error| log_failure(&error))?,
    };
    match next {
        Next::Items(updates) => {
            for update in updates {
                send_json(socket, &encode_update(update)).await?;
            }
            Ok(())
        }
        Next::Heartbeat => send(socket, Message::Ping(Default::default())).await,
        Next::Shutdown => Err(End::Shutdown),
        Next::Revoked => Err(End::Revoked),
    }
}

async fn respond(socket: &mut WebSocket, follower: &mut ProjectFollower, text: &str) -> Result<(), End> {
    match handle(follower, text).await {
        Ok(update) => send_json(socket, &encode_update(update)).await,
        Err(error) if matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unavailable) => {
            Err(log_failure(&error))
        }
        Err(error) => {
            send_json(socket, &json!({ "error": { "code": error.reason(), "message": error.message() } }))
                .await
        }
    }
}

async fn handle(follower: &mut ProjectFollower, text: &str) -> Result<ProjectUpdate> {
    let command: StreamProjectUpdatesRequest = decode::json(text.as_bytes())?;
    let project = ProjectId::parse("project_id", &command.project_id)?;
    match command.action.as_str() {
        "subscribe" => follower.updates.subscribe(project).await,
        "update" => follower.updates.present(project, "update").await,
        _ => Err(Error::invalid("action", "must be subscribe or update")),
    }
}
