//! The upload of a release: the body is the component.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use prost::Name as _;
use tessera_core::{Error, ErrorKind, Result};
use tessera_proto::plugin::v1::UploadReleaseResponse;

use crate::convert::release::release;
use crate::rest::error::Problem;
use crate::rest::extract::{Keyed, has_media_type, unsupported_media_type};
use crate::rest::middleware::{Trace, UPLOAD_PATH};
use crate::rest::route::{RouteEntry, Shape, special};
use crate::rest::state::Rest;

/// The most bytes that are read of a component that is too large.
const MAX_DISCARDED: u64 = 64 << 20;

pub(super) fn route() -> RouteEntry {
    special(Method::POST, UPLOAD_PATH, "release.upload", String::new(), upload)
        .created("/v1/releases/{id}")
        .answers("application/json", Shape::Message(UploadReleaseResponse::full_name()))
        .summary(
            "Uploads a component, checks it, and stores it as a release.\n\nThe body is the component, up to the limit of the \
             host. Uploading the same bytes again returns the existing release.",
        )
}

/// Stores the component. The body of a caller who may not upload is not read, and that of one who uploads too many at
/// once is not kept.
async fn upload(Keyed(ctx): Keyed, State(rest): State<Rest>, request: Request) -> Result<Response, Problem> {
    let permit = match rest.app.releases.begin_upload(&ctx) {
        Ok(permit) => permit,
        Err(error) => {
            if error.kind() == ErrorKind::Unavailable {
                discard(request, rest.app.releases.max_component()).await;
            }
            return Err(error.into());
        }
    };
    let component = read_component(&rest, request).await?;
    let release = release(rest.app.releases.upload(&ctx, permit, component).await?);
    let location = format!("/v1/releases/{}", release.digest);
    let body =
        serde_json::to_vec(&UploadReleaseResponse { release: Some(release) }).map_err(Error::internal)?;
    let headers = [(CONTENT_TYPE, "application/json".to_owned()), (LOCATION, location)];
    Ok((StatusCode::CREATED, headers, body).into_response())
}

/// Reads a refused body, at most `most` bytes, without keeping it: over HTTP/1 a client that still sends does not read
/// the refusal.
async fn discard(request: Request, most: u64) {
    Trace::of(request.extensions()).discard_body();
    let (mut body, mut bytes) = (request.into_body(), 0);
    while let Some(Ok(frame)) = body.frame().await
        && bytes <= most
    {
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
}

async fn read_component(rest: &Rest, request: Request) -> Result<Arc<[u8]>, Problem> {
    if !has_media_type(request.headers(), &["application/wasm", "application/octet-stream"]) {
        return Err(unsupported_media_type(
            "the body must be a component: Content-Type: application/wasm (or application/octet-stream)",
        ));
    }
    let max = rest.app.releases.max_component();
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if let Some(length) = length.filter(|length: &u64| *length > max) {
        discard(request, MAX_DISCARDED).await;
        return Err(too_large(&format!("has {length} bytes"), max).into());
    }
    let read = to_bytes(request.into_body(), usize::try_from(max).unwrap_or(usize::MAX)).await;
    let bytes = read.map_err(|error| {
        use std::error::Error as _;
        if error.source().is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>()) {
            return too_large(&format!("has more than {max} bytes"), max);
        }
        Error::malformed("body", "ended before it was complete")
    })?;
    Ok(Arc::from(&*bytes))
}

fn too_large(what: &str, max: u64) -> Error {
    let message = format!("the component {what}; at most {max} are allowed by TESSERA_PLUGIN_MAX_BYTES");
    Error::new(ErrorKind::TooLarge, "TOO_LARGE", message)
}
