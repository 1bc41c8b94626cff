//! The one writer: takes what waits, tenants in turn, into one transaction with a savepoint for each, and
//! answers nobody before it is committed.

use std::sync::Arc;
use std::time::Instant;

use sqlx::SqliteConnection;
use tessera_core::changeset::{Changeset, Committed};
use tessera_core::id::{EventId, TenantId};
use tessera_core::inventory::Job;
use tessera_core::{Error, Result};
use tokio::sync::oneshot;

use super::Shared;
use super::sql::apply::{Applied, apply};
use super::sql::idempotency;
use super::sql::inventory::batch::{self, Batch};
use super::sql::upkeep::{self, Upkeep};
use crate::error::{fault, is_verdict};

/// How many share a transaction.
const TOGETHER: usize = 64;

/// What is to be written, and who waits for it.
pub(super) struct Order {
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Result<Done>>,
}

/// What is to be written.
pub(super) enum Work {
    Changeset(Box<Changeset>),
    /// Commands of one event.
    Batch(TenantId, EventId, Vec<Arc<Job>>),
    Upkeep(Upkeep),
}

/// How it ended.
pub(super) enum Done {
    Committed(Committed),
    Batch(Box<Batch>),
    Rows(u64),
}

/// Runs until the queue is closed and empty.
pub(super) fn spawn(shared: &Arc<Shared>, conn: SqliteConnection) {
    let shared_too = Arc::clone(shared);
    shared.tasks.spawn(async move {
        let _abandon = Abandon(Arc::clone(&shared_too));
        let mut writer = Writer { shared: Arc::clone(&shared_too), conn: Some(conn) };
        while let Some(jobs) = shared_too.queue.pop(TOGETHER).await {
            writer.run(jobs).await;
        }
        writer.close().await;
    });
}

/// Lets nobody wait for a writer that is gone.
struct Abandon(Arc<Shared>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.queue.abandon();
    }
}

struct Writer {
    shared: Arc<Shared>,
    /// None after it failed, until it is needed again.
    conn: Option<SqliteConnection>,
}

impl Order {
    /// The job, if somebody still waits for it in time.
    fn wanted(self) -> Option<Self> {
        if self.reply.is_closed() {
            return None;
        }
        if let Work::Changeset(changeset) = &self.work
            && Instant::now() >= changeset.deadline
        {
            self.answer(Err(Error::deadline()));
            return None;
        }
        Some(self)
    }

    fn answer(self, verdict: Result<Done>) {
        // Who left while the transaction ran reads the outcome later, by its key or by the rows.
        let _ = self.reply.send(verdict);
    }
}

impl Writer {
    async fn run(&mut self, jobs: Vec<Order>) {
        let mut jobs: Vec<_> = jobs.into_iter().filter_map(Order::wanted).collect();
        if jobs.len() > 1 {
            match self.attempt(&jobs).await {
                Ok(verdicts) => {
                    self.shared.note_written();
                    for (job, verdict) in jobs.into_iter().zip(verdicts) {
                        job.answer(verdict);
                    }
                    return;
                }
                Err(error) => tracing::warn!(?error, "a shared transaction failed; each is run by itself"),
            }
        }
        for job in jobs.drain(..).filter_map(Order::wanted) {
            let one = [job];
            let verdict = self.attempt(&one).await;
            let verdict = verdict.and_then(|verdicts| verdicts.into_iter().next().unwrap_or_else(lost));
            self.shared.note_written();
            let [job] = one;
            job.answer(verdict);
        }
    }

    /// Carries all jobs out in one transaction, and once more if what was remembered of an event was not true any more: it is
    /// forgotten then, and read the second time. So whose memory is wrong costs the others no flush of their own.
    async fn attempt(&mut self, jobs: &[Order]) -> Result<Vec<Result<Done>>> {
        match self.transact(jobs).await {
            Err(error) if error.is_stale() => self.transact(jobs).await,
            verdicts => verdicts,
        }
    }

    /// Carries all jobs out in one transaction: each has its own verdict, or all have none.
    async fn transact(&mut self, jobs: &[Order]) -> Result<Vec<Result<Done>>> {
        let shared = Arc::clone(&self.shared);
        let conn = self.connected().await?;
        execute(conn, "BEGIN IMMEDIATE").await?;
        let mut verdicts = match members(conn, jobs, &shared).await {
            Ok(verdicts) => execute(conn, "COMMIT").await.map(|()| verdicts),
            Err(error) => Err(error),
        };
        // After some errors SQLite has rolled back by itself; a connection in doubt is made anew.
        if verdicts.is_err() && execute(conn, "ROLLBACK").await.is_err() {
            self.conn = None;
        }
        for (job, verdict) in jobs.iter().zip(verdicts.iter_mut().flatten()) {
            if let (Work::Batch(tenant, event, _), Ok(Done::Batch(batch))) = (&job.work, verdict) {
                shared.known.put((*tenant, *event), batch.known.take());
            }
        }
        verdicts
    }

    async fn connected(&mut self) -> Result<&mut SqliteConnection> {
        if self.conn.is_none() {
            self.conn = Some(self.shared.place.to_write().await.map_err(fault)?);
        }
        self.conn.as_mut().ok_or_else(|| Error::internal(anyhow::anyhow!("no connection to write by")))
    }

    async fn close(self) {
        if let Some(conn) = self.conn
            && let Err(error) = sqlx::Connection::close(conn).await
        {
            tracing::warn!(%error, "the writer's connection could not be closed");
        }
    }
}

fn lost() -> Result<Done> {
    Err(Error::internal(anyhow::anyhow!("a job without a verdict")))
}

async fn members(conn: &mut SqliteConnection, jobs: &[Order], shared: &Shared) -> Result<Vec<Result<Done>>> {
    let mut verdicts = Vec::with_capacity(jobs.len());
    for job in jobs {
        // What is remembered is seldom wrong: then all is taken back and run again, and no batch that is right needs a
        // savepoint.
        if let Some(batch) = by_known(conn, shared, &job.work).await? {
            verdicts.push(Ok(Done::Batch(batch.into())));
            continue;
        }
        // Alone in its transaction it needs none either: when it fails, all of it does.
        if let [Order { work: Work::Batch(..), .. }] = jobs {
            return Ok(vec![Ok(carry_out(conn, &job.work, shared).await?)]);
        }
        execute(conn, "SAVEPOINT member").await?;
        let verdict = match carry_out(conn, &job.work, shared).await {
            Ok(done) => Ok(done),
            Err(error) if is_verdict(&error) => {
                execute(conn, "ROLLBACK TO member").await?;
                Err(error)
            }
            Err(error) => return Err(error),
        };
        execute(conn, "RELEASE member").await?;
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// Carries a batch out by what is remembered; nothing, where that is not enough. Where it is not true any more, it is
/// forgotten, and the batch is stale.
async fn by_known(conn: &mut SqliteConnection, shared: &Shared, work: &Work) -> Result<Option<Batch>> {
    let Work::Batch(tenant, event, jobs) = work else { return Ok(None) };
    let of = (*tenant, *event);
    let Some(known) = shared.known.get(of) else { return Ok(None) };
    let Some(judged) = batch::judge_known(*event, (&known, shared.clock.now()), jobs) else {
        return Ok(None);
    };
    if let Err(error) = judged.write(conn, *tenant).await {
        shared.known.put(of, None);
        return Err(error);
    }
    Ok(Some(judged.done(&known)))
}

async fn carry_out(conn: &mut SqliteConnection, work: &Work, shared: &Shared) -> Result<Done> {
    let now = shared.clock.now();
    let changeset = match work {
        Work::Upkeep(upkeep) => return upkeep::run(conn, upkeep).await.map(Done::Rows),
        Work::Batch(tenant, event, jobs) => {
            let known = shared.known.get((*tenant, *event));
            let batch = batch::run(conn, *tenant, *event, (jobs, known.as_deref())).await?;
            return Ok(Done::Batch(batch.into()));
        }
        Work::Changeset(changeset) => changeset,
    };
    match apply(conn, changeset, now).await? {
        Applied::Written(_) => Ok(Done::Committed(Committed::Stored)),
        Applied::Claimed => {
            execute(conn, "ROLLBACK TO member").await?;
            let Some(claim) = &changeset.claim else { return Err(Error::stale()) };
            let recorded = idempotency::recorded(conn, &claim.scope, now).await?;
            let recorded = recorded.ok_or_else(Error::stale)?;
            Ok(Done::Committed(Committed::Replayed(Box::new(recorded))))
        }
    }
}

async fn execute(conn: &mut SqliteConnection, sql: &'static str) -> Result<()> {
    sqlx::query(sql).execute(conn).await.map(|_| ()).map_err(fault)
}
