//! Numbers facts after they have committed, in the order in which they were drawn: who has seen fact *n*
//! never finds one below it later. One host does it at a time, by a lease; the lock on the head's row
//! keeps two that believe to hold it from doing harm.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sqlx::Connection;
use tessera_core::Result;

use super::Shared;
use super::dialect::Conn;
use super::sql::upkeep::Upkeep;
use super::tasks::NUMBERED;
use crate::error::fault;

const LEASE: &str = "sequencer";
const SPAN: Duration = Duration::from_secs(5);
const RENEWAL: Duration = Duration::from_secs(1);

/// How many facts are numbered in one transaction.
const BATCH: i64 = 1_000;

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
        if shared.is_sequencer()
            && let Err(error) = catch_up(shared).await
        {
            tracing::warn!(?error, "facts could not be numbered; it is tried again");
            tokio::time::sleep(RENEWAL).await;
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

async fn catch_up(shared: &Shared) -> Result<()> {
    let mut conn = shared.pool.acquire().await.map_err(fault)?;
    loop {
        let numbered = number(&mut conn).await?;
        if numbered > 0 {
            shared.changed.say();
            sqlx::query(NUMBERED).execute(&mut *conn).await.map_err(fault)?;
        }
        if numbered < BATCH {
            return Ok(());
        }
    }
}

/// Numbers one batch; how many it were.
async fn number(conn: &mut Conn) -> Result<i64> {
    // An idle sequencer takes no lock and writes nothing.
    let waiting = sqlx::query("SELECT 1 FROM facts WHERE seq IS NULL ORDER BY drawn LIMIT 1");
    if waiting.fetch_optional(&mut *conn).await.map_err(fault)?.is_none() {
        return Ok(0);
    }
    let mut transaction = conn.begin().await.map_err(fault)?;
    let head = sqlx::query_scalar("SELECT seq FROM facts_head WHERE id = 1 FOR UPDATE");
    let head: i64 = head.fetch_one(&mut *transaction).await.map_err(fault)?;
    // A statement of its own, so that it sees all that was committed before the lock was taken.
    let numbered = sqlx::query(
        "UPDATE facts SET seq = $1 + batch.place FROM
         (SELECT tenant_id, id, row_number() OVER (ORDER BY drawn) AS place FROM
          (SELECT tenant_id, id, drawn FROM facts WHERE seq IS NULL ORDER BY drawn LIMIT $2) next) batch
         WHERE facts.tenant_id = batch.tenant_id AND facts.id = batch.id",
    );
    let numbered = numbered.bind(head).bind(BATCH).execute(&mut *transaction).await.map_err(fault)?;
    let numbered = i64::try_from(numbered.rows_affected()).unwrap_or(i64::MAX);
    let moved = sqlx::query("UPDATE facts_head SET seq = seq + $1 WHERE id = 1").bind(numbered);
    moved.execute(&mut *transaction).await.map_err(fault)?;
    transaction.commit().await.map_err(fault)?;
    Ok(numbered)
}
