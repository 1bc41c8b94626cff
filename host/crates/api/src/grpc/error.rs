//! Errors over gRPC: the domain's error as a `google.rpc.Status` with details.

use std::collections::HashMap;
use std::time::Duration;

use tessera_core::bounded_text::BoundedText;
use tessera_core::{Error, ErrorKind, Violation};
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Response};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// The domain in `ErrorInfo`.
const DOMAIN: &str = "tessera";

/// The retry delay of errors that have none.
const DEFAULT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// The most bytes of the message in a status, which is there twice, and of its violations in all. A status is sent as
/// headers, and clients refuse headers of more than 8 or 16 KiB.
const MAX_MESSAGE: usize = 1_024;
const MAX_VIOLATIONS: usize = 3_072;

/// The most bytes of a violation's field and of its reason.
const MAX_NAME: usize = 200;

/// Returns the code of an error kind.
#[must_use]
pub fn code_of(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::PermissionDenied => Code::PermissionDenied,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Malformed | ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::Exists => Code::AlreadyExists,
        ErrorKind::Precondition | ErrorKind::Gone | ErrorKind::Refused | ErrorKind::PluginFailed => {
            Code::FailedPrecondition
        }
        ErrorKind::PreconditionFailed | ErrorKind::Conflict => Code::Aborted,
        ErrorKind::TooLarge | ErrorKind::RateLimited => Code::ResourceExhausted,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorKind::Internal => Code::Internal,
    }
}

/// Converts an error to the status for the client. The cause of an internal error is logged and not sent.
#[must_use]
pub fn status_of(error: &Error, request_id: &str) -> Status {
    if error.kind() == ErrorKind::Internal {
        let backtrace = error.backtrace().map(tracing::field::display);
        tracing::error!(request_id, cause = ?error.cause(), backtrace, "request failed with an internal error");
    }
    let reason = BoundedText::of(error.reason(), MAX_NAME);
    let mut details = info(&reason, request_id);
    let message = BoundedText::of(error.message(), MAX_MESSAGE);
    let violations = violations(error.faults());
    if !violations.is_empty() {
        details.set_bad_request(violations);
    }
    match error.kind() {
        ErrorKind::Precondition | ErrorKind::Gone | ErrorKind::PluginFailed => {
            details.add_precondition_failure_violation(reason, "", message.as_str());
        }
        ErrorKind::Unavailable | ErrorKind::RateLimited => {
            details.set_retry_info(Some(error.retry_after().unwrap_or(DEFAULT_RETRY_DELAY)));
        }
        ErrorKind::Unauthenticated
        | ErrorKind::PermissionDenied
        | ErrorKind::NotFound
        | ErrorKind::Malformed
        | ErrorKind::Invalid
        | ErrorKind::Refused
        | ErrorKind::Exists
        | ErrorKind::PreconditionFailed
        | ErrorKind::Conflict
        | ErrorKind::TooLarge
        | ErrorKind::DeadlineExceeded
        | ErrorKind::Internal => {}
    }
    Status::with_error_details(code_of(error.kind()), message, details)
}

/// Returns the status of an unknown method.
#[must_use]
pub fn unknown_method(request_id: &str) -> Status {
    let message = "unknown method; the reflection service lists all methods";
    Status::with_error_details(Code::Unimplemented, message, info("METHOD_NOT_FOUND", request_id))
}

/// Adds error details to a status of the framework; a status with details is returned unchanged.
#[must_use]
pub fn with_error_details(status: Status, request_id: &str) -> Status {
    if !status.details().is_empty() {
        return status;
    }
    let message = status.message();
    let is_response = message.starts_with("Error encoding") || message.starts_with("Error compressing");
    match status.code() {
        // Before a handler is reached, the framework reports an unreadable message as internal.
        Code::Internal if !is_response => {
            status_of(&Error::malformed("message", format!("cannot be read: {message}")), request_id)
        }
        Code::Internal => status_of(&Error::internal(std::io::Error::other(message.to_owned())), request_id),
        Code::OutOfRange => {
            let message = format!(
                "{message}, set by GRPC_MAX_RECEIVE_MESSAGE_LENGTH, and for uploads by TESSERA_PLUGIN_MAX_BYTES"
            );
            status_of(&Error::new(ErrorKind::TooLarge, "TOO_LARGE", message), request_id)
        }
        Code::Unimplemented if message.is_empty() => unknown_method(request_id),
        code => Status::with_error_details(code, message, info(code_name(code), request_id)),
    }
}

/// Converts the status of an unreadable stream message to an error.
#[must_use]
pub fn unreadable_message(status: &Status) -> Error {
    match status.code() {
        Code::OutOfRange => Error::new(ErrorKind::TooLarge, "TOO_LARGE", status.message()),
        _ => Error::malformed("message", format!("cannot be read: {}", status.message())),
    }
}

/// Adds error details to a response that the framework refused without them.
#[must_use]
pub fn ensure_error_details(response: Response<Body>, request_id: &str) -> Response<Body> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok && status.details().is_empty() => {
            with_error_details(status, request_id).into_http()
        }
        Some(_) | None => response,
    }
}

/// Returns the code in headers or trailers, if there is one.
#[must_use]
pub fn grpc_status(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes()))
}

/// Returns the name of a code, for example `NOT_FOUND`.
#[must_use]
pub const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

fn info(reason: &str, request_id: &str) -> ErrorDetails {
    let metadata = HashMap::from([("request_id".to_owned(), request_id.to_owned())]);
    ErrorDetails::with_error_info(reason, DOMAIN, metadata)
}

/// The violations that fit a status; the last one says how many do not.
fn violations(faults: &[Violation]) -> Vec<FieldViolation> {
    let mut room = MAX_VIOLATIONS;
    let mut violations = Vec::new();
    for fault in faults {
        let violation = violation(fault);
        let size = violation.field.len() + violation.reason.len() + violation.description.len();
        let Some(left) = room.checked_sub(size) else { break };
        room = left;
        violations.push(violation);
    }
    if violations.len() < faults.len() {
        let more = faults.len() - violations.len();
        violations.push(FieldViolation::new("", format!("{more} more; REST answers list them")));
    }
    violations
}

fn violation(fault: &Violation) -> FieldViolation {
    let description = match &fault.plugin {
        Some(plugin) => format!("{plugin}: {}", fault.message),
        None => fault.message.clone(),
    };
    let field = BoundedText::of(&fault.field, MAX_NAME);
    let mut violation = FieldViolation::new(field, BoundedText::of(description, MAX_MESSAGE));
    violation.reason = BoundedText::of(&fault.code, MAX_NAME);
    violation
}

#[cfg(test)]
mod tests {
    use tonic::codegen::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn every_error_kind_has_its_code() {
        for (kind, code) in [
            (ErrorKind::Unauthenticated, Code::Unauthenticated),
            (ErrorKind::PermissionDenied, Code::PermissionDenied),
            (ErrorKind::NotFound, Code::NotFound),
            (ErrorKind::Malformed, Code::InvalidArgument),
            (ErrorKind::Invalid, Code::InvalidArgument),
            (ErrorKind::Exists, Code::AlreadyExists),
            (ErrorKind::Precondition, Code::FailedPrecondition),
            (ErrorKind::Refused, Code::FailedPrecondition),
            (ErrorKind::PluginFailed, Code::FailedPrecondition),
            (ErrorKind::Gone, Code::FailedPrecondition),
            (ErrorKind::PreconditionFailed, Code::Aborted),
            (ErrorKind::Conflict, Code::Aborted),
            (ErrorKind::TooLarge, Code::ResourceExhausted),
            (ErrorKind::RateLimited, Code::ResourceExhausted),
            (ErrorKind::Unavailable, Code::Unavailable),
            (ErrorKind::DeadlineExceeded, Code::DeadlineExceeded),
            (ErrorKind::Internal, Code::Internal),
        ] {
            let status = status_of(&Error::new(kind, "REASON", "words"), "r-1");
            assert_eq!(status.code(), code);
            let info = status.get_details_error_info().unwrap();
            assert_eq!((info.reason.as_str(), info.domain.as_str()), ("REASON", "tessera"));
            assert_eq!(info.metadata["request_id"], "r-1");
        }
    }

    #[test]
    fn details_have_violations_and_retry_delay() {
        let faults = vec![Violation::new("name", "is empty"), Violation::new("email", "is none")];
        let bad = status_of(&Error::violations(faults), "r").get_details_bad_request().unwrap();
        let fields: Vec<_> =
            bad.field_violations.iter().map(|v| (v.field.as_str(), v.reason.as_str())).collect();
        assert_eq!(fields, [("name", "INVALID_ARGUMENT"), ("email", "INVALID_ARGUMENT")]);
        let unavailable = status_of(&Error::unavailable("unavailable", Duration::from_secs(7)), "r");
        assert_eq!(unavailable.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(7)));
        let precondition =
            status_of(&Error::new(ErrorKind::Precondition, "TRANSITION_NOT_ALLOWED", "no"), "r");
        let failure = precondition.get_details_precondition_failure().unwrap();
        assert_eq!(failure.violations[0].r#type, "TRANSITION_NOT_ALLOWED");
    }

    #[test]
    fn status_fits_the_headers_that_clients_accept() {
        let long = "x".repeat(100_000);
        let mut one = Violation::new(&long, &long);
        one.code = long.clone().into();
        let many = Error::violations(vec![Violation::new("name", "y".repeat(300)); 200]);
        for error in
            [Error::new(ErrorKind::Precondition, long.clone(), long), Error::refused(vec![one]), many]
        {
            let response = status_of(&error, "r").into_http::<Body>();
            let size = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 32;
            let size: usize = response.headers().iter().map(size).sum();
            assert!(size < 8 << 10, "{size}");
        }
        let faults = vec![Violation::new("name", "y".repeat(300)); 200];
        let bad = status_of(&Error::violations(faults), "r").get_details_bad_request().unwrap();
        let (last, shown) = bad.field_violations.split_last().unwrap();
        let more: usize = last.description.split(' ').next().unwrap().parse().unwrap();
        assert_eq!((shown.len() + more, last.field.as_str()), (200, ""));
    }

    #[test]
    fn plugin_refusal_has_the_plugin_name_as_prefix() {
        let fault = Violation {
            code: "MISSING".into(),
            plugin: Some("required-fields".to_owned()),
            ..Violation::new("description", "is missing")
        };
        let status = status_of(&Error::refused(vec![fault]), "r");
        assert_eq!(status.code(), Code::FailedPrecondition);
        let bad = status.get_details_bad_request().unwrap();
        let violation = &bad.field_violations[0];
        assert_eq!((violation.field.as_str(), violation.reason.as_str()), ("description", "MISSING"));
        assert_eq!(violation.description, "required-fields: is missing");
    }

    #[test]
    fn internal_cause_is_not_sent_to_the_client() {
        let status = status_of(&Error::internal(std::io::Error::other("password of the store")), "r");
        assert!(!format!("{status:?}").contains("password"));
        assert!(!String::from_utf8_lossy(status.details()).contains("password"));
    }

    #[test]
    fn framework_errors_get_error_info() {
        let reason = |status: Status| {
            let status = with_error_details(status, "r");
            (status.code(), status.get_details_error_info().unwrap().reason)
        };
        for (status, code, expected) in [
            (Status::internal("failed to decode"), Code::InvalidArgument, "INVALID_ARGUMENT"),
            (Status::internal("Error encoding: x"), Code::Internal, "INTERNAL"),
            (Status::out_of_range("too long"), Code::ResourceExhausted, "TOO_LARGE"),
            (Status::unimplemented(""), Code::Unimplemented, "METHOD_NOT_FOUND"),
            (Status::unimplemented("compressed"), Code::Unimplemented, "UNIMPLEMENTED"),
            (Status::not_found("no such service"), Code::NotFound, "NOT_FOUND"),
        ] {
            assert_eq!(reason(status), (code, expected.to_owned()));
        }
        let detailed = status_of(&Error::not_found("issue"), "r");
        assert_eq!(with_error_details(detailed.clone(), "other").details(), detailed.details());
    }
}
