//! Commits of changesets: each is a transaction in a task of its own, which continues if its caller leaves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection, Postgres, Transaction};
use tessera_core::changeset::{Changeset, Committed};
use tessera_core::{Error, Result};

use super::dialect::Conn;
use super::issue_queue::Reply;
use super::shared::Shared;
use super::sql::apply::{Applied, apply};
use super::sql::idempotency;
use crate::error::{db_error, is_connection_lost};
use crate::limits;

/// How long the outcome of a write is queried after a lost answer.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(3);
/// Pause between these queries.
const SETTLE_INTERVAL: Duration = Duration::from_millis(300);

/// Commits a changeset when a connection is free, unless its caller has left.
pub(super) async fn run(shared: &Arc<Shared>, changeset: &Changeset, mut reply: Reply) {
    let permit = tokio::select! {
        biased;
        () = reply.closed() => return,
        permit = limits::acquire(&shared.limiter, changeset.tenant.into()) => permit,
    };
    let verdict = match permit {
        Err(error) => Err(error),
        Ok(_permit) if reply.is_closed() => return,
        Ok(_permit) if Instant::now() >= changeset.deadline => Err(Error::deadline()),
        Ok(_permit) => transact(shared, changeset).await,
    };
    // A caller that has left reads the outcome later, by its key or by the rows.
    let _ = reply.send(verdict);
}

/// Applies a changeset in a transaction.
pub(super) async fn transact(shared: &Shared, changeset: &Changeset) -> Result<Committed> {
    let mut conn = shared.pool.acquire().await.map_err(db_error)?;
    let mut transaction = conn.begin().await.map_err(db_error)?;
    match apply(&mut transaction, changeset, shared.clock.now()).await {
        Ok(Applied::Written(token)) => {
            if finish(shared, transaction, &token).await? {
                shared.pool.keep(conn);
            }
            Ok(Committed::Stored)
        }
        Ok(Applied::Claimed) => {
            transaction.rollback().await.map_err(db_error)?;
            replay(shared, &mut conn, changeset).await
        }
        Err(error) => {
            // A connection whose rollback fails is not reused.
            if transaction.rollback().await.is_err() {
                conn.close_on_drop();
            }
            Err(error)
        }
    }
}

/// Commits and notifies the sequencer. Returns whether the connection is healthy; if not, the outcome was queried by another.
pub(super) async fn finish(
    shared: &Shared,
    transaction: Transaction<'_, Postgres>,
    token: &str,
) -> Result<bool> {
    let healthy = match transaction.commit().await {
        Ok(()) => true,
        Err(error) if is_connection_lost(&error) => {
            settle(db_error(error), || is_committed(shared, token)).await?;
            false
        }
        Err(error) => return Err(db_error(error)),
    };
    notify_committed(shared);
    Ok(healthy)
}

/// Notifies the sequencer of a commit.
pub(super) fn notify_committed(shared: &Shared) {
    shared.committed.notify_one();
    if !shared.is_sequencer() {
        shared.uncommunicated.notify_one();
    }
}

/// Returns the answer that is recorded for the claimed key.
async fn replay(shared: &Shared, conn: &mut Conn, changeset: &Changeset) -> Result<Committed> {
    let Some(claim) = &changeset.claim else { return Err(Error::stale()) };
    let recorded = idempotency::recorded(conn, &claim.scope, shared.clock.now()).await?;
    recorded.map(Box::new).map(Committed::Replayed).ok_or_else(Error::stale)
}

/// Queries whether a write is stored whose answer was lost. `None` from `is_stored` means that it is not known yet.
pub(super) async fn settle<F>(lost: Error, is_stored: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<Option<bool>, sqlx::Error>>,
{
    tracing::warn!(error = ?lost, "answer to a write was lost; querying its outcome");
    let outcome = async {
        loop {
            match is_stored().await {
                Ok(Some(stored)) => return stored,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "query of a write's outcome failed"),
            }
            tokio::time::sleep(SETTLE_INTERVAL).await;
        }
    };
    match tokio::time::timeout(SETTLE_TIMEOUT, outcome).await {
        Ok(true) => return Ok(()),
        Ok(false) => return Err(lost),
        Err(_) => {}
    }
    let message = "the database is unavailable and the outcome of the change is unknown; read the object before you try again";
    Err(Error::unavailable(message, Duration::from_secs(1)).caused_by(lost))
}

/// Returns whether a transaction is committed, or `None` while it runs.
async fn is_committed(shared: &Shared, token: &str) -> Result<Option<bool>, sqlx::Error> {
    let mut conn = shared.pool.acquire().await?;
    let query = sqlx::query_scalar("SELECT pg_xact_status($1::text::xid8)").bind(token);
    let status: Option<String> = query.fetch_one(&mut *conn).await?;
    Ok(match status.as_deref() {
        Some("committed") => Some(true),
        Some("aborted") => Some(false),
        // In progress.
        _ => None,
    })
}
