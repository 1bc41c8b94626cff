//! One batch: what the commands need is read or remembered, each is judged by itself, and what came of it is written.

use std::sync::Arc;

use tessera_core::id::{EventId, ReservationId, TenantId};
use tessera_core::inventory::rules::{Writes, is_short};
use tessera_core::inventory::{Book, Job, Outcome};
use tessera_core::outbox::ObjectRef;
use tessera_core::{Result, Timestamp};

use super::super::Conn;
use super::terms::Seen;
use super::{Known, book, write};

/// How a batch ended.
pub(in super::super::super) struct Batch {
    /// One for each command.
    pub(in super::super::super) verdicts: Vec<Result<Outcome>>,
    /// What was changed; nothing: there is nothing to commit.
    pub(in super::super::super) objects: Vec<ObjectRef>,
    /// By this the database knows the transaction.
    #[allow(dead_code, reason = "only where the answer to COMMIT can be lost is it asked for")]
    pub(in super::super::super) token: String,
    /// What the next batch may be judged by.
    pub(in super::super::super) known: Option<Known>,
}

/// Reads, judges the commands, and writes what came of them; `known` is what was remembered. The caller begins the
/// transaction, locks the event's pools, and ends it.
pub(in super::super::super) async fn run(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    (jobs, known): (&[Arc<Job>], Option<&Known>),
) -> Result<Batch> {
    let (mut book, seen) = book::read(conn, (tenant, event), jobs).await?;
    let verdicts = jobs.iter().map(|job| book.judge(job)).collect();
    let objects = objects(&book.writes);
    let token =
        if objects.is_empty() { String::new() } else { write::all(conn, tenant, &book, None).await? };
    Ok(Batch { verdicts, objects, token, known: Known::of(&book, seen, known) })
}

/// Commands that were judged by what is remembered.
pub(in super::super::super) struct Judged {
    book: Book,
    seen: Seen,
    verdicts: Vec<Result<Outcome>>,
}

/// Judges the commands by what is remembered. Nothing, where more has to be known.
pub(in super::super::super) fn judge_known(
    event: EventId,
    (known, now): (&Known, Timestamp),
    jobs: &[Arc<Job>],
) -> Option<Judged> {
    let (mut book, seen) = known.book(event, now, jobs)?;
    let verdicts: Vec<_> = jobs.iter().map(|job| book.judge(job)).collect();
    // Keys are not read: one that was used shows when it is written, or not at all where its command is refused.
    let unsure = |(job, verdict): (&Arc<Job>, &Result<Outcome>)| {
        is_short(verdict) || (verdict.is_err() && job.key.is_some())
    };
    let enough = !book.writes.is_empty() && !jobs.iter().zip(&verdicts).any(unsure);
    enough.then_some(Judged { book, seen, verdicts })
}

impl Judged {
    /// Writes what came of them, in one statement that fails if anything is not as it is remembered.
    pub(in super::super::super) async fn write(&self, conn: &mut Conn, tenant: TenantId) -> Result<()> {
        write::all(conn, tenant, &self.book, Some(&self.seen)).await.map(drop)
    }

    /// One of the reservations that it writes.
    #[allow(dead_code, reason = "only where the answer to COMMIT can be lost is it asked for")]
    pub(in super::super::super) fn first(&self) -> Option<ReservationId> {
        self.book.writes.reservations.keys().next().copied()
    }

    /// How it ended, after it was written.
    pub(in super::super::super) fn done(self, known: &Known) -> Batch {
        let known = known.clone().after(&self.book);
        let objects = objects(&self.book.writes);
        Batch { verdicts: self.verdicts, objects, token: String::new(), known: Some(known) }
    }
}

/// The verdicts without locks and without writing, if nothing would have to be written.
pub(in super::super::super) async fn peek(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    jobs: &[Arc<Job>],
) -> Result<Option<Vec<Result<Outcome>>>> {
    let (mut book, _) = book::read(conn, (tenant, event), jobs).await?;
    let verdicts = jobs.iter().map(|job| book.judge(job)).collect();
    Ok(book.writes.is_empty().then_some(verdicts))
}

fn objects(writes: &Writes) -> Vec<ObjectRef> {
    writes.facts.iter().map(|fact| fact.object.clone()).collect()
}
