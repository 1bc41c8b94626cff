//! Errors over REST: the domain's error as a problem (RFC 9457).

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tessera_core::{Error, ErrorKind, Violation};
use utoipa::ToSchema;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A problem (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Always `about:blank`; `code` identifies the problem.
    #[serde(rename = "type")]
    pub problem_type: &'static str,
    /// The name of the HTTP status.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, as text for people.
    pub detail: String,
    /// The path of the request.
    pub instance: String,
    /// A stable code for programs, for example `ISSUE_NOT_FOUND`.
    pub code: String,
    /// The request id, as in the logs.
    pub request_id: String,
    /// The faults of the request.
    pub violations: Vec<ViolationBody>,
}

/// A fault of a request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Violation)]
pub struct ViolationBody {
    /// The path of the field; empty if no single field is at fault.
    pub field: String,
    /// A stable code for programs.
    pub code: String,
    /// The fault as text for people, to be read after the name of the field or of the plugin.
    pub message: String,
    /// The plugin that reported the fault; absent if Tessera did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
}

impl From<&Violation> for ViolationBody {
    fn from(fault: &Violation) -> Self {
        let Violation { field, code, message, plugin } = fault.clone();
        Self { field, code: code.into_owned(), message, plugin }
    }
}

/// An error response. The middleware renders it, because it knows the request id and the path.
#[derive(Debug)]
pub struct Problem {
    /// The error.
    pub error: Error,
    status: StatusCode,
    headers: HeaderMap,
}

impl Problem {
    /// Creates a problem with a status that no error kind has.
    #[must_use]
    pub fn with_status(status: StatusCode, kind: ErrorKind, reason: &'static str, message: &str) -> Self {
        Self { error: Error::new(kind, reason, message), status, headers: HeaderMap::new() }
    }

    /// Converts a status of the framework to a problem.
    #[must_use]
    pub fn of_status(status: StatusCode, headers: &HeaderMap) -> Self {
        let title = status.canonical_reason().unwrap_or("the request failed");
        let kind = if status.is_server_error() { ErrorKind::Internal } else { ErrorKind::Malformed };
        let reason = match status {
            StatusCode::NOT_FOUND => "NOT_FOUND",
            StatusCode::METHOD_NOT_ALLOWED => "METHOD_NOT_ALLOWED",
            StatusCode::PAYLOAD_TOO_LARGE => "TOO_LARGE",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "UNSUPPORTED_MEDIA_TYPE",
            StatusCode::UPGRADE_REQUIRED => "UPGRADE_REQUIRED",
            _ if status.is_server_error() => "INTERNAL",
            _ => "INVALID_ARGUMENT",
        };
        let message = match status {
            StatusCode::METHOD_NOT_ALLOWED => {
                "the path does not support this method; Allow lists the supported methods"
            }
            _ => title,
        };
        let mut problem = Self::with_status(status, kind, reason, message);
        problem.headers.extend(headers.get(ALLOW).map(|allow| (ALLOW, allow.clone())));
        problem
    }

    /// Returns the problem of an unknown path.
    #[must_use]
    pub fn no_route() -> Self {
        Self::with_status(
            StatusCode::NOT_FOUND,
            ErrorKind::NotFound,
            "ROUTE_NOT_FOUND",
            "unknown path; /openapi.json lists all paths",
        )
    }

    /// Renders the problem as a response.
    #[must_use]
    pub fn render(&self, request_id: &str, instance: &str) -> Response {
        let error = &self.error;
        let body = ProblemBody {
            problem_type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: error.message().to_owned(),
            instance: instance.to_owned(),
            code: error.reason().to_owned(),
            request_id: request_id.to_owned(),
            violations: error.faults().iter().map(Into::into).collect(),
        };
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
    }
}

/// Returns the HTTP status of an error kind.
#[must_use]
pub fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Malformed => StatusCode::BAD_REQUEST,
        ErrorKind::Invalid | ErrorKind::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::PluginFailed => StatusCode::FAILED_DEPENDENCY,
        ErrorKind::Exists | ErrorKind::Precondition | ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Gone => StatusCode::GONE,
        ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let mut headers = HeaderMap::new();
        let is_retryable = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::RateLimited);
        if let Some(after) =
            error.retry_after().or_else(|| is_retryable.then(|| std::time::Duration::from_secs(1)))
        {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, seconds.max(1).into());
        }
        if error.kind() == ErrorKind::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Self { status: status_of(error.kind()), error, headers }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rendered(error: Error) -> (StatusCode, HeaderMap) {
        let response = Problem::from(error).render("r", "/v1/x");
        (response.status(), response.headers().clone())
    }

    #[test]
    fn every_error_kind_has_its_status() {
        for (kind, status) in [
            (ErrorKind::Unauthenticated, 401),
            (ErrorKind::PermissionDenied, 403),
            (ErrorKind::NotFound, 404),
            (ErrorKind::Malformed, 400),
            (ErrorKind::Invalid, 422),
            (ErrorKind::Refused, 422),
            (ErrorKind::PluginFailed, 424),
            (ErrorKind::Exists, 409),
            (ErrorKind::Precondition, 409),
            (ErrorKind::Conflict, 409),
            (ErrorKind::Gone, 410),
            (ErrorKind::PreconditionFailed, 412),
            (ErrorKind::TooLarge, 413),
            (ErrorKind::RateLimited, 429),
            (ErrorKind::Unavailable, 503),
            (ErrorKind::DeadlineExceeded, 504),
            (ErrorKind::Internal, 500),
        ] {
            let (code, headers) = rendered(Error::new(kind, "X", "x"));
            assert_eq!(code.as_u16(), status);
            assert_eq!(headers.get(CONTENT_TYPE).unwrap(), PROBLEM_JSON);
        }
    }

    #[test]
    fn errors_have_retry_and_authenticate_headers() {
        let (_, headers) = rendered(Error::unavailable("unavailable", Duration::from_millis(1_200)));
        assert_eq!(headers.get(RETRY_AFTER).unwrap(), "2");
        let (_, headers) = rendered(Error::unauthenticated("no key"));
        assert_eq!(headers.get(WWW_AUTHENTICATE).unwrap(), "Bearer");
    }

    #[tokio::test]
    async fn internal_cause_is_not_sent_to_the_client() {
        let error = Error::internal(std::io::Error::other("password of the store"));
        let response = Problem::from(error).render("r-1", "/v1/x");
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(body["code"], "INTERNAL");
        assert_eq!(body["request_id"], "r-1");
        assert!(!body.to_string().contains("password"));
    }
}
