//! How handlers get at a request: the caller, ids in the path, the query, the body. Every failure is a
//! problem that names the place.

use std::sync::Arc;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use hyper::body::Body as _;
use serde::de::DeserializeOwned;
use tessera_core::access::Operation;
use tessera_core::id::{
    BookingId, CheckInId, CommentId, EventId, InstallationId, IssueId, KeyId, LockId, PoolId, ProjectId,
    ReservationId, SeriesId, TicketId, TicketTypeId, UserId, VenueId,
};
use tessera_core::plugin::Digest;
use tessera_core::tracker::Relation;
use tessera_core::{Ctx, Error, ErrorKind, Result, Transport};

use crate::request::{Asked, plain, version_of};
use crate::rest::Rest;
use crate::rest::error::Problem;
use crate::rest::front::Trace;
use crate::rest::unread;

/// A part of the path, by the name that it has in the route.
pub trait Segment: Sized + Send {
    /// Its name in the route.
    const NAME: &'static str;
    /// Reads it.
    fn read(text: &str) -> Result<Self>;
}

/// A part of the path.
#[derive(Debug)]
pub struct Id<T>(pub T);

macro_rules! segments {
    ($($type:ty = $name:literal;)*) => {$(
        impl Segment for $type {
            const NAME: &'static str = $name;
            fn read(text: &str) -> Result<Self> {
                Self::parse($name, text)
            }
        }
    )*};
}

segments! {
    UserId = "user_id";
    ProjectId = "project_id";
    IssueId = "issue_id";
    CommentId = "comment_id";
    KeyId = "key_id";
    InstallationId = "installation_id";
    Digest = "digest";
    VenueId = "venue_id";
    SeriesId = "series_id";
    EventId = "event_id";
    TicketTypeId = "ticket_type_id";
    PoolId = "pool_id";
    LockId = "lock_id";
    ReservationId = "reservation_id";
    TicketId = "ticket_id";
    CheckInId = "check_in_id";
    BookingId = "booking_id";
}

/// The tenant that the path names, by id or slug.
#[derive(Debug)]
pub struct TenantName(pub String);

/// The label that the path names.
#[derive(Debug)]
pub struct LabelName(pub String);

/// The user that the path names: an id, or `me`.
#[derive(Debug)]
pub struct UserName(pub String);

/// The other issue of a link.
#[derive(Debug)]
pub struct OtherId(pub IssueId);

impl Segment for TenantName {
    const NAME: &'static str = "tenant";
    fn read(text: &str) -> Result<Self> {
        Ok(Self(text.to_owned()))
    }
}

impl Segment for LabelName {
    const NAME: &'static str = "label";
    fn read(text: &str) -> Result<Self> {
        Ok(Self(text.to_owned()))
    }
}

impl Segment for UserName {
    const NAME: &'static str = "user_id";
    fn read(text: &str) -> Result<Self> {
        Ok(Self(text.to_owned()))
    }
}

impl Segment for OtherId {
    const NAME: &'static str = "other_id";
    fn read(text: &str) -> Result<Self> {
        IssueId::parse("other_id", text).map(Self)
    }
}

impl Segment for Relation {
    const NAME: &'static str = "kind";
    fn read(text: &str) -> Result<Self> {
        relation("kind", text)
    }
}

/// The relation that a client named.
pub fn relation(field: &str, name: &str) -> Result<Relation> {
    Relation::named(name).ok_or_else(|| {
        let names: Vec<_> = Relation::ALL.iter().map(|relation| relation.name()).collect();
        Error::invalid(field, format!("is {name:?}; one of {} is expected", names.join(", ")))
    })
}

impl<T: Segment, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| Error::malformed(T::NAME, "is not UTF-8"))?;
        let found = params.iter().find(|(name, _)| *name == T::NAME);
        let (_, text) = found
            .ok_or_else(|| Error::internal(std::io::Error::other(format!("no {} in the route", T::NAME))))?;
        Ok(Self(T::read(plain(T::NAME, text)?)?))
    }
}

/// The query of a request.
#[derive(Debug)]
pub struct Ask<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let asked = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        asked.map(|query| Self(query.0)).map_err(|_| {
            let parameters = axum::extract::Query::try_from_uri(&parts.uri);
            unread::query::<T>(parameters.map(|query| query.0).unwrap_or_default()).into()
        })
    }
}

/// The JSON body of a request.
#[derive(Debug)]
pub struct Sent<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::with_status(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ErrorKind::Malformed,
                "UNSUPPORTED_MEDIA_TYPE",
                "the body must be JSON: Content-Type: application/json (or application/merge-patch+json for PATCH)",
            ));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                return Error::new(
                    ErrorKind::TooLarge,
                    "TOO_LARGE",
                    "the body is larger than this host takes",
                );
            }
            Error::malformed("body", "did not arrive whole")
        })?;
        read_json(&bytes).map(Self).map_err(Problem::from)
    }
}

/// The JSON body of a request that may have none; then it is what `T` is by default.
#[derive(Debug)]
pub struct MaybeSent<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeSent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !request.headers().contains_key(CONTENT_TYPE) && request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        Sent::from_request(request, state).await.map(|Sent(body)| Self(body))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    is_one_of(headers, &["application/json", "application/merge-patch+json"])
}

fn is_one_of(headers: &HeaderMap, types: &[&str]) -> bool {
    let Some(held) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let media = held.split(';').next().unwrap_or_default().trim();
    types.iter().any(|known| media.eq_ignore_ascii_case(known))
}

/// The component that is the body of a request, as large as the host takes components.
#[derive(Debug)]
pub struct Component(pub Arc<[u8]>);

/// A caller who may upload components: nobody else's body is read.
#[derive(Debug)]
pub struct Uploader(pub Ctx);

impl FromRequestParts<Rest> for Uploader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Problem> {
        let ctx = Ctx::from_request_parts(parts, rest).await?;
        ctx.allow(Operation::ReleaseUpload)?;
        Ok(Self(ctx))
    }
}

impl FromRequest<Rest> for Component {
    type Rejection = Problem;

    async fn from_request(request: Request, rest: &Rest) -> Result<Self, Problem> {
        if !is_one_of(request.headers(), &["application/wasm", "application/octet-stream"]) {
            return Err(Problem::with_status(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ErrorKind::Malformed,
                "UNSUPPORTED_MEDIA_TYPE",
                "the body must be a component: Content-Type: application/wasm (or application/octet-stream)",
            ));
        }
        let most = rest.app.releases.max_component();
        let read = to_bytes(request.into_body(), usize::try_from(most).unwrap_or(usize::MAX)).await;
        let bytes = read.map_err(|error| {
            use std::error::Error as _;
            if error.source().is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>()) {
                let message =
                    format!("the component is larger than {most} bytes, the most that this host takes");
                return Error::new(ErrorKind::TooLarge, "TOO_LARGE", message);
            }
            Error::malformed("body", "did not arrive whole")
        })?;
        Ok(Self(Arc::from(&*bytes)))
    }
}

/// Reads JSON; a fault names its place.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // An array would be taken for an object whose fields stand in their order.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte != b'{') {
        return Err(Error::malformed("body", "must be a JSON object: {…}"));
    }
    serde_json::from_slice(bytes).map_err(|_| unread::body::<T>(bytes))
}

/// A header as text; what is not ASCII becomes text that nothing takes.
fn header(headers: &HeaderMap, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"))
}

/// What a request says about itself.
pub fn asked<'a>(headers: &'a HeaderMap, trace: &Trace) -> Asked<'a> {
    Asked {
        authorization: header(headers, AUTHORIZATION),
        tenant: header(headers, "x-tenant"),
        host: header(headers, HOST),
        idempotency_key: header(headers, "idempotency-key"),
        request_id: trace.request_id(),
        transport: Transport::Rest,
        timeout: None,
    }
}

impl FromRequestParts<Rest> for Ctx {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Problem> {
        let trace = Trace::of(&parts.extensions);
        let ctx = rest.ctx(&asked(&parts.headers, &trace)).await?;
        let ctx = ctx.if_version(header(&parts.headers, IF_MATCH).and_then(version_of));
        trace.learn(&ctx);
        Ok(ctx)
    }
}

/// The caller of what is public, who may have no key. Only handlers of public operations take it.
#[derive(Debug)]
pub struct Public(pub Ctx);

impl FromRequestParts<Rest> for Public {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Problem> {
        let trace = Trace::of(&parts.extensions);
        let mut asked = asked(&parts.headers, &trace);
        // HTTP/2 has the host name in the address.
        asked.host = parts.uri.host().or(asked.host);
        let ctx = rest.public_ctx(&asked).await?;
        trace.learn(&ctx);
        Ok(Self(ctx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::dto::issue_write::CreateIssueBody;

    #[test]
    fn a_body_that_cannot_be_read_names_the_place() {
        for (json, field) in [
            (r#"{"labels":["a",1]}"#, "labels[1]"),
            (r#"{"sumary":"x"}"#, "sumary"),
            (r#"{"summary":"#, "body"),
            ("", "body"),
            ("{", "body"),
            (r#"["s"]"#, "body"),
            ("null", "body"),
            ("[]x", "body"),
            (r#"{"summary":"x"} more"#, "body"),
        ] {
            let error = read_json::<CreateIssueBody>(json.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed);
            assert_eq!(error.faults()[0].field, field, "{json}");
        }
    }

    #[test]
    fn json_is_known_by_its_type() {
        let of = |text: &str| is_json(&[(CONTENT_TYPE, text.parse().unwrap())].into_iter().collect());
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert!(of(good), "{good}");
        }
        for bad in ["", "text/plain", "application/jsonx", "application/x-www-form-urlencoded"] {
            assert!(!of(bad), "{bad}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
