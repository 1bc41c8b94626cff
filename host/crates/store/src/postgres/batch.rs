//! A batch of one event's commands, one transaction.

use std::sync::Arc;

use sqlx::Connection;
use tessera_core::Result;
use tessera_core::id::{EventId, TenantId};
use tessera_core::inventory::Job;
use tessera_core::ports::BatchDone;

use super::Shared;
use super::commit::finish;
use super::sql::inventory::batch;
use crate::error::fault;

/// The statements of a batch are large and always the same: planning them anew would take longer than they do.
const BEGIN: &str = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off";

/// Waits for its turn and carries the batch out.
pub(super) async fn run(
    shared: &Shared,
    (tenant, event): (TenantId, EventId),
    jobs: &[Arc<Job>],
) -> Result<BatchDone> {
    let _permit = shared.gate.enter(tenant).await?;
    let mut conn = shared.pool.acquire().await.map_err(fault)?;
    let mut transaction = conn.begin_with(BEGIN).await.map_err(fault)?;
    let done = match batch::run(&mut transaction, tenant, event, jobs).await {
        Ok(done) if done.objects.is_empty() => transaction.rollback().await.map_err(fault).map(|()| done),
        Ok(done) => finish(shared, transaction, &done.token).await.map(|()| done),
        Err(error) => {
            // A connection on which even this fails is not used again.
            if transaction.rollback().await.is_err() {
                conn.close_on_drop();
            }
            Err(error)
        }
    };
    done.map(|done| BatchDone { verdicts: done.verdicts, objects: done.objects })
}
