//! Live streams: facts and projects' counts, as Server-Sent Events and over WebSocket; what is left of events and
//! places in queues, as Server-Sent Events.
//!
//! A stream pulls one batch at a time. A client that does not read for a while is cut off, with a cursor
//! to go on from; nothing is buffered for it.

mod socket;
mod sse;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use tessera_core::access::Operation;
use tessera_core::id::{BookingId, EventId, ProjectId};
use tessera_core::{Ctx, Error, Principal};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::follow::{AskedFacts, AvailabilityFollower, BookingFollower, FactFollower, ProjectFollower};
use crate::rest::Rest;
use crate::rest::error::{Problem, ProblemBody};
use crate::rest::extract::{Ask, Id, Public, asked};
use crate::rest::front::Trace;
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::tokens::{STREAM_TOKEN_LIFETIME, StreamPass};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .with(routes!(token))
        .with(routes!(facts))
        .with(routes!(project))
        .with(routes!(availability))
        .with(routes!(position))
}

/// A token for a client that cannot send a header.
#[derive(Debug, Serialize, ToSchema)]
struct StreamToken {
    /// For `?token=`: opens one stream.
    token: String,
    /// How many seconds it can be used.
    expires_in: u64,
}

/// Which facts are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct FactsQuery {
    /// The cursor to go on after (or `Last-Event-ID`); absent: from now on.
    after: String,
    /// Types, separated by commas; `issue.*` stands for all that begin so.
    types: String,
    /// Only facts of the object with this id.
    object: String,
    /// Only facts that the filter fits: `kind:issue project:<id> user:me`.
    filter: String,
    /// A token of `POST /v1/streams/token`, instead of the header.
    token: String,
}

/// How a stream of one thing is opened.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct TokenQuery {
    /// A token of `POST /v1/streams/token`, instead of the header.
    token: String,
}

/// How the client wants to listen: over a WebSocket when it asks for an upgrade.
struct Listen(Option<WebSocketUpgrade>);

impl FromRequestParts<Rest> for Listen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Problem> {
        let upgrade = parts.headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
        if !upgrade.is_some_and(|held| held.eq_ignore_ascii_case("websocket")) {
            return Ok(Self(None));
        }
        let upgrade = WebSocketUpgrade::from_request_parts(parts, rest).await;
        let upgrade =
            upgrade.map_err(|rejection| Error::malformed("Upgrade", format!("fails: {rejection}")))?;
        let bounded = upgrade.max_message_size(socket::MAX_MESSAGE).max_frame_size(socket::MAX_MESSAGE);
        Ok(Self(Some(bounded)))
    }
}

/// The caller of a stream: by a token for one use, or by the header as everywhere.
async fn listener(rest: &Rest, headers: &HeaderMap, trace: &Trace, token: &str) -> Result<Ctx, Problem> {
    let asked = asked(headers, trace);
    let ctx = if token.is_empty() {
        rest.ctx(&asked).await?
    } else {
        let StreamPass { key, nonce, until } = rest.tokens.open_stream(token, rest.app.now())?;
        let identity = rest.app.auth.admit_once(&key, &nonce, until).await?;
        rest.ctx_of(identity, &asked).await?
    };
    trace.learn(&ctx);
    Ok(ctx)
}

/// Gives a token that opens one stream within a minute, for clients that cannot send a header.
#[utoipa::path(post, path = "/v1/streams/token", operation_id = "stream.token", tag = "facts",
    responses((status = 200, description = "The token", body = StreamToken)))]
async fn token(ctx: Ctx, State(rest): State<Rest>) -> Answer<StreamToken> {
    ctx.allow(Operation::FactStream)?;
    let Principal::Key { id, .. } = &ctx.principal else {
        return Err(Error::denied("only the holder of a key gets a stream token").into());
    };
    let token = rest.tokens.seal_stream(id, ctx.now.plus(STREAM_TOKEN_LIFETIME))?;
    Ok(Reply::ok(StreamToken { token, expires_in: STREAM_TOKEN_LIFETIME.as_secs() }))
}

/// Follows the tenant's facts: Server-Sent Events, or a WebSocket when the request asks for an upgrade.
///
/// Each event's id is the cursor after it, so that a client that comes back misses nothing. Over a
/// WebSocket each message is `{"fact": …}` or, every 15 seconds without one, `{"cursor": …}`.
#[utoipa::path(get, path = "/v1/streams/facts", operation_id = "fact.stream", tag = "facts",
    params(FactsQuery), responses(
        (status = 101, description = "The WebSocket"),
        (status = 200, description = "The facts", content_type = "text/event-stream", body = crate::rest::dto::fact::FactBody),
        (status = 410, description = "The cursor is older than facts are kept for streams", content_type = "application/problem+json", body = ProblemBody)))]
async fn facts(
    State(rest): State<Rest>,
    Caller { headers, trace }: Caller,
    Listen(upgrade): Listen,
    Ask(ask): Ask<FactsQuery>,
) -> Result<Response, Problem> {
    let ctx = listener(&rest, &headers, &trace, &ask.token).await?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let asked = AskedFacts {
        after: last.filter(|last| !last.is_empty()).map_or(ask.after, str::to_owned),
        types: ask.types.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect(),
        object: ask.object,
        filter: ask.filter,
    };
    let follower = FactFollower::open(&rest, &ctx, asked).await?;
    Ok(match upgrade {
        Some(upgrade) => upgrade.on_upgrade(|socket| socket::facts(socket, follower)).into_response(),
        None => sse::facts(follower),
    })
}

/// Follows a project's count of issues: Server-Sent Events, or a WebSocket when the request asks for one.
///
/// Over a WebSocket, `{"action": "subscribe", "project_id": …}` follows another project as well, and
/// `{"action": "update", "project_id": …}` asks for a project's present count.
#[utoipa::path(get, path = "/v1/projects/{project_id}/stream", operation_id = "project.stream", tag = "projects",
    params(TokenQuery), responses(
        (status = 101, description = "The WebSocket"),
        (status = 200, description = "The counts", content_type = "text/event-stream", body = crate::rest::dto::project::ProjectCount)))]
async fn project(
    State(rest): State<Rest>,
    Caller { headers, trace }: Caller,
    Id(id): Id<ProjectId>,
    Listen(upgrade): Listen,
    Ask(ask): Ask<TokenQuery>,
) -> Result<Response, Problem> {
    let ctx = listener(&rest, &headers, &trace, &ask.token).await?;
    let mut follower = ProjectFollower::open(&rest, &ctx).await?;
    let first = follower.updates.subscribe(id).await?;
    Ok(match upgrade {
        Some(upgrade) => {
            upgrade.on_upgrade(|socket| socket::project(socket, follower, first)).into_response()
        }
        None => sse::project(follower, first),
    })
}

/// Follows what is left of an event: Server-Sent Events, at most a few a second, and always the last.
///
/// The first event is the present state; who lists seats after it and applies what follows misses none.
#[utoipa::path(get, path = "/v1/events/{event_id}/availability/stream", operation_id = "availability.stream",
    tag = "reservations", security(("bearer" = []), ()), responses(
        (status = 200, description = "What is left", content_type = "text/event-stream", body = crate::rest::dto::reservation::LevelsBody)))]
async fn availability(
    Public(ctx): Public,
    State(rest): State<Rest>,
    Id(id): Id<EventId>,
) -> Result<Response, Problem> {
    Ok(sse::availability(AvailabilityFollower::open(&rest, &ctx, id).await?))
}

/// Follows a booking and its place: Server-Sent Events, at most two a second.
///
/// The first event is the present state. The stream ends when the booking is over and that was told: a client then
/// closes, instead of coming back for the same.
#[utoipa::path(get, path = "/v1/bookings/{booking_id}/stream", operation_id = "booking.stream", tag = "queues",
    params(TokenQuery), responses(
        (status = 200, description = "The booking and its place", content_type = "text/event-stream", body = crate::rest::dto::booking::BookingBody)))]
async fn position(
    State(rest): State<Rest>,
    Caller { headers, trace }: Caller,
    Id(id): Id<BookingId>,
    Ask(ask): Ask<TokenQuery>,
) -> Result<Response, Problem> {
    let ctx = listener(&rest, &headers, &trace, &ask.token).await?;
    Ok(sse::position(BookingFollower::open(&rest, &ctx, id).await?))
}

/// What a stream needs to know of its request.
struct Caller {
    headers: HeaderMap,
    trace: Trace,
}

impl FromRequestParts<Rest> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _rest: &Rest) -> Result<Self, Problem> {
        Ok(Self { headers: parts.headers.clone(), trace: Trace::of(&parts.extensions) })
    }
}
