//! One batch of commands: their state is read or cached, each command is decided by itself, the changes are written.

use std::sync::Arc;

use tessera_core::id::{EventId, ReservationId, TenantId};
use tessera_core::inventory::batch_state::BatchWrites;
use tessera_core::inventory::job::is_exhausted;
use tessera_core::inventory::{BatchState, Job, JobOutcome};
use tessera_core::outbox::ObjectRef;
use tessera_core::{Result, Timestamp};

use super::super::{Conn, dialect};
use super::cached_event::{CachedEvent, TermVersions};
use super::{state, write};

/// Result of a batch.
pub(in super::super::super) struct Batch {
    /// One result for each command.
    pub(in super::super::super) verdicts: Vec<Result<JobOutcome>>,
    /// Changed objects; if there are none, there is nothing to commit.
    pub(in super::super::super) objects: Vec<ObjectRef>,
    /// Identifies the transaction in the database.
    #[allow(dead_code, reason = "used only where the answer to COMMIT can be lost")]
    pub(in super::super::super) token: String,
    /// Cache entry for the next batch.
    pub(in super::super::super) cached: Option<CachedEvent>,
}

/// Reads the state, decides the commands and writes the changes; `cached` is the present cache entry. The caller begins
/// the transaction, locks the event's pools, and ends the transaction. Rows of promotions and codes are locked here.
pub(in super::super::super) async fn run(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    (jobs, cached): (&[Arc<Job>], Option<&CachedEvent>),
) -> Result<Batch> {
    let (mut state, versions) = state::read(conn, (tenant, event), (jobs, dialect::LOCK_TO_CHANGE)).await?;
    let verdicts = jobs.iter().map(|job| state.apply(job)).collect();
    let objects = objects(&state.writes);
    let token =
        if objects.is_empty() { String::new() } else { write::all(conn, tenant, &state, None).await? };
    Ok(Batch { verdicts, objects, token, cached: CachedEvent::of(&state, versions, cached) })
}

/// Commands that were decided by cached terms.
pub(in super::super::super) struct Decided {
    state: BatchState,
    versions: TermVersions,
    verdicts: Vec<Result<JobOutcome>>,
}

/// Decides commands by cached terms, or returns `None` if they do not suffice.
pub(in super::super::super) fn decide_cached(
    event: EventId,
    (cached, now): (&CachedEvent, Timestamp),
    jobs: &[Arc<Job>],
) -> Option<Decided> {
    let (mut state, versions) = cached.state(event, now, jobs)?;
    let verdicts: Vec<_> = jobs.iter().map(|job| state.apply(job)).collect();
    // Idempotency keys are not read. A used key fails the write; the key of a refused command has to be read.
    let unsure = |(job, verdict): (&Arc<Job>, &Result<JobOutcome>)| {
        is_exhausted(verdict) || (verdict.is_err() && job.key.is_some())
    };
    let enough = !state.writes.is_empty() && !jobs.iter().zip(&verdicts).any(unsure);
    enough.then_some(Decided { state, versions, verdicts })
}

impl Decided {
    /// Writes the changes in one statement that fails if the cached terms are stale.
    pub(in super::super::super) async fn write(&self, conn: &mut Conn, tenant: TenantId) -> Result<()> {
        write::all(conn, tenant, &self.state, Some(&self.versions)).await.map(drop)
    }

    /// Returns one of the written reservations.
    #[allow(dead_code, reason = "used only where the answer to COMMIT can be lost")]
    pub(in super::super::super) fn first(&self) -> Option<ReservationId> {
        self.state.writes.reservations.keys().next().copied()
    }

    /// Returns the result, after it was written.
    pub(in super::super::super) fn done(self, cached: &CachedEvent) -> Batch {
        let cached = cached.clone().after(&self.state);
        let objects = objects(&self.state.writes);
        Batch { verdicts: self.verdicts, objects, token: String::new(), cached: Some(cached) }
    }
}

/// Decides commands without locks and writes, or returns `None` if there would be something to write.
pub(in super::super::super) async fn peek(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    jobs: &[Arc<Job>],
) -> Result<Option<Vec<Result<JobOutcome>>>> {
    let (mut state, _) = state::read(conn, (tenant, event), (jobs, "")).await?;
    let verdicts = jobs.iter().map(|job| state.apply(job)).collect();
    Ok(state.writes.is_empty().then_some(verdicts))
}

fn objects(writes: &BatchWrites) -> Vec<ObjectRef> {
    writes.facts.iter().map(|fact| fact.object.clone()).collect()
}
