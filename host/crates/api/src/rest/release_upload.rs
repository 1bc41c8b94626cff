//! The upload of a release: the body is the component.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use prost::Name as _;
use tessera_core::access::Operation;
use tessera_core::{Error, ErrorKind, Result};
use tessera_proto::plugin::v1::UploadReleaseResponse;

use crate::convert::release::release;
use crate::rest::error::Problem;
use crate::rest::extract::{Keyed, has_media_type, unsupported_media_type};
use crate::rest::route::{RouteEntry, Shape, special};
use crate::rest::state::Rest;

pub(super) fn route() -> RouteEntry {
    special(Method::POST, "/v1/releases", "release.upload", String::new(), upload)
        .created("/v1/releases/{id}")
        .answers("application/json", Shape::Message(UploadReleaseResponse::full_name()))
        .summary(
            "Uploads a component, checks it, and stores it as a release.\n\nThe body is the component, up to the limit of the \
             host. Uploading the same bytes again returns the existing release.",
        )
}

/// Stores the component. The permission is checked before the body is read.
async fn upload(Keyed(ctx): Keyed, State(rest): State<Rest>, request: Request) -> Result<Response, Problem> {
    ctx.allow(Operation::ReleaseUpload)?;
    let component = read_component(&rest, request).await?;
    let release = release(rest.app.releases.upload(&ctx, component).await?);
    let location = format!("/v1/releases/{}", release.digest);
    let body =
        serde_json::to_vec(&UploadReleaseResponse { release: Some(release) }).map_err(Error::internal)?;
    let headers = [(CONTENT_TYPE, "application/json".to_owned()), (LOCATION, location)];
    Ok((StatusCode::CREATED, headers, body).into_response())
}

async fn read_component(rest: &Rest, request: Request) -> Result<Arc<[u8]>, Problem> {
    if !has_media_type(request.headers(), &["application/wasm", "application/octet-stream"]) {
        return Err(unsupported_media_type(
            "the body must be a component: Content-Type: application/wasm (or application/octet-stream)",
        ));
    }
    let max = rest.app.releases.max_component();
    let read = to_bytes(request.into_body(), usize::try_from(max).unwrap_or(usize::MAX)).await;
    let bytes = read.map_err(|error| {
        use std::error::Error as _;
        if error.source().is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>()) {
            let message = format!("the component is larger than {max} bytes, the limit of this host");
            return Error::new(ErrorKind::TooLarge, "TOO_LARGE", message);
        }
        Error::malformed("body", "ended before it was complete")
    })?;
    Ok(Arc::from(&*bytes))
}
