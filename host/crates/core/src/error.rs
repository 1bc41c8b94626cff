//! The error of the domain. Each transport maps it to a status at the very end.
//!
//! The parts for clients (`reason`, `message`, `violations`) are separate from the part for the log (`cause`).

use std::backtrace::Backtrace;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::bounded_text::{BoundedText, cut};

/// The most bytes of an error's message: it may repeat what a client or a plugin sent.
pub const MAX_MESSAGE: usize = 4_096;

/// The most bytes of the field and the code of a violation.
const MAX_NAME: usize = 1_024;

/// The most violations of an error, and their most bytes in all.
pub(crate) const MAX_VIOLATIONS: usize = 1_000;
const MAX_VIOLATIONS_BYTES: usize = 64 << 10;

/// The result of operations of the domain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an error, which determines the status code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorKind {
    /// The caller is not authenticated.
    Unauthenticated,
    /// The principal lacks a role.
    PermissionDenied,
    /// The object does not exist, or the principal may not see it.
    NotFound,
    /// The request cannot be decoded.
    Malformed,
    /// A value of the request is not allowed.
    Invalid,
    /// An object with this identity exists already.
    Exists,
    /// The state of an object does not allow the operation.
    Precondition,
    /// A plugin of the tenant refuses the request.
    Refused,
    /// A required call of a plugin failed.
    PluginFailed,
    /// The object is no longer available, permanently.
    Gone,
    /// The object does not have the version that the caller requires.
    PreconditionFailed,
    /// Concurrent changes prevented the operation.
    Conflict,
    /// More bytes or entries than allowed.
    TooLarge,
    /// More requests than allowed.
    RateLimited,
    /// A service is unavailable; the same request may succeed later.
    Unavailable,
    /// The deadline of the request has passed.
    DeadlineExceeded,
    /// An internal error.
    Internal,
}

/// One fault of a request, with its field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The field's path, as the client wrote it.
    pub field: String,
    /// A stable code, for programs.
    pub code: Cow<'static, str>,
    /// A message for people: what is wrong, and what is allowed.
    pub message: String,
    /// The plugin that reported it; `None` for Tessera itself.
    pub plugin: Option<String>,
}

/// An error of the domain.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    reason: Cow<'static, str>,
    message: String,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    cause: Option<anyhow::Error>,
    backtrace: Option<Backtrace>,
}

impl Error {
    /// Creates an error with a stable reason and a message for the client.
    pub fn new(kind: ErrorKind, reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            reason: reason.into(),
            message: bounded(message.into(), MAX_MESSAGE),
            violations: Vec::new(),
            retry_after: None,
            cause: None,
            backtrace: None,
        }))
    }

    /// Creates an error about a field. The message continues after the field's name.
    pub fn invalid(field: &str, message: impl fmt::Display) -> Self {
        Self::violations(vec![Violation::new(field, message)])
    }

    /// Creates an error of several faults.
    #[must_use]
    pub fn violations(mut violations: Vec<Violation>) -> Self {
        bound(&mut violations);
        let mut error = Self::new(ErrorKind::Invalid, "INVALID_ARGUMENT", summary(&violations));
        error.0.violations = violations;
        error
    }

    /// Creates an error about a field that cannot be decoded.
    pub fn malformed(field: &str, message: impl fmt::Display) -> Self {
        let mut error = Self::invalid(field, message);
        error.0.kind = ErrorKind::Malformed;
        error
    }

    /// Creates an error about an object that does not exist, or that the principal may not see.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        let reason = format!("{}_NOT_FOUND", what.to_uppercase().replace([' ', '-'], "_"));
        Self::new(ErrorKind::NotFound, reason, format!("no such {what}"))
    }

    /// Creates an error about an object that exists already.
    #[must_use]
    pub fn exists(what: &str, message: impl Into<String>) -> Self {
        let reason = format!("{}_EXISTS", what.to_uppercase().replace([' ', '-'], "_"));
        Self::new(ErrorKind::Exists, reason, message)
    }

    /// Creates an error of plugins' refusals. The code of the first one is the reason.
    #[must_use]
    pub fn refused(violations: Vec<Violation>) -> Self {
        let reason = violations.first().map_or("PLUGIN_REFUSED".into(), |first| first.code.clone());
        let mut error = Self::violations(violations);
        error.0.kind = ErrorKind::Refused;
        error.0.reason = reason;
        error
    }

    /// Creates an error about a missing role.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::PermissionDenied, "PERMISSION_DENIED", message)
    }

    /// Creates an error about missing or wrong credentials. The message must not reveal which part was wrong.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unauthenticated, "UNAUTHENTICATED", message)
    }

    /// Creates the error of a decision that was made from outdated rows. The command is decided again.
    #[must_use]
    pub fn stale() -> Self {
        Self::new(ErrorKind::Conflict, "VERSION_MISMATCH", "it was changed at the same time; try again")
    }

    /// Creates the error of a required version that is not the present one.
    #[must_use]
    pub fn version_mismatch() -> Self {
        let message = "it was changed since the version that the request names; read it again";
        Self::new(ErrorKind::PreconditionFailed, "VERSION_MISMATCH", message)
    }

    /// Creates an error about an unavailable or overloaded service, to be retried after a while.
    pub fn unavailable(message: impl Into<String>, after: Duration) -> Self {
        let mut error = Self::new(ErrorKind::Unavailable, "UNAVAILABLE", message);
        error.0.retry_after = Some(after);
        error
    }

    /// Creates an error about more requests than allowed, to be retried after a while.
    pub fn rate_limited(reason: &'static str, message: impl Into<String>, after: Duration) -> Self {
        let mut error = Self::new(ErrorKind::RateLimited, reason, message);
        error.0.retry_after = Some(after);
        error
    }

    /// Creates the error of a deadline that passed before the work began.
    #[must_use]
    pub fn deadline() -> Self {
        Self::new(
            ErrorKind::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            "the deadline passed; nothing was changed",
        )
    }

    /// Creates an internal error. Its cause and backtrace go to the log.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        let message = "an internal error; the log has it under the request id";
        let mut error = Self::new(ErrorKind::Internal, "INTERNAL", message).caused_by(cause);
        error.0.backtrace = Some(Backtrace::force_capture());
        error
    }

    /// Attaches a cause for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Replaces the stable reason.
    #[must_use]
    pub fn with_reason(mut self, reason: &'static str) -> Self {
        self.0.reason = reason.into();
        self
    }

    /// Turns the error into the fault of a field. The message continues after the field's name.
    #[must_use]
    pub fn at(mut self, field: &str, message: impl fmt::Display) -> Self {
        let fault = Violation { code: self.0.reason.clone(), ..Violation::new(field, message) };
        self.0.violations = vec![fault];
        self.0.message = summary(&self.0.violations);
        self
    }

    /// Renames fields; a field for which `name` returns `None` keeps its name.
    #[must_use]
    pub fn renamed(mut self, name: impl Fn(&str) -> Option<String>) -> Self {
        let is_summary = self.0.message == summary(&self.0.violations);
        for fault in &mut self.0.violations {
            if let Some(name) = name(&fault.field) {
                fault.field = name;
            }
        }
        if is_summary {
            self.0.message = summary(&self.0.violations);
        }
        self
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the stable reason, for programs.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Returns the message for the client.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the faults of the request.
    #[must_use]
    pub fn faults(&self) -> &[Violation] {
        &self.0.violations
    }

    /// Returns the time after which a retry makes sense, if any.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the cause, which is only for the log.
    #[must_use]
    pub fn cause(&self) -> Option<&anyhow::Error> {
        self.0.cause.as_ref()
    }

    /// Returns where an internal error was created, which is only for the log.
    #[must_use]
    pub fn backtrace(&self) -> Option<&Backtrace> {
        self.0.backtrace.as_ref()
    }

    /// Returns whether the command should be decided again.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.0.kind == ErrorKind::Conflict && self.0.reason == "VERSION_MISMATCH"
    }
}

fn bounded(mut text: String, max: usize) -> String {
    cut(&mut text, max);
    text
}

/// Drops the violations beyond the limits.
fn bound(violations: &mut Vec<Violation>) {
    violations.truncate(MAX_VIOLATIONS);
    let mut bytes = 0;
    violations.retain(|violation| {
        bytes += violation.field.len() + violation.code.len() + violation.message.len();
        bytes <= MAX_VIOLATIONS_BYTES
    });
}

fn summary(violations: &[Violation]) -> String {
    let summary = match violations {
        [] => "the request is not valid".to_owned(),
        [one] => one.sentence(),
        [first, rest @ ..] => format!("{} (and {} more)", first.sentence(), rest.len()),
    };
    bounded(summary, MAX_MESSAGE)
}

impl Violation {
    /// Creates the fault of a field. The message continues after the field's name.
    pub fn new(field: &str, message: impl fmt::Display) -> Self {
        Self {
            field: BoundedText::of(field, MAX_NAME),
            code: "INVALID_ARGUMENT".into(),
            message: BoundedText::of(message, MAX_MESSAGE),
            plugin: None,
        }
    }

    /// Creates a plugin's violation.
    #[must_use]
    pub fn of_plugin(plugin: String, field: String, code: String, message: String) -> Self {
        Self {
            field: bounded(field, MAX_NAME),
            code: bounded(code, MAX_NAME).into(),
            message: bounded(message, MAX_MESSAGE),
            plugin: Some(plugin),
        }
    }

    /// Returns the fault as a sentence that begins with the field or the plugin.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.plugin {
            Some(plugin) => format!("{plugin}: {}", self.message),
            None => format!("{} {}", self.field, self.message),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.reason, self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {self}", self.0.kind)?;
        for fault in &self.0.violations {
            write!(f, "; {}", fault.sentence())?;
        }
        self.0.cause.as_ref().map_or(Ok(()), |cause| write!(f, "; caused by {cause:?}"))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_repeat_a_bounded_part_of_what_was_sent() {
        let long = "x".repeat(1 << 20);
        assert_eq!(Error::new(ErrorKind::Invalid, "X", long.clone()).message().len(), MAX_MESSAGE);
        let error = Error::violations(vec![Violation::new(&long, &long); 500]);
        assert!(error.message().len() <= MAX_MESSAGE);
        let bytes: usize = error.faults().iter().map(|fault| fault.field.len() + fault.message.len()).sum();
        assert!(!error.faults().is_empty() && bytes <= MAX_VIOLATIONS_BYTES, "{bytes}");
        let refusal = Violation::of_plugin("p".into(), long.clone(), long.clone(), long);
        let error = Error::refused(vec![refusal]);
        assert!(error.message().len() <= MAX_MESSAGE && error.reason().len() <= MAX_NAME);
    }

    #[test]
    fn internal_error_hides_its_cause_from_the_client() {
        let error = Error::internal(std::io::Error::other("the disk is on fire"));
        assert!(!error.message().contains("fire"));
        assert!(format!("{:?}", error.cause().unwrap()).contains("fire"));
        assert_eq!(error.backtrace().unwrap().status(), std::backtrace::BacktraceStatus::Captured);
        assert!(Error::not_found("issue").backtrace().is_none());
    }
}
