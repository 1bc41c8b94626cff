//! Streams over WebSocket.

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use serde_json::json;
use tessera_core::id::ProjectId;
use tessera_core::tracker::ProjectUpdate;
use tessera_core::{Error, ErrorKind, Result};
use tessera_proto::project::v1::StreamProjectUpdatesRequest;
use tokio::time::{Duration, timeout};

use crate::convert::fact::fact as described;
use crate::convert::project::update as count;
use crate::rest::decode;
use crate::subscriptions::{FactFollower, Next, ProjectFollower, STALL};

/// The largest message that a client may send.
pub(super) const MAX_MESSAGE: usize = 4 * 1024;

/// How long a close may take to be sent.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a stream ends.
enum End {
    /// The client is gone, or closed.
    Gone,
    /// The client does not read.
    Slow,
    /// The host goes down.
    Shutdown,
    /// The caller may no longer listen.
    Revoked,
    /// Something failed.
    Failed,
}

impl End {
    fn close(&self, cursor: String) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Gone => return None,
            Self::Slow => (close_code::AGAIN, cursor),
            Self::Shutdown => (close_code::RESTART, cursor),
            Self::Revoked => (close_code::POLICY, "the key is no longer valid".to_owned()),
            Self::Failed => (close_code::ERROR, cursor),
        };
        Some(CloseFrame { code, reason: reason.into() })
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(STALL, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Slow),
    }
}

async fn say(socket: &mut WebSocket, body: &impl serde::Serialize) -> Result<(), End> {
    let text = serde_json::to_string(body).unwrap_or_default();
    send(socket, Message::Text(text.into())).await
}

async fn farewell(mut socket: WebSocket, end: &End, cursor: String) {
    if let Some(frame) = end.close(cursor) {
        // A client that does not read does not read this either.
        let _ = timeout(FAREWELL, socket.send(Message::Close(Some(frame)))).await;
    }
}

fn failed(error: &Error) -> End {
    tracing::warn!(?error, "stream failed");
    End::Failed
}

/// A message from the client.
enum Heard {
    Text(String),
    Nothing,
}

fn heard(message: Option<Result<Message, axum::Error>>) -> Result<Heard, End> {
    match message {
        None | Some(Err(_) | Ok(Message::Close(_))) => Err(End::Gone),
        Some(Ok(Message::Text(text))) => Ok(Heard::Text(text.as_str().to_owned())),
        Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => Ok(Heard::Nothing),
    }
}

/// The facts as messages. What the client says is not listened to.
pub(super) async fn facts(mut socket: WebSocket, mut follower: FactFollower) {
    // The first cursor lets a client that saw nothing yet come back to this place.
    let mut step = say(&mut socket, &json!({ "cursor": follower.cursor() })).await;
    let end = loop {
        if let Err(end) = step {
            break end;
        }
        step = facts_step(&mut socket, &mut follower).await;
    };
    farewell(socket, &end, follower.cursor()).await;
}

async fn facts_step(socket: &mut WebSocket, follower: &mut FactFollower) -> Result<(), End> {
    let next = tokio::select! {
        message = socket.recv() => return heard(message).map(|_| ()),
        next = follower.next() => next.map_err(|error| failed(&error))?,
    };
    match next {
        Next::News(facts) => {
            for fact in facts {
                let cursor = follower.cursor_of(&fact);
                say(socket, &json!({ "fact": described(&fact, cursor) })).await?;
                follower.sent(&fact);
            }
            Ok(())
        }
        Next::Heartbeat => {
            send(socket, Message::Ping(Default::default())).await?;
            say(socket, &json!({ "cursor": follower.cursor() })).await
        }
        Next::Shutdown => Err(End::Shutdown),
        Next::Revoked => Err(End::Revoked),
    }
}

/// The counts as messages, and what the client asks for.
pub(super) async fn project(mut socket: WebSocket, mut follower: ProjectFollower, first: ProjectUpdate) {
    let mut step = say(&mut socket, &count(first)).await;
    while step.is_ok() {
        step = project_step(&mut socket, &mut follower).await;
    }
    if let Err(end) = step {
        farewell(socket, &end, String::new()).await;
    }
}

async fn project_step(socket: &mut WebSocket, follower: &mut ProjectFollower) -> Result<(), End> {
    let next = tokio::select! {
        message = socket.recv() => {
            return match heard(message)? {
                Heard::Text(text) => answer(socket, follower, &text).await,
                Heard::Nothing => Ok(()),
            };
        }
        next = follower.next() => next.map_err(|error| failed(&error))?,
    };
    match next {
        Next::News(updates) => {
            for update in updates {
                say(socket, &count(update)).await?;
            }
            Ok(())
        }
        Next::Heartbeat => send(socket, Message::Ping(Default::default())).await,
        Next::Shutdown => Err(End::Shutdown),
        Next::Revoked => Err(End::Revoked),
    }
}

async fn answer(socket: &mut WebSocket, follower: &mut ProjectFollower, text: &str) -> Result<(), End> {
    match obey(follower, text).await {
        Ok(update) => say(socket, &count(update)).await,
        Err(error) if matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unavailable) => {
            Err(failed(&error))
        }
        Err(error) => {
            say(socket, &json!({ "error": { "code": error.reason(), "message": error.message() } })).await
        }
    }
}

async fn obey(follower: &mut ProjectFollower, text: &str) -> Result<ProjectUpdate> {
    let command: StreamProjectUpdatesRequest = decode::json(text.as_bytes())?;
    let project = ProjectId::parse("project_id", &command.project_id)?;
    match command.action.as_str() {
        "subscribe" => follower.updates.subscribe(project).await,
        "update" => follower.updates.present(project, "update").await,
        _ => Err(Error::invalid("action", "must be subscribe or update")),
    }
}
