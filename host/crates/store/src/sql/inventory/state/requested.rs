//! Rows that the commands of a batch refer to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tessera_core::id::TicketTypeId;
use tessera_core::idempotency::RequestKey;
use tessera_core::inventory::job::Reserve;
use tessera_core::inventory::{Command, Job};
use uuid::Uuid;

/// Keys of the rows that the commands of a batch refer to. Each entry is an array, as the statement reads it.
#[derive(Default)]
pub(super) struct Requested {
    pub(super) types: BTreeSet<[Uuid; 1]>,
    pub(super) reservations: BTreeSet<[Uuid; 1]>,
    pub(super) buyers: BTreeSet<[String; 1]>,
    pub(super) keys: Vec<[String; 3]>,
    pub(super) seats: BTreeSet<(Uuid, String)>,
    /// Units of each type that any seat will do for.
    pub(super) any: BTreeMap<TicketTypeId, u32>,
}

impl Requested {
    pub(super) fn of(jobs: &[Arc<Job>]) -> Self {
        let mut requested = Self::default();
        for job in jobs {
            if let Some(RequestKey { scope, .. }) = &job.key {
                let key = [scope.principal.clone(), scope.operation.name().into(), scope.key.as_str().into()];
                requested.keys.push(key);
            }
            match &job.command {
                Command::Reserve(command) => {
                    requested.buyers.insert([command.buyer.clone()]);
                    for line in &command.lines {
                        requested.types.insert([line.ticket_type.0]);
                        requested
                            .seats
                            .extend(line.seats.iter().map(|seat| (line.ticket_type.0, seat.clone())));
                    }
                    requested.count_any_seats(command);
                }
                Command::Confirm { id, .. } | Command::Extend { id, .. } | Command::Release { id, .. } => {
                    requested.reservations.insert([id.0]);
                }
                Command::Sweep => {}
            }
        }
        requested
    }

    fn count_any_seats(&mut self, command: &Reserve) {
        for line in command.lines.iter().filter(|line| line.seats.is_empty()) {
            let units = u32::try_from(line.units.len()).unwrap_or(u32::MAX);
            let count = self.any.entry(line.ticket_type).or_default();
            *count = count.saturating_add(units);
        }
    }
}
