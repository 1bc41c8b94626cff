//! What a driver's error means to the core.

use std::time::Duration;

use sqlx::Error as Sqlx;
use sqlx::error::DatabaseError;
use tessera_core::{Error, ErrorKind};

/// When to try again after the database was away.
const AGAIN: Duration = Duration::from_secs(1);

/// The domain's error for a driver's.
pub(crate) fn fault(error: Sqlx) -> Error {
    match &error {
        Sqlx::Database(raised) if is_outdated(&**raised) => Error::stale().caused_by(error),
        Sqlx::Database(raised) if is_away(&**raised) => away(error),
        _ if is_lost(&error) => away(error),
        _ => Error::internal(error),
    }
}

/// The same for a write that may break the uniqueness of `what`; `field` is what would have to differ.
pub(crate) fn exists_or(error: Sqlx, what: &str, column: &str, message: &str) -> Error {
    match error.as_database_error() {
        Some(raised) if raised.is_unique_violation() && raised.message().contains(column) => {
            Error::exists(what, message)
        }
        // The row itself is there already: whoever decided had not seen it.
        Some(raised) if raised.is_unique_violation() => Error::stale().caused_by(error),
        Some(_) | None => fault(error),
    }
}

/// The database is away or has too much to do.
pub(crate) fn away(cause: impl Into<anyhow::Error>) -> Error {
    Error::unavailable("the database is away; try again a little later", AGAIN).caused_by(cause)
}

/// The database is away, for a reason that no driver gave.
pub(crate) fn away_for(reason: &'static str) -> Error {
    away(anyhow::anyhow!(reason))
}

/// Whether an error is one changeset's own verdict and not a failure of the database.
pub(crate) fn is_verdict(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unavailable)
}

/// Whether the connection is gone, so that nobody knows what became of what was sent last.
pub(crate) fn is_lost(error: &Sqlx) -> bool {
    match error {
        Sqlx::Io(_)
        | Sqlx::Tls(_)
        | Sqlx::Protocol(_)
        | Sqlx::PoolTimedOut
        | Sqlx::PoolClosed
        | Sqlx::WorkerCrashed => true,
        Sqlx::Database(raised) => is_away(&**raised),
        _ => false,
    }
}

/// Whether that is why this error was raised. An error that the server raised says that nothing was stored.
pub(crate) fn is_unanswered(error: &Error) -> bool {
    match error.cause().and_then(|cause| cause.downcast_ref::<Sqlx>()) {
        Some(Sqlx::Database(_)) => false,
        Some(cause) => is_lost(cause),
        None => false,
    }
}

/// Somebody else was faster: a row that a key refers to is gone, or the server broke a deadlock.
fn is_outdated(raised: &dyn DatabaseError) -> bool {
    raised.is_foreign_key_violation() || raised.code().is_some_and(|code| matches!(&*code, "40001" | "40P01"))
}

/// PostgreSQL: connections (08), resources (53), the operator (57), a lock that did not come free (55P03).
/// SQLite: busy, locked, full.
fn is_away(raised: &dyn DatabaseError) -> bool {
    let Some(code) = raised.code() else { return false };
    if code.len() == 5 {
        return code.starts_with("08") || code.starts_with("53") || code.starts_with("57") || code == "55P03";
    }
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 13))
}
