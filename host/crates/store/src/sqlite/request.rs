//! Requests to the writer.

use std::sync::Arc;
use std::time::Instant;

use tessera_core::changeset::{Changeset, Committed, Write};
use tessera_core::id::{EventId, TenantId};
use tessera_core::inventory::Job;
use tessera_core::{Error, Result};
use tokio::sync::oneshot;

use super::sql::inventory::batch::Batch;
use super::sql::maintenance::Maintenance;

/// A write and where its outcome is sent.
pub(super) struct WriteRequest {
    pub(super) op: WriteOp,
    pub(super) reply: oneshot::Sender<Result<Outcome>>,
}

/// A write.
pub(super) enum WriteOp {
    Changeset(Box<Changeset>),
    /// Commands of one event.
    Batch(TenantId, EventId, Vec<Arc<Job>>),
    Maintenance(Maintenance),
}

impl WriteOp {
    /// Returns about how many rows it writes.
    pub(super) fn cost(&self) -> u64 {
        let rows = match self {
            Self::Changeset(changeset) => {
                changeset.writes.iter().map(rows_of).sum::<usize>() + changeset.facts.len()
            }
            Self::Batch(_, _, jobs) => jobs.iter().map(|job| job.units).sum(),
            Self::Maintenance(_) => 1,
        };
        rows as u64
    }
}

/// Returns about how many rows a part of a changeset writes.
fn rows_of(write: &Write) -> usize {
    match write {
        Write::CreateCodes(codes) | Write::FreeKeptUnits(codes) => codes.len(),
        _ => 1,
    }
}

/// Outcome of a write.
pub(super) enum Outcome {
    Committed(Committed),
    Batch(Box<Batch>),
    Rows(u64),
}

impl WriteRequest {
    /// Returns the request unless its caller has left or its deadline has passed.
    pub(super) fn unless_expired(self) -> Option<Self> {
        if self.reply.is_closed() {
            return None;
        }
        if let WriteOp::Changeset(changeset) = &self.op
            && Instant::now() >= changeset.deadline
        {
            self.reply(Err(Error::deadline()));
            return None;
        }
        Some(self)
    }

    pub(super) fn reply(self, result: Result<Outcome>) {
        // A caller that has left reads the outcome later, by its key or by the rows.
        let _ = self.reply.send(result);
    }
}
