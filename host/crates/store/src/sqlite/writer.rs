//! The writer: executes waiting requests, tenants in turn, in one transaction with a savepoint for each, and replies after
//! the commit.

use std::sync::Arc;

use sqlx::SqliteConnection;
use tessera_core::changeset::Committed;
use tessera_core::{Error, Result};

use super::request::{Outcome, WriteOp, WriteRequest};
use super::shared::Shared;
use super::sql::apply::{Applied, apply};
use super::sql::idempotency;
use super::sql::inventory::batch::{self, Batch};
use super::sql::maintenance;
use crate::error::{db_error, is_domain_error};

/// Maximum number of requests in one transaction.
const MAX_BATCH: usize = 64;

/// Maximum cost of the requests in one transaction, unless the first alone exceeds it.
const MAX_COST: u64 = 1_000;

/// Starts the task, which runs until the queue is closed and empty.
pub(super) fn spawn(shared: &Arc<Shared>, conn: SqliteConnection) {
    let own = Arc::clone(shared);
    shared.tasks.spawn(async move {
        let _abandon = Abandon(Arc::clone(&own));
        let mut writer = Writer { shared: Arc::clone(&own), conn: Some(conn) };
        while let Some(requests) = own.queue.pop(MAX_BATCH, MAX_COST).await {
            writer.run(requests).await;
        }
        writer.close().await;
    });
}

/// Fails the waiting requests if the writer panics.
struct Abandon(Arc<Shared>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.queue.abandon();
    }
}

struct Writer {
    shared: Arc<Shared>,
    /// `None` after a failure, until the next use.
    conn: Option<SqliteConnection>,
}

impl Writer {
    async fn run(&mut self, requests: Vec<WriteRequest>) {
        let mut requests: Vec<_> = requests.into_iter().filter_map(WriteRequest::unless_expired).collect();
        if requests.len() > 1 {
            match self.attempt(&requests).await {
                Ok(results) => {
                    self.shared.note_written();
                    for (request, result) in requests.into_iter().zip(results) {
                        request.reply(result);
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(?error, "shared transaction failed; running each request by itself")
                }
            }
        }
        for request in requests.drain(..).filter_map(WriteRequest::unless_expired) {
            let one = [request];
            let result = self.attempt(&one).await;
            let result = result.and_then(|results| results.into_iter().next().unwrap_or_else(missing));
            self.shared.note_written();
            let [request] = one;
            request.reply(result);
        }
    }

    /// Executes all requests in one transaction, and again if a cached event was stale: it is evicted then and read the
    /// second time, so that a stale entry does not cost the others a flush of their own.
    async fn attempt(&mut self, requests: &[WriteRequest]) -> Result<Vec<Result<Outcome>>> {
        match self.transact(requests).await {
            Err(error) if error.is_stale() => self.transact(requests).await,
            results => results,
        }
    }

    /// Executes all requests in one transaction: each gets its own result, or the transaction fails.
    async fn transact(&mut self, requests: &[WriteRequest]) -> Result<Vec<Result<Outcome>>> {
        let shared = Arc::clone(&self.shared);
        let conn = self.connected().await?;
        execute(conn, "BEGIN IMMEDIATE").await?;
        let mut results = match execute_all(conn, requests, &shared).await {
            Ok(results) => execute(conn, "COMMIT").await.map(|()| results),
            Err(error) => Err(error),
        };
        // After some errors SQLite has rolled back already; a connection in doubt is replaced.
        if results.is_err() && execute(conn, "ROLLBACK").await.is_err() {
            self.conn = None;
        }
        for (request, result) in requests.iter().zip(results.iter_mut().flatten()) {
            if let (WriteOp::Batch(tenant, event, _), Ok(Outcome::Batch(batch))) = (&request.op, result) {
                shared.cached_events.put((*tenant, *event), batch.cached.take());
            }
        }
        results
    }

    async fn connected(&mut self) -> Result<&mut SqliteConnection> {
        if self.conn.is_none() {
            self.conn = Some(self.shared.file.to_write().await.map_err(db_error)?);
        }
        self.conn.as_mut().ok_or_else(|| Error::internal(anyhow::anyhow!("the writer has no connection")))
    }

    async fn close(self) {
        if let Some(conn) = self.conn
            && let Err(error) = sqlx::Connection::close(conn).await
        {
            tracing::warn!(%error, "close of the writer's connection failed");
        }
    }
}

fn missing() -> Result<Outcome> {
    Err(Error::internal(anyhow::anyhow!("a request without a result")))
}

async fn execute_all(
    conn: &mut SqliteConnection,
    requests: &[WriteRequest],
    shared: &Shared,
) -> Result<Vec<Result<Outcome>>> {
    let mut results = Vec::with_capacity(requests.len());
    for request in requests {
        // A cached event is seldom stale, so the batch has no savepoint: on failure all requests are rolled back and run
        // again.
        if let Some(batch) = run_cached(conn, shared, &request.op).await? {
            results.push(Ok(Outcome::Batch(batch.into())));
            continue;
        }
        // Alone in its transaction a batch needs no savepoint either.
        if let [WriteRequest { op: WriteOp::Batch(..), .. }] = requests {
            return Ok(vec![Ok(execute_one(conn, &request.op, shared).await?)]);
        }
        execute(conn, "SAVEPOINT member").await?;
        let result = match execute_one(conn, &request.op, shared).await {
            Ok(done) => Ok(done),
            Err(error) if is_domain_error(&error) => {
                execute(conn, "ROLLBACK TO member").await?;
                Err(error)
            }
            Err(error) => return Err(error),
        };
        execute(conn, "RELEASE member").await?;
        results.push(result);
    }
    Ok(results)
}

/// Executes a batch by its cached event, or returns `None` if that does not suffice. A stale entry is evicted, and the batch
/// fails as stale.
async fn run_cached(conn: &mut SqliteConnection, shared: &Shared, op: &WriteOp) -> Result<Option<Batch>> {
    let WriteOp::Batch(tenant, event, jobs) = op else { return Ok(None) };
    let of = (*tenant, *event);
    let Some(cached) = shared.cached_events.get(of) else { return Ok(None) };
    let Some(decided) = batch::decide_cached(*event, (&cached, shared.clock.now()), jobs) else {
        return Ok(None);
    };
    if let Err(error) = decided.write(conn, *tenant).await {
        shared.cached_events.put(of, None);
        return Err(error);
    }
    Ok(Some(decided.done(&cached)))
}

async fn execute_one(conn: &mut SqliteConnection, op: &WriteOp, shared: &Shared) -> Result<Outcome> {
    let now = shared.clock.now();
    let changeset = match op {
        WriteOp::Maintenance(maintenance) => {
            return maintenance::run(conn, maintenance).await.map(Outcome::Rows);
        }
        WriteOp::Batch(tenant, event, jobs) => {
            let cached = shared.cached_events.get((*tenant, *event));
            let batch = batch::run(conn, *tenant, *event, (jobs, cached.as_deref())).await?;
            return Ok(Outcome::Batch(batch.into()));
        }
        WriteOp::Changeset(changeset) => changeset,
    };
    match apply(conn, changeset, now).await? {
        Applied::Written(_) => Ok(Outcome::Committed(Committed::Stored)),
        Applied::Claimed => {
            execute(conn, "ROLLBACK TO member").await?;
            let Some(claim) = &changeset.claim else { return Err(Error::stale()) };
            let recorded = idempotency::recorded(conn, &claim.scope, now).await?;
            let recorded = recorded.ok_or_else(Error::stale)?;
            Ok(Outcome::Committed(Committed::Replayed(Box::new(recorded))))
        }
    }
}

async fn execute(conn: &mut SqliteConnection, sql: &'static str) -> Result<()> {
    sqlx::query(sql).execute(conn).await.map(|_| ()).map_err(db_error)
}
