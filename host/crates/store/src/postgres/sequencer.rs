//! Numbers facts after they have committed, in the order in which their transactions drew: who has seen fact
//! *n* never finds one below it later. One host does it at a time, by a lease; the lock on the head's row
//! keeps two that believe to hold it from doing harm. The database's function `number_facts` does it, in one
//! round trip, and tells all hosts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tessera_core::Result;

use super::Shared;
use super::sql::upkeep::Upkeep;
use crate::codec::unsigned;
use crate::error::fault;

const LEASE: &str = "sequencer";
const SPAN: Duration = Duration::from_secs(5);
const RENEWAL: Duration = Duration::from_secs(1);

/// Of how many transactions the facts are numbered in one.
const BATCH: i32 = 1_000;

/// How long is waited from one run that found something to the next: each ends with a flush, for which those wait who
/// commit meanwhile.
const PACE: Duration = Duration::from_millis(2);

/// Runs until the store stops.
pub(super) fn spawn(shared: &Arc<Shared>) {
    let own = Arc::clone(shared);
    shared.tasks.spawn(async move {
        let stop = own.stop.clone();
        stop.run_until_cancelled(follow(&own)).await;
        // What the last writes of this host have committed is numbered before it goes.
        if own.is_sequencer()
            && let Err(error) = catch_up(&own).await
        {
            tracing::warn!(?error, "facts are left to be numbered; the next sequencer does it");
        }
    });
}

async fn follow(shared: &Shared) {
    let mut renewed: Option<Instant> = None;
    loop {
        if renewed.is_none_or(|at| at.elapsed() >= RENEWAL) {
            renewed = Some(Instant::now());
            let held = renew(shared).await;
            shared.sequencing.store(held, Ordering::Relaxed);
        }
        if shared.is_sequencer() {
            match catch_up(shared).await {
                Ok(false) => {}
                Ok(true) => tokio::time::sleep(PACE).await,
                Err(error) => {
                    tracing::warn!(?error, "facts could not be numbered; it is tried again");
                    tokio::time::sleep(RENEWAL).await;
                }
            }
        }
        let rest = renewed.map_or(Duration::ZERO, |at| RENEWAL.saturating_sub(at.elapsed()));
        // A wake-up that came meanwhile is kept, and a lost one is made up for by the renewal.
        let _ = tokio::time::timeout(rest, shared.committed.notified()).await;
    }
}

async fn renew(shared: &Shared) -> bool {
    let (name, holder) = (LEASE.to_owned(), shared.host.clone());
    match shared.upkeep(&Upkeep::Lease { name, holder, span: SPAN }).await {
        Ok(held) => held > 0,
        Err(error) => {
            tracing::warn!(?error, "the sequencer's lease could not be renewed");
            false
        }
    }
}

/// Numbers what waits; whether anything did.
async fn catch_up(shared: &Shared) -> Result<bool> {
    let mut conn = shared.pool.acquire().await.map_err(fault)?;
    let mut found = false;
    loop {
        let query = sqlx::query_as("SELECT taken, newest FROM number_facts($1)").bind(BATCH);
        let (taken, newest): (i32, i64) = query.fetch_one(&mut *conn).await.map_err(fault)?;
        shared.changed.say_upto(unsigned(newest)?);
        found |= taken > 0;
        if taken < BATCH {
            shared.pool.keep(conn);
            return Ok(found);
        }
    }
}
