//! Extractors of the caller and the body. A failure is a problem that names the header or field.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest as _, FromRequestParts, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use hyper::body::Body as _;
use tessera_core::{Ctx, Error, ErrorKind, Result, Transport};

use crate::rest::error::Problem;
use crate::rest::middleware::Trace;
use crate::rest::state::Rest;
use crate::state::{AuthMode, RequestHead, accepted_versions};

/// Returns the context of a request, with the versions that `If-Match` accepts.
pub(super) async fn context(rest: &Rest, parts: &Parts, auth: AuthMode) -> Result<Ctx> {
    let trace = Trace::of(&parts.extensions);
    let mut head = request_head(&parts.headers, &trace);
    // HTTP/2 has the host name in the address.
    head.host = parts.uri.host().or(head.host);
    let ctx = rest.context(auth, &head).await?;
    let tags: Vec<_> = parts.headers.get_all(IF_MATCH).iter().map(text).collect();
    let ctx = ctx.if_version(accepted_versions(&tags.join(",")));
    trace.admit(&ctx)?;
    Ok(ctx)
}

/// Reads the JSON body of a request; `None` if there is none and it may be empty.
pub(super) async fn read_body(request: Request<Body>, may_be_empty: bool) -> Result<Option<Bytes>, Problem> {
    if may_be_empty && request.body().is_end_stream() {
        return Ok(None);
    }
    if !has_media_type(request.headers(), &["application/json", "application/merge-patch+json"]) {
        return Err(unsupported_media_type(
            "the body must be JSON: Content-Type: application/json (or application/merge-patch+json for PATCH)",
        ));
    }
    let bytes = Bytes::from_request(request, &()).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Error::new(ErrorKind::TooLarge, "TOO_LARGE", "the body exceeds the limit of this host");
        }
        Error::malformed("body", "ended before it was complete")
    })?;
    Ok(Some(bytes))
}

/// Returns the problem of a body of another media type.
pub(super) fn unsupported_media_type(message: &str) -> Problem {
    let (status, kind) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorKind::Malformed);
    Problem::with_status(status, kind, "UNSUPPORTED_MEDIA_TYPE", message)
}

/// Whether the body has one of the media types.
pub(super) fn has_media_type(headers: &HeaderMap, types: &[&str]) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let media_type = value.split(';').next().unwrap_or_default().trim();
    types.iter().any(|name| media_type.eq_ignore_ascii_case(name))
}

/// Returns the first header of a name as text; a value that is not ASCII becomes text that every parser refuses.
fn header(headers: &HeaderMap, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
    headers.get(name).map(text)
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("\u{fffd}")
}

/// Returns the headers that identify the caller.
pub(super) fn request_head<'a>(headers: &'a HeaderMap, trace: &Trace) -> RequestHead<'a> {
    RequestHead {
        address: trace.address(),
        authorization: header(headers, AUTHORIZATION),
        tenant: header(headers, "x-tenant"),
        host: header(headers, HOST),
        idempotency_key: header(headers, "idempotency-key"),
        request_id: trace.request_id(),
        transport: Transport::Rest,
        timeout: None,
        is_upload: trace.is_upload(),
    }
}

/// The caller of a handler that requires a key.
#[derive(Debug)]
pub(super) struct Keyed(pub(super) Ctx);

/// The caller of a public handler; a key is optional.
#[derive(Debug)]
pub(super) struct Public(pub(super) Ctx);

impl FromRequestParts<Rest> for Keyed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Problem> {
        Ok(Self(context(rest, parts, AuthMode::Keyed).await?))
    }
}

impl FromRequestParts<Rest> for Public {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Problem> {
        Ok(Self(context(rest, parts, AuthMode::Public).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_content_types_are_recognised() {
        let types = ["application/json", "application/merge-patch+json"];
        let of = |text: &str| {
            has_media_type(&[(CONTENT_TYPE, text.parse().unwrap())].into_iter().collect(), &types)
        };
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert!(of(good), "{good}");
        }
        for bad in ["", "text/plain", "application/jsonx", "application/x-www-form-urlencoded"] {
            assert!(!of(bad), "{bad}");
        }
        assert!(!has_media_type(&HeaderMap::new(), &types));
    }
}
