//! One changeset, one transaction, in a task of its own: its caller may leave at any time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection, Postgres, Transaction};
use tessera_core::changeset::{Changeset, Committed};
use tessera_core::{Error, Result};
use tokio::sync::oneshot;

use super::Shared;
use super::dialect::Conn;
use super::sql::apply::{Applied, apply};
use super::sql::idempotency;
use crate::error::{fault, is_lost};

/// For how long the server is asked what became of a transaction, and how long is waited in between.
const ASKED_FOR: Duration = Duration::from_secs(3);
const BETWEEN: Duration = Duration::from_millis(300);

/// Who waits for a verdict.
pub(super) type Reply = oneshot::Sender<Result<Committed>>;

/// Waits for its turn and carries the changeset out, unless nobody waits for it any more.
pub(super) async fn run(shared: &Arc<Shared>, changeset: &Changeset, mut reply: Reply) {
    let permit = tokio::select! {
        biased;
        () = reply.closed() => return,
        permit = shared.gate.enter(changeset.tenant) => permit,
    };
    let verdict = match permit {
        Err(error) => Err(error),
        Ok(_permit) if reply.is_closed() => return,
        Ok(_permit) if Instant::now() >= changeset.deadline => Err(Error::deadline()),
        Ok(_permit) => transact(shared, changeset).await,
    };
    // Who left while the transaction ran reads the outcome later, by its key or by the rows.
    let _ = reply.send(verdict);
}

/// Carries the changeset out step by step.
pub(super) async fn transact(shared: &Shared, changeset: &Changeset) -> Result<Committed> {
    let mut conn = shared.pool.acquire().await.map_err(fault)?;
    let mut transaction = conn.begin().await.map_err(fault)?;
    match apply(&mut transaction, changeset, shared.clock.now()).await {
        Ok(Applied::Written(token)) => {
            if finish(shared, transaction, &token).await? {
                shared.pool.keep(conn);
            }
            Ok(Committed::Stored)
        }
        Ok(Applied::Claimed) => {
            transaction.rollback().await.map_err(fault)?;
            replay(shared, &mut conn, changeset).await
        }
        Err(error) => {
            // A connection on which even this fails is not used again.
            if transaction.rollback().await.is_err() {
                conn.close_on_drop();
            }
            Err(error)
        }
    }
}

/// Commits, and wakes who numbers the facts. Whether the connection is well: else the answer came by another.
pub(super) async fn finish(
    shared: &Shared,
    transaction: Transaction<'_, Postgres>,
    token: &str,
) -> Result<bool> {
    let well = match transaction.commit().await {
        Ok(()) => true,
        Err(error) if is_lost(&error) => {
            settle(fault(error), || is_committed(shared, token)).await?;
            false
        }
        Err(error) => return Err(fault(error)),
    };
    told(shared);
    Ok(well)
}

/// Something has committed: wakes who numbers the facts.
pub(super) fn told(shared: &Shared) {
    shared.committed.notify_one();
    if !shared.is_sequencer() {
        shared.untold.notify_one();
    }
}

/// Reads the winner's answer, which has committed.
async fn replay(shared: &Shared, conn: &mut Conn, changeset: &Changeset) -> Result<Committed> {
    let Some(claim) = &changeset.claim else { return Err(Error::stale()) };
    let recorded = idempotency::recorded(conn, &claim.scope, shared.clock.now()).await?;
    recorded.map(Box::new).map(Committed::Replayed).ok_or_else(Error::stale)
}

/// The answer to a write was lost: asks the server whether it is stored all the same. None: that is not known yet.
pub(super) async fn settle<F>(lost: Error, is_stored: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<Option<bool>, sqlx::Error>>,
{
    tracing::warn!(error = ?lost, "the answer to a write was lost; the server is asked what became of it");
    let known = async {
        loop {
            match is_stored().await {
                Ok(Some(known)) => return known,
                Ok(None) => {}
                Err(unanswered) => tracing::warn!(error = %unanswered, "the server did not say"),
            }
            tokio::time::sleep(BETWEEN).await;
        }
    };
    match tokio::time::timeout(ASKED_FOR, known).await {
        Ok(true) => return Ok(()),
        Ok(false) => return Err(lost),
        Err(_) => {}
    }
    let message = "the database is away, and nobody knows whether the change was stored; read it again";
    Err(Error::unavailable(message, Duration::from_secs(1)).caused_by(lost))
}

/// Whether a transaction is committed.
async fn is_committed(shared: &Shared, token: &str) -> Result<Option<bool>, sqlx::Error> {
    let mut conn = shared.pool.acquire().await?;
    let query = sqlx::query_scalar("SELECT pg_xact_status($1::text::xid8)").bind(token);
    let status: Option<String> = query.fetch_one(&mut *conn).await?;
    Ok(match status.as_deref() {
        Some("committed") => Some(true),
        Some("aborted") => Some(false),
        // It still runs.
        _ => None,
    })
}
