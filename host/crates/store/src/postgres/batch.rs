//! Batches of one event's commands, each a transaction. If the cached event suffices it is one statement, else the pools
//! are locked and the state is read.

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection, Postgres};
use tessera_core::id::{EventId, ReservationId, TenantId};
use tessera_core::inventory::Job;
use tessera_core::ports::BatchResult;
use tessera_core::{Error, ErrorKind, Result};

use super::commit::{finish, notify_committed, settle};
use super::dialect::{Conn, LOCK_TO_CHANGE};
use super::shared::Shared;
use super::sql::inventory::batch::{self, Batch};
use super::sql::inventory::cached_event::CachedEvent;
use crate::error::{db_error, is_outcome_unknown};
use crate::limits;

type Event = (TenantId, EventId);

/// Begins a transaction and locks the event's pools in one round trip.
fn begin((tenant, event): Event) -> String {
    format!(
        "BEGIN; SELECT 1 FROM pools WHERE tenant_id = '{tenant}' AND event_id = '{event}' ORDER BY id{LOCK_TO_CHANGE}"
    )
}

/// Executes a batch when a connection is free.
pub(super) async fn run(shared: &Shared, of: Event, jobs: &[Arc<Job>]) -> Result<BatchResult> {
    let _permit = limits::acquire(&shared.limiter, Job::owner(of.0, jobs)).await?;
    let mut conn = shared.pool.acquire().await.map_err(db_error)?;
    let cached = shared.cached_events.get(of);
    if let Some(cached) = cached.as_deref()
        && let Some((batch, healthy)) = run_cached(shared, &mut conn, (of, cached), jobs).await?
    {
        return Ok(done(shared, of, (batch, healthy.then_some(conn))));
    }
    match transact(shared, &mut conn, of, (jobs, cached.as_deref())).await {
        Ok((batch, healthy)) => Ok(done(shared, of, (batch, healthy.then_some(conn)))),
        Err(Failed { error, ended }) => {
            // The transaction may still be open: do not reuse the connection.
            if !ended {
                conn.close_on_drop();
            }
            Err(error)
        }
    }
}

/// Updates the cache and returns the connection if it is healthy.
fn done(shared: &Shared, of: Event, (batch, conn): (Batch, Option<PoolConnection<Postgres>>)) -> BatchResult {
    shared.cached_events.put(of, batch.cached);
    if let Some(conn) = conn {
        shared.pool.keep(conn);
    }
    BatchResult { outcomes: batch.verdicts, objects: batch.objects }
}

/// Executes a batch by the cached event and returns whether the connection is healthy, or `None` if the cached event is
/// insufficient or stale.
async fn run_cached(
    shared: &Shared,
    conn: &mut Conn,
    (of, cached): (Event, &CachedEvent),
    jobs: &[Arc<Job>],
) -> Result<Option<(Batch, bool)>> {
    let Some(decided) = batch::decide_cached(of.1, (cached, shared.clock.now()), jobs) else {
        return Ok(None);
    };
    let healthy = match decided.write(conn, of.0).await {
        Ok(()) => true,
        // The statement is its own transaction: an unknown outcome is handled as that of a COMMIT.
        Err(error) if error.kind() == ErrorKind::Unavailable => {
            let Some(first) = decided.first().filter(|_| is_outcome_unknown(&error)) else {
                return Err(error);
            };
            settle(error, || is_stored(shared, of, first)).await?;
            false
        }
        // The cached event is stale.
        Err(error) if error.is_stale() => return Ok(None),
        Err(error) => {
            tracing::warn!(?error, "batch by cached event failed; running it again");
            return Ok(None);
        }
    };
    notify_committed(shared);
    Ok(Some((decided.done(cached), healthy)))
}

/// Returns whether a batch is stored, by its first reservation. Locking the pools waits for a statement in flight.
async fn is_stored(shared: &Shared, of: Event, first: ReservationId) -> Result<Option<bool>, sqlx::Error> {
    let mut conn = shared.pool.acquire().await?;
    let mut transaction = conn.begin_with(AssertSqlSafe(begin(of))).await?;
    let query = sqlx::query("SELECT 1 FROM reservations WHERE tenant_id = $1 AND id = $2");
    let row = query.bind(of.0.0).bind(first.0).fetch_optional(&mut *transaction).await?;
    transaction.rollback().await?;
    // Not found may mean that the server has not executed the statement yet.
    Ok(row.map(|_| true))
}

/// Error of a batch, and whether its transaction has ended.
struct Failed {
    error: Error,
    ended: bool,
}

/// Executes a batch by its state and returns whether the connection is healthy.
async fn transact(
    shared: &Shared,
    conn: &mut Conn,
    of: Event,
    jobs: (&[Arc<Job>], Option<&CachedEvent>),
) -> std::result::Result<(Batch, bool), Failed> {
    let unended = |error| Failed { error: db_error(error), ended: false };
    let mut transaction = conn.begin_with(AssertSqlSafe(begin(of))).await.map_err(unended)?;
    match batch::run(&mut transaction, of.0, of.1, jobs).await {
        Ok(done) if done.objects.is_empty() => {
            transaction.rollback().await.map(|()| (done, true)).map_err(unended)
        }
        Ok(done) => match finish(shared, transaction, &done.token).await {
            Ok(healthy) => Ok((done, healthy)),
            Err(error) => Err(Failed { error, ended: true }),
        },
        Err(error) => {
            let ended = transaction.rollback().await.is_ok();
            Err(Failed { error, ended })
        }
    }
}
