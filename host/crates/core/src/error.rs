//! The one error of the domain. Each transport maps it once, last of all.
//!
//! What a client may read (`reason`, `message`, `violations`) and what only the log may say (`cause`)
//! are separate.

use std::backtrace::Backtrace;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// The result of everything in the domain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for whoever has to choose a status code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorKind {
    /// Nobody that we know asks.
    Unauthenticated,
    /// The principal may see it, but may not do this.
    PermissionDenied,
    /// It does not exist, or not for this principal.
    NotFound,
    /// The request cannot be read.
    Malformed,
    /// The request can be read, and breaks a rule.
    Invalid,
    /// Something with that identity exists already.
    Exists,
    /// The object's state does not allow it.
    Precondition,
    /// A plugin of the tenant refuses it.
    Refused,
    /// A plugin that must be asked failed.
    PluginFailed,
    /// What was asked about is over, for good.
    Gone,
    /// Somebody else changed it, and the caller had named a version.
    PreconditionFailed,
    /// Somebody else changes it all the time, or right now.
    Conflict,
    /// More bytes or entries than are taken.
    TooLarge,
    /// More requests than are taken.
    RateLimited,
    /// A part is away; the same request may succeed later.
    Unavailable,
    /// The caller's deadline passed.
    DeadlineExceeded,
    /// Our fault.
    Internal,
}

/// One fault of a request, and where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The field's path, as the client wrote it.
    pub field: String,
    /// Stable, for programs.
    pub code: Cow<'static, str>,
    /// For a person: the value's fault and what would be right.
    pub message: String,
    /// The plugin that found it; none: Tessera itself.
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
    /// An error of `kind` with a stable `reason` and a message for the client.
    pub fn new(kind: ErrorKind, reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            reason: reason.into(),
            message: message.into(),
            violations: Vec::new(),
            retry_after: None,
            cause: None,
            backtrace: None,
        }))
    }

    /// A field breaks a rule: `message` goes on after the field's name.
    pub fn invalid(field: &str, message: impl fmt::Display) -> Self {
        Self::violations(vec![Violation::new(field, message)])
    }

    /// Several faults at once.
    #[must_use]
    pub fn violations(violations: Vec<Violation>) -> Self {
        let mut error = Self::new(ErrorKind::Invalid, "INVALID_ARGUMENT", told(&violations));
        error.0.violations = violations;
        error
    }

    /// The request cannot be read at all.
    pub fn malformed(field: &str, message: impl fmt::Display) -> Self {
        let mut error = Self::invalid(field, message);
        error.0.kind = ErrorKind::Malformed;
        error
    }

    /// No such object, or not for this principal.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        let reason = format!("{}_NOT_FOUND", what.to_uppercase().replace([' ', '-'], "_"));
        Self::new(ErrorKind::NotFound, reason, format!("no such {what}"))
    }

    /// Something with that identity exists already.
    #[must_use]
    pub fn exists(what: &str, message: impl Into<String>) -> Self {
        let reason = format!("{}_EXISTS", what.to_uppercase().replace([' ', '-'], "_"));
        Self::new(ErrorKind::Exists, reason, message)
    }

    /// Plugins refuse the request; the first one's code is the reason.
    #[must_use]
    pub fn refused(violations: Vec<Violation>) -> Self {
        let reason = violations.first().map_or("PLUGIN_REFUSED".into(), |first| first.code.clone());
        let mut error = Self::violations(violations);
        error.0.kind = ErrorKind::Refused;
        error.0.reason = reason;
        error
    }

    /// The principal lacks the right.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::PermissionDenied, "PERMISSION_DENIED", message)
    }

    /// Nobody that we know asks. The message never says how near the credentials were.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unauthenticated, "UNAUTHENTICATED", message)
    }

    /// A row is no longer what the decision was made from: the command is decided again.
    #[must_use]
    pub fn stale() -> Self {
        Self::new(
            ErrorKind::Conflict,
            "VERSION_MISMATCH",
            "somebody else changed it at the same time; try again",
        )
    }

    /// The caller named a version, and it is not the present one.
    #[must_use]
    pub fn version_mismatch() -> Self {
        let message = "it was changed since the version that the request names; read it again";
        Self::new(ErrorKind::PreconditionFailed, "VERSION_MISMATCH", message)
    }

    /// A part is away or has too much to do; `after` is when to try again.
    pub fn unavailable(message: impl Into<String>, after: Duration) -> Self {
        let mut error = Self::new(ErrorKind::Unavailable, "UNAVAILABLE", message);
        error.0.retry_after = Some(after);
        error
    }

    /// The caller's deadline passed before the work began.
    #[must_use]
    pub fn deadline() -> Self {
        Self::new(
            ErrorKind::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            "the deadline passed; nothing was changed",
        )
    }

    /// Our fault; the cause and the place where it was noticed go to the log.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        let message = "an internal error; the log has it under the request id";
        let mut error = Self::new(ErrorKind::Internal, "INTERNAL", message).caused_by(cause);
        error.0.backtrace = Some(Backtrace::force_capture());
        error
    }

    /// Attaches what only the log may say.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The same error with another stable reason.
    #[must_use]
    pub fn with_reason(mut self, reason: &'static str) -> Self {
        self.0.reason = reason.into();
        self
    }

    /// The same error as the fault of a field: `message` goes on after the field's name.
    #[must_use]
    pub fn at(mut self, field: &str, message: impl fmt::Display) -> Self {
        let fault = Violation { code: self.0.reason.clone(), ..Violation::new(field, message) };
        self.0.violations = vec![fault];
        self.0.message = told(&self.0.violations);
        self
    }

    /// The same error with its fields by other names; none: the name stays.
    #[must_use]
    pub fn renamed(mut self, name: impl Fn(&str) -> Option<String>) -> Self {
        let is_told = self.0.message == told(&self.0.violations);
        for fault in &mut self.0.violations {
            if let Some(name) = name(&fault.field) {
                fault.field = name;
            }
        }
        if is_told {
            self.0.message = told(&self.0.violations);
        }
        self
    }

    /// What sort of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Stable, for programs.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// For a person; holds nothing of the inside.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Each fault of the request.
    #[must_use]
    pub fn faults(&self) -> &[Violation] {
        &self.0.violations
    }

    /// When to try again, if that makes sense.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What only the log may say.
    #[must_use]
    pub fn cause(&self) -> Option<&anyhow::Error> {
        self.0.cause.as_ref()
    }

    /// Where an internal error was noticed; only for the log.
    #[must_use]
    pub fn backtrace(&self) -> Option<&Backtrace> {
        self.0.backtrace.as_ref()
    }

    /// Whether deciding the command again may end otherwise.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.0.kind == ErrorKind::Conflict && self.0.reason == "VERSION_MISMATCH"
    }
}

fn told(violations: &[Violation]) -> String {
    match violations {
        [] => "the request breaks a rule".to_owned(),
        [one] => one.sentence(),
        [first, rest @ ..] => format!("{} (and {} more)", first.sentence(), rest.len()),
    }
}

impl Violation {
    /// A fault of `field`; `message` goes on after the field's name.
    pub fn new(field: &str, message: impl fmt::Display) -> Self {
        Self {
            field: field.to_owned(),
            code: "INVALID_ARGUMENT".into(),
            message: message.to_string(),
            plugin: None,
        }
    }

    /// The fault as a sentence that begins with the field, or with the plugin that found it.
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
    fn an_internal_error_keeps_its_cause_and_place_from_the_client() {
        let error = Error::internal(std::io::Error::other("the disk is on fire"));
        assert!(!error.message().contains("fire"));
        assert!(format!("{:?}", error.cause().unwrap()).contains("fire"));
        assert_eq!(error.backtrace().unwrap().status(), std::backtrace::BacktraceStatus::Captured);
        assert!(Error::not_found("issue").backtrace().is_none());
    }
}
