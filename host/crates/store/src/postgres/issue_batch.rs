//! Batches of new issues. Changesets that only insert issues of one project and their timers, and arrive while others are
//! being written, are written together by one statement, which is a transaction of its own: the server spends more on starting
//! a statement than on writing a row. The statement fails if any expectation does not hold; then each changeset is
//! written by itself, and gets its own result.

use std::sync::Arc;
use std::time::Instant;

use tessera_core::changeset::{Changeset, Committed};
use tessera_core::id::{IssueId, TenantId};
use tessera_core::{Error, ErrorKind, Result};

use super::commit::{notify_committed, settle, transact};
use super::issue_queue::{Key, Reply, Waiting, copy_of, reply_all};
use super::issue_statement::{NewIssues, parts};
use super::shared::Shared;
use super::statements;
use crate::error::{db_error, is_outcome_unknown};
use crate::limits;

/// Removes the queue if its task panics: the waiting callers get an error, and the next caller starts a new task.
struct QueueGuard<'a> {
    shared: &'a Shared,
    key: Key,
}

impl Drop for QueueGuard<'_> {
    fn drop(&mut self) {
        self.shared.issue_queues.remove(self.key);
    }
}

/// Returns the project of a changeset that only inserts issues of one project and their timers.
pub(super) fn project(changeset: &Changeset) -> Option<Key> {
    let new = NewIssues::of(changeset)?;
    let project = new.issues.first()?.project;
    new.issues.iter().all(|issue| issue.project == project).then_some((changeset.tenant, project))
}

/// Queues such a changeset, and starts a task for the project unless one is running.
pub(super) fn submit(shared: &Arc<Shared>, key: Key, changeset: Changeset, reply: Reply) {
    if shared.issue_queues.push(key, Waiting { changeset, reply }) {
        let own = Arc::clone(shared);
        shared.writes.spawn(async move { run(&own, key).await });
    }
}

async fn run(shared: &Arc<Shared>, key: Key) {
    let guard = QueueGuard { shared, key };
    while shared.issue_queues.is_waiting(key) {
        let permit = limits::acquire(&shared.limiter, key.0.into()).await;
        let mut batch = shared.issue_queues.take(key);
        batch.retain(|waiting| !waiting.reply.is_closed());
        match permit {
            Ok(_permit) => write_and_reply(shared, key.0, batch).await,
            Err(error) => reply_all(batch, || Err(copy_of(&error))),
        }
    }
    // The queue is removed already, and another task may have started.
    std::mem::forget(guard);
}

/// Writes changesets of a project and replies to each caller.
async fn write_and_reply(shared: &Shared, tenant: TenantId, batch: Vec<Waiting>) {
    let now = Instant::now();
    let (batch, late): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|waiting| now < waiting.changeset.deadline);
    reply_all(late, || Err(Error::deadline()));
    let changesets: Vec<_> = batch.iter().map(|waiting| &waiting.changeset).collect();
    match write(shared, tenant, &changesets).await {
        Ok(true) => reply_all(batch, || Ok(Committed::Stored)),
        Ok(false) => {
            for Waiting { changeset, reply } in batch {
                // A caller that has left reads the outcome later, by its key or by the rows.
                let _ = reply.send(transact(shared, &changeset).await);
            }
        }
        Err(error) => {
            tracing::warn!(?error, changesets = batch.len(), "write of new issues failed");
            reply_all(batch, || Err(copy_of(&error)));
        }
    }
}

/// Writes the issues of changesets by one statement and returns whether it did. An error means that the database is
/// unavailable.
async fn write(shared: &Shared, tenant: TenantId, changesets: &[&Changeset]) -> Result<bool> {
    let mut new = NewIssues::default();
    for NewIssues { issues, timers } in changesets.iter().filter_map(|changeset| NewIssues::of(changeset)) {
        new.issues.extend(issues);
        new.timers.extend(timers);
    }
    let (Some(first), Ok(parts)) = (new.issues.first(), parts(changesets, &new)) else { return Ok(false) };
    let mut conn = shared.pool.acquire().await.map_err(db_error)?;
    match statements::write_together(&mut conn, tenant, &parts).await {
        Ok(_) => shared.pool.keep(conn),
        // The statement is its own transaction: an unknown outcome is handled as that of a COMMIT.
        Err(error) if is_outcome_unknown(&error) => {
            settle(error, || is_stored(shared, tenant, first.id)).await?
        }
        Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
        Err(error) => {
            if !error.is_stale() {
                tracing::warn!(?error, "batch of new issues failed; writing each by itself");
            }
            return Ok(false);
        }
    }
    notify_committed(shared);
    Ok(true)
}

/// Returns whether the batch is stored, by its first issue.
async fn is_stored(shared: &Shared, tenant: TenantId, first: IssueId) -> Result<Option<bool>, sqlx::Error> {
    let mut conn = shared.pool.acquire().await?;
    let query = sqlx::query("SELECT 1 FROM issues WHERE tenant_id = $1 AND id = $2");
    let row = query.bind(tenant.0).bind(first.0).fetch_optional(&mut *conn).await?;
    // Not found may mean that the server has not executed the statement yet.
    Ok(row.map(|_| true))
}
