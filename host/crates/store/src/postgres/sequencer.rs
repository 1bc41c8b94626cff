//! Sequencer: numbers facts after their commit, in the order of the transactions' draws, so that a reader of fact *n* never
//! finds a smaller number later. One host runs it at a time, by a lease; the lock on the head's row keeps two hosts that
//! both assume the lease from doing harm. The database function `number_facts` numbers and notifies in one round trip.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tessera_core::Result;

use super::shared::Shared;
use super::sql::maintenance::Maintenance;
use crate::codec::unsigned;
use crate::error::db_error;

const LEASE: &str = "sequencer";
const SPAN: Duration = Duration::from_secs(5);
const RENEWAL: Duration = Duration::from_secs(1);

/// Transactions that are numbered by one call.
const BATCH: i32 = 1_000;

/// Pause after a run that numbered something: each run ends with a flush that delays concurrent commits.
const PACE: Duration = Duration::from_millis(2);

/// Starts the task, which runs until the store stops.
pub(super) fn spawn(shared: &Arc<Shared>) {
    let own = Arc::clone(shared);
    shared.tasks.spawn(async move {
        let stop = own.stop.clone();
        stop.run_until_cancelled(follow(&own)).await;
        // Number the last commits of this host before it stops.
        if own.is_sequencer()
            && let Err(error) = catch_up(&own).await
        {
            tracing::warn!(?error, "numbering at shutdown failed; left to the next sequencer");
        }
    });
}

async fn follow(shared: &Shared) {
    let mut renewed: Option<Instant> = None;
    loop {
        if renewed.is_none_or(|at| at.elapsed() >= RENEWAL) {
            renewed = Some(Instant::now());
            let is_holder = renew(shared).await;
            shared.sequencing.store(is_holder, Ordering::Relaxed);
        }
        if shared.is_sequencer() {
            match catch_up(shared).await {
                Ok(false) => {}
                Ok(true) => tokio::time::sleep(PACE).await,
                Err(error) => {
                    tracing::warn!(?error, "numbering of facts failed; trying again");
                    tokio::time::sleep(RENEWAL).await;
                }
            }
        }
        let rest = renewed.map_or(Duration::ZERO, |at| RENEWAL.saturating_sub(at.elapsed()));
        // A wake-up in between is kept; for a lost one the renewal interval is the bound.
        let _ = tokio::time::timeout(rest, shared.committed.notified()).await;
    }
}

async fn renew(shared: &Shared) -> bool {
    let (name, holder) = (LEASE.to_owned(), shared.host.clone());
    match shared.maintenance(&Maintenance::Lease { name, holder, span: SPAN }).await {
        Ok(rows) => rows > 0,
        Err(error) => {
            tracing::warn!(?error, "renewal of the sequencer's lease failed");
            false
        }
    }
}

/// Numbers all waiting facts; returns whether there were any.
async fn catch_up(shared: &Shared) -> Result<bool> {
    let mut conn = shared.pool.acquire().await.map_err(db_error)?;
    let mut found = false;
    loop {
        let query = sqlx::query_as("SELECT taken, newest FROM number_facts($1)").bind(BATCH);
        let (count, newest): (i32, i64) = query.fetch_one(&mut *conn).await.map_err(db_error)?;
        shared.notifier.notify_up_to(unsigned(newest)?);
        found |= count > 0;
        if count < BATCH {
            shared.pool.keep(conn);
            return Ok(found);
        }
    }
}
