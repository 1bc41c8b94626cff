//! Conversion of the driver's errors to the domain's.

use std::time::Duration;

use sqlx::Error as Sqlx;
use sqlx::error::DatabaseError;
use tessera_core::{Error, ErrorKind};

/// Retry delay after the database was unavailable.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Converts a driver's error.
pub(crate) fn db_error(error: Sqlx) -> Error {
    match &error {
        Sqlx::Database(raised) if is_conflict(&**raised) => Error::stale().caused_by(error),
        Sqlx::Database(raised) if is_unavailable(&**raised) => unavailable(error),
        _ if is_connection_lost(&error) => unavailable(error),
        _ => Error::internal(error),
    }
}

/// Converts the error of a write that may violate a unique index on `column` of a `what`.
pub(crate) fn exists_or_db_error(error: Sqlx, what: &str, column: &str, message: &str) -> Error {
    match error.as_database_error() {
        Some(raised) if raised.is_unique_violation() && raised.message().contains(column) => {
            Error::exists(what, message)
        }
        // The row itself exists already: the decision was made without it.
        Some(raised) if raised.is_unique_violation() => Error::stale().caused_by(error),
        Some(_) | None => db_error(error),
    }
}

/// Error for a database that is down or overloaded.
pub(crate) fn unavailable(cause: impl Into<anyhow::Error>) -> Error {
    Error::unavailable("the database is unavailable; try again later", RETRY_AFTER).caused_by(cause)
}

/// Error for an unavailable database, with a reason of the store's own.
pub(crate) fn unavailable_because(reason: &'static str) -> Error {
    unavailable(anyhow::anyhow!(reason))
}

/// Returns whether an error is the result of one changeset, and not a failure of the database.
pub(crate) fn is_domain_error(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unavailable)
}

/// Returns whether the connection is lost, so that the outcome of the last statement is unknown.
pub(crate) fn is_connection_lost(error: &Sqlx) -> bool {
    match error {
        Sqlx::Io(_)
        | Sqlx::Tls(_)
        | Sqlx::Protocol(_)
        | Sqlx::PoolTimedOut
        | Sqlx::PoolClosed
        | Sqlx::WorkerCrashed => true,
        Sqlx::Database(raised) => is_unavailable(&**raised),
        _ => false,
    }
}

/// Returns whether a converted error leaves the outcome unknown. After an error of the server nothing is stored.
pub(crate) fn is_outcome_unknown(error: &Error) -> bool {
    match error.cause().and_then(|cause| cause.downcast_ref::<Sqlx>()) {
        Some(Sqlx::Database(_)) => false,
        Some(cause) => is_connection_lost(cause),
        None => false,
    }
}

/// Returns whether a concurrent write won: a foreign key's row is gone, or the server resolved a deadlock.
fn is_conflict(raised: &dyn DatabaseError) -> bool {
    raised.is_foreign_key_violation() || raised.code().is_some_and(|code| matches!(&*code, "40001" | "40P01"))
}

/// Returns whether the server is down or overloaded. PostgreSQL: connections (08), resources (53), operator (57), lock
/// timeout (55P03). SQLite: busy, locked, full.
fn is_unavailable(raised: &dyn DatabaseError) -> bool {
    let Some(code) = raised.code() else { return false };
    if code.len() == 5 {
        return code.starts_with("08") || code.starts_with("53") || code.starts_with("57") || code == "55P03";
    }
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 13))
}
