//! A batch of one event's commands, one transaction.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection};
use tessera_core::id::{EventId, TenantId};
use tessera_core::inventory::Job;
use tessera_core::ports::BatchDone;
use tessera_core::{Error, Result};

use super::Shared;
use super::commit::finish;
use super::dialect::{Conn, LOCK_TO_CHANGE};
use super::sql::inventory::batch::{self, Batch};
use crate::error::fault;

/// Begins and locks the event's pools in one round trip. The statements of a batch are large and always the same:
/// planning them anew would take longer than they do.
fn begin(tenant: TenantId, event: EventId) -> String {
    format!(
        "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off;
         SELECT 1 FROM pools WHERE tenant_id = '{tenant}' AND event_id = '{event}' ORDER BY id{LOCK_TO_CHANGE}"
    )
}

/// Waits for its turn and carries the batch out.
pub(super) async fn run(shared: &Shared, of: (TenantId, EventId), jobs: &[Arc<Job>]) -> Result<BatchDone> {
    let _permit = shared.gate.enter(of.0).await?;
    let mut conn = shared.pool.acquire().await.map_err(fault)?;
    match transact(shared, &mut conn, of, jobs).await {
        Ok(batch) => Ok(BatchDone { verdicts: batch.verdicts, objects: batch.objects }),
        Err(Failed { error, ended }) => {
            // A connection that may still be within the transaction is not used again.
            if !ended {
                conn.close_on_drop();
            }
            Err(error)
        }
    }
}

/// Why a batch failed, and whether its transaction is over.
struct Failed {
    error: Error,
    ended: bool,
}

async fn transact(
    shared: &Shared,
    conn: &mut Conn,
    (tenant, event): (TenantId, EventId),
    jobs: &[Arc<Job>],
) -> std::result::Result<Batch, Failed> {
    let unended = |error| Failed { error: fault(error), ended: false };
    let mut transaction = conn.begin_with(AssertSqlSafe(begin(tenant, event))).await.map_err(unended)?;
    match batch::run(&mut transaction, tenant, event, jobs).await {
        Ok(done) if done.objects.is_empty() => transaction.rollback().await.map(|()| done).map_err(unended),
        Ok(done) => match finish(shared, transaction, &done.token).await {
            Ok(()) => Ok(done),
            Err(error) => Err(Failed { error, ended: true }),
        },
        Err(error) => {
            let ended = transaction.rollback().await.is_ok();
            Err(Failed { error, ended })
        }
    }
}
