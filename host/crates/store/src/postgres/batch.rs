//! A batch of one event's commands, one transaction. Where what is remembered of the event is enough, it is one
//! statement; else the pools are locked and all is read.

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection, Postgres};
use tessera_core::id::{EventId, ReservationId, TenantId};
use tessera_core::inventory::Job;
use tessera_core::ports::BatchDone;
use tessera_core::{Error, ErrorKind, Result};

use super::Shared;
use super::commit::{finish, settle, told};
use super::dialect::{Conn, LOCK_TO_CHANGE};
use super::sql::inventory::Known;
use super::sql::inventory::batch::{self, Batch};
use crate::error::{fault, is_unanswered};

type Event = (TenantId, EventId);

/// Begins and locks the event's pools in one round trip.
fn begin((tenant, event): Event) -> String {
    format!(
        "BEGIN; SELECT 1 FROM pools WHERE tenant_id = '{tenant}' AND event_id = '{event}' ORDER BY id{LOCK_TO_CHANGE}"
    )
}

/// Waits for its turn and carries the batch out.
pub(super) async fn run(shared: &Shared, of: Event, jobs: &[Arc<Job>]) -> Result<BatchDone> {
    let _permit = shared.gate.enter(of.0).await?;
    let mut conn = shared.pool.acquire().await.map_err(fault)?;
    let known = shared.known.get(of);
    if let Some(known) = known.as_deref()
        && let Some((batch, well)) = by_known(shared, &mut conn, (of, known), jobs).await?
    {
        return Ok(done(shared, of, (batch, well.then_some(conn))));
    }
    match transact(shared, &mut conn, of, (jobs, known.as_deref())).await {
        Ok((batch, well)) => Ok(done(shared, of, (batch, well.then_some(conn)))),
        Err(Failed { error, ended }) => {
            // A connection that may still be within the transaction is not used again.
            if !ended {
                conn.close_on_drop();
            }
            Err(error)
        }
    }
}

/// What is to be remembered and kept for the next batch.
fn done(shared: &Shared, of: Event, (batch, well): (Batch, Option<PoolConnection<Postgres>>)) -> BatchDone {
    shared.known.put(of, batch.known);
    if let Some(conn) = well {
        shared.pool.keep(conn);
    }
    BatchDone { verdicts: batch.verdicts, objects: batch.objects }
}

/// Carries the batch out by what is remembered, and says whether the connection is well. Nothing, if that is not enough or
/// not true any more.
async fn by_known(
    shared: &Shared,
    conn: &mut Conn,
    (of, known): (Event, &Known),
    jobs: &[Arc<Job>],
) -> Result<Option<(Batch, bool)>> {
    let Some(judged) = batch::judge_known(of.1, (known, shared.clock.now()), jobs) else { return Ok(None) };
    let well = match judged.write(conn, of.0).await {
        Ok(()) => true,
        // The statement is a transaction of its own: its answer is that of a COMMIT.
        Err(error) if error.kind() == ErrorKind::Unavailable => {
            let Some(first) = judged.first().filter(|_| is_unanswered(&error)) else { return Err(error) };
            settle(error, || is_stored(shared, of, first)).await?;
            false
        }
        // What is remembered is not true any more.
        Err(error) if error.is_stale() => return Ok(None),
        Err(error) => {
            tracing::warn!(?error, "a batch could not be written by what is remembered; it is run again");
            return Ok(None);
        }
    };
    told(shared);
    Ok(Some((judged.done(known), well)))
}

/// Whether a batch is stored, by its first reservation. Who is about to store it has the pools' locks: they are waited for.
async fn is_stored(shared: &Shared, of: Event, first: ReservationId) -> Result<Option<bool>, sqlx::Error> {
    let mut conn = shared.pool.acquire().await?;
    let mut transaction = conn.begin_with(AssertSqlSafe(begin(of))).await?;
    let query = sqlx::query("SELECT 1 FROM reservations WHERE tenant_id = $1 AND id = $2");
    let found = query.bind(of.0.0).bind(first.0).fetch_optional(&mut *transaction).await?;
    transaction.rollback().await?;
    // Else the server may not have begun yet: it goes on with what it was sent.
    Ok(found.map(|_| true))
}

/// Why a batch failed, and whether its transaction is over.
struct Failed {
    error: Error,
    ended: bool,
}

/// Carries the batch out, and says whether the connection is well.
async fn transact(
    shared: &Shared,
    conn: &mut Conn,
    of: Event,
    jobs: (&[Arc<Job>], Option<&Known>),
) -> std::result::Result<(Batch, bool), Failed> {
    let unended = |error| Failed { error: fault(error), ended: false };
    let mut transaction = conn.begin_with(AssertSqlSafe(begin(of))).await.map_err(unended)?;
    match batch::run(&mut transaction, of.0, of.1, jobs).await {
        Ok(done) if done.objects.is_empty() => {
            transaction.rollback().await.map(|()| (done, true)).map_err(unended)
        }
        Ok(done) => match finish(shared, transaction, &done.token).await {
            Ok(well) => Ok((done, well)),
            Err(error) => Err(Failed { error, ended: true }),
        },
        Err(error) => {
            let ended = transaction.rollback().await.is_ok();
            Err(Failed { error, ended })
        }
    }
}
