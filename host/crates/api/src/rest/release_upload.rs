//! The upload of a component: the body is the component itself.

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
use crate::rest::extract::{Keyed, is_one_of, unsupported};
use crate::rest::route::{Mounted, Shape, special};
use crate::rest::state::Rest;

pub(super) fn route() -> Mounted {
    special(Method::POST, "/v1/releases", "release.upload", String::new(), upload)
        .created("/v1/releases/{id}")
        .answers("application/json", Shape::Message(UploadReleaseResponse::full_name()))
        .summary(
            "Uploads a component, checks all that could fail later, and keeps it.\n\nThe body is the component itself, \
             as large as the host takes components. The same bytes again are the release that is there.",
        )
}

/// Stores the component. The body of a caller who may not upload is not read.
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
    if !is_one_of(request.headers(), &["application/wasm", "application/octet-stream"]) {
        return Err(unsupported(
            "the body must be a component: Content-Type: application/wasm (or application/octet-stream)",
        ));
    }
    let max = rest.app.releases.max_component();
    let read = to_bytes(request.into_body(), usize::try_from(max).unwrap_or(usize::MAX)).await;
    let bytes = read.map_err(|error| {
        use std::error::Error as _;
        if error.source().is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>()) {
            let message = format!("the component is larger than {max} bytes, the most that this host takes");
            return Error::new(ErrorKind::TooLarge, "TOO_LARGE", message);
        }
        Error::malformed("body", "did not arrive whole")
    })?;
    Ok(Arc::from(&*bytes))
}
