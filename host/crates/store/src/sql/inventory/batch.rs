//! One batch: all that the commands need is read, each is judged by itself, and what came of it is written. The caller
//! begins the transaction, locks the event's pools, and ends it.

use std::sync::Arc;

use tessera_core::Result;
use tessera_core::id::{EventId, TenantId};
use tessera_core::inventory::rules::Writes;
use tessera_core::inventory::{Job, Outcome};
use tessera_core::outbox::ObjectRef;

use super::super::Conn;
use super::{book, write};

/// How a batch ended.
pub(in super::super::super) struct Batch {
    /// One for each command.
    pub(in super::super::super) verdicts: Vec<Result<Outcome>>,
    /// What was changed; nothing: there is nothing to commit.
    pub(in super::super::super) objects: Vec<ObjectRef>,
    /// By this the database knows the transaction.
    #[allow(dead_code, reason = "only where the answer to COMMIT can be lost is it asked for")]
    pub(in super::super::super) token: String,
}

/// Judges the commands, and writes what came of them.
pub(in super::super::super) async fn run(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    jobs: &[Arc<Job>],
) -> Result<Batch> {
    let mut book = book::read(conn, (tenant, event), jobs).await?;
    let verdicts = jobs.iter().map(|job| book.judge(job)).collect();
    if book.writes.is_empty() {
        return Ok(Batch { verdicts, objects: Vec::new(), token: String::new() });
    }
    let objects = objects(&book.writes);
    let token = write::all(conn, tenant, &book).await?;
    Ok(Batch { verdicts, objects, token })
}

/// The same without locks and without writing: the verdicts, if nothing would have to be written.
pub(in super::super::super) async fn peek(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    jobs: &[Arc<Job>],
) -> Result<Option<Vec<Result<Outcome>>>> {
    let mut book = book::read(conn, (tenant, event), jobs).await?;
    let verdicts = jobs.iter().map(|job| book.judge(job)).collect();
    Ok(book.writes.is_empty().then_some(verdicts))
}

fn objects(writes: &Writes) -> Vec<ObjectRef> {
    writes.facts.iter().map(|fact| fact.object.clone()).collect()
}
