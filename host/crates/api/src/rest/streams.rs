//! Live streams: facts and issue counts of projects, as Server-Sent Events and over WebSocket; availability of events
//! and positions in queues, as Server-Sent Events.
//!
//! A stream reads one batch at a time. A slow reader is disconnected and resumes after its last cursor; the host
//! buffers nothing for it.

mod socket;
mod sse;

use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::{IntoResponse as _, Response};
use prost::Name as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tessera_core::access::Operation;
use tessera_core::id::{BookingId, EventId, ProjectId};
use tessera_core::{Ctx, Error, Principal, Result};
use tessera_proto::common::v1::Fact;
use tessera_proto::facts::v1::StreamFactsRequest;
use tessera_proto::project::v1::{StreamProjectUpdatesRequest, StreamProjectUpdatesResponse};
use tessera_proto::ticket::v1::{
    Booking, StreamAvailabilityRequest, StreamAvailabilityResponse, StreamQueuePositionRequest,
};
use utoipa::ToSchema;

use crate::rest::decode::{self, MaskRule};
use crate::rest::error::Problem;
use crate::rest::extract::{Keyed, Public, request_head};
use crate::rest::middleware::Trace;
use crate::rest::route::{RouteEntry, Shape, special};
use crate::rest::state::Rest;
use crate::subscriptions::{AvailabilityFollower, BookingFollower, FactFollower, FactQuery, ProjectFollower};
use crate::tokens::{STREAM_TOKEN_LIFETIME, StreamPass};

/// The media type of Server-Sent Events.
const EVENTS: &str = "text/event-stream";

/// The query parameter of the stream token, with its description.
const TOKEN: (&str, &str) = ("token", "A token from `POST /v1/streams/token`, instead of the header.");

pub(super) fn routes() -> Vec<RouteEntry> {
    let message = |name: String| Shape::Message(name);
    vec![
        special(Method::POST, "/v1/streams/token", "stream.token", String::new(), token)
            .answers("application/json", Shape::Schema("StreamToken"))
            .summary(
                "Creates a token that opens one stream within a minute, for clients that cannot send headers.",
            ),
        special(Method::GET, "/v1/streams/facts", "fact.stream", StreamFactsRequest::full_name(), facts)
            .parameter(TOKEN.0, TOKEN.1)
            .answers(EVENTS, message(Fact::full_name())),
        special(
            Method::GET,
            "/v1/projects/{project_id}/stream",
            "project.stream",
            StreamProjectUpdatesRequest::full_name(),
            project,
        )
        .parameter(TOKEN.0, TOKEN.1)
        .answers(EVENTS, message(StreamProjectUpdatesResponse::full_name())),
        special(
            Method::GET,
            "/v1/events/{event_id}/availability/stream",
            "availability.stream",
            StreamAvailabilityRequest::full_name(),
            availability,
        )
        .public()
        .answers(EVENTS, message(StreamAvailabilityResponse::full_name())),
        special(
            Method::GET,
            "/v1/bookings/{booking_id}/stream",
            "booking.stream",
            StreamQueuePositionRequest::full_name(),
            position,
        )
        .parameter(TOKEN.0, TOKEN.1)
        .answers(EVENTS, message(Booking::full_name())),
    ]
}

/// A token for a client that cannot send headers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StreamToken {
    /// The token, for `?token=`; it opens one stream.
    token: String,
    /// The lifetime of the token, in seconds.
    expires_in: u64,
}

/// The query of a stream of facts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FactsParameters {
    after: String,
    types: Vec<String>,
    object: String,
    filter: String,
    token: String,
}

/// The query of a stream of one object.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TokenParameter {
    token: String,
}

/// The query of a stream of availability.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AccessCodeParameter {
    access_code: String,
}

fn read_query<T: DeserializeOwned>(uri: &Uri) -> Result<T> {
    decode::message(decode::query(uri)?, &[], MaskRule::Absent, "query")
}

/// Returns the path parameter.
fn path_parameter(params: &RawPathParams) -> &str {
    params.iter().next().map_or("", |(_, value)| value)
}

/// The WebSocket upgrade, if the client requests one.
struct Upgrade(Option<WebSocketUpgrade>);

impl FromRequestParts<Rest> for Upgrade {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Problem> {
        let upgrade = parts.headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
        if !upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
            return Ok(Self(None));
        }
        let upgrade = WebSocketUpgrade::from_request_parts(parts, rest).await;
        let upgrade =
            upgrade.map_err(|rejection| Error::malformed("Upgrade", format!("fails: {rejection}")))?;
        let upgrade = upgrade.max_message_size(socket::MAX_MESSAGE).max_frame_size(socket::MAX_MESSAGE);
        Ok(Self(Some(upgrade)))
    }
}

/// Authenticates the caller of a stream, by a stream token or by the header.
async fn authenticate(rest: &Rest, headers: &HeaderMap, trace: &Trace, token: &str) -> Result<Ctx, Problem> {
    let head = request_head(headers, trace);
    let ctx = if token.is_empty() {
        rest.ctx(&head).await?
    } else {
        let StreamPass { key, nonce, until } = rest.tokens.open_stream(token, rest.app.now())?;
        let identity = rest.app.auth.admit_once(&key, &nonce, until).await?;
        rest.ctx_of(identity, &head).await?
    };
    trace.admit(&ctx)?;
    Ok(ctx)
}

async fn token(Keyed(ctx): Keyed, State(rest): State<Rest>) -> Result<Response, Problem> {
    ctx.allow(Operation::FactStream)?;
    let Principal::Key { id, .. } = &ctx.principal else {
        return Err(Error::denied("a stream token requires an API key").into());
    };
    let token = rest.tokens.seal_stream(id, ctx.now.plus(STREAM_TOKEN_LIFETIME))?;
    Ok(Json(StreamToken { token, expires_in: STREAM_TOKEN_LIFETIME.as_secs() }).into_response())
}

async fn facts(
    State(rest): State<Rest>,
    Caller { headers, trace }: Caller,
    Upgrade(upgrade): Upgrade,
    uri: Uri,
) -> Result<Response, Problem> {
    let FactsParameters { after, types, object, filter, token } = read_query(&uri)?;
    let ctx = authenticate(&rest, &headers, &trace, &token).await?;
    let last_event_id = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = last_event_id.filter(|id| !id.is_empty()).map_or(after, str::to_owned);
    // The parameter has comma-separated types, and may be given several times.
    let types = types.iter().flat_map(|types| types.split(',')).map(str::trim);
    let types = types.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let follower = FactFollower::open(&rest, &ctx, FactQuery { after, types, object, filter }).await?;
    Ok(match upgrade {
        Some(upgrade) => upgrade.on_upgrade(|socket| socket::facts(socket, follower)).into_response(),
        None => sse::facts(follower),
    })
}

async fn project(
    State(rest): State<Rest>,
    Caller { headers, trace }: Caller,
    params: RawPathParams,
    Upgrade(upgrade): Upgrade,
    uri: Uri,
) -> Result<Response, Problem> {
    let TokenParameter { token } = read_query(&uri)?;
    let ctx = authenticate(&rest, &headers, &trace, &token).await?;
    let id = ProjectId::parse("project_id", path_parameter(&params))?;
    let mut follower = ProjectFollower::open(&rest, &ctx).await?;
    let first = follower.updates.subscribe(id).await?;
    Ok(match upgrade {
        Some(upgrade) => {
            upgrade.on_upgrade(|socket| socket::project(socket, follower, first)).into_response()
        }
        None => sse::project(follower, first),
    })
}

async fn availability(
    Public(ctx): Public,
    State(rest): State<Rest>,
    params: RawPathParams,
    uri: Uri,
) -> Result<Response, Problem> {
    let AccessCodeParameter { access_code } = read_query(&uri)?;
    let id = EventId::parse("event_id", path_parameter(&params))?;
    Ok(sse::availability(AvailabilityFollower::open(&rest, &ctx, id, &access_code).await?))
}

async fn position(
    State(rest): State<Rest>,
    Caller { headers, trace }: Caller,
    params: RawPathParams,
    uri: Uri,
) -> Result<Response, Problem> {
    let TokenParameter { token } = read_query(&uri)?;
    let ctx = authenticate(&rest, &headers, &trace, &token).await?;
    let id = BookingId::parse("booking_id", path_parameter(&params))?;
    Ok(sse::position(BookingFollower::open(&rest, &ctx, id).await?))
}

/// The parts of the request that authentication needs.
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
