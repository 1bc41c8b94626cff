//! Cache of an event's terms and supply between batches, so that a batch of plain reservations reads nothing. The write
//! checks the versions of the terms and the bounds of the pools: a stale entry fails the check and is reloaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use tessera_core::Timestamp;
use tessera_core::id::{EventId, PoolId, TicketTypeId};
use tessera_core::inventory::batch_state::PoolSupply;
use tessera_core::inventory::terms::{EventTerms, TypeTerms};
use tessera_core::inventory::{BatchState, Command, Job};

use super::super::rows::{Rows, RowsBuilder};

/// Versions that terms were read at.
#[derive(Clone, Default, Debug)]
pub(super) struct TermVersions {
    /// Version of the event.
    pub(super) event: i64,
    /// Version of the tenant's hold rules, if it has any.
    pub(super) holds: Option<i64>,
    /// Versions of the ticket types.
    pub(super) types: BTreeMap<TicketTypeId, i64>,
}

/// Cached terms and supply of an event.
#[derive(Clone, Debug)]
pub(in super::super::super) struct CachedEvent {
    event: EventTerms,
    types: BTreeMap<TicketTypeId, TypeTerms>,
    pools: BTreeMap<PoolId, PoolSupply>,
    versions: TermVersions,
}

impl TermVersions {
    /// Returns the rows of the condition `TERMS_UNCHANGED`; `now` is the time of the decision.
    pub(super) fn rows(&self, event: EventId, now: Timestamp) -> [(&'static str, Rows<'static>); 2] {
        let of_event = RowsBuilder::new([self])
            .ids("id", |_| event.0)
            .numbers("version", |versions| versions.event)
            .numbers("holds", |versions| versions.holds)
            .moments("decided", |_| now);
        let of_types = RowsBuilder::new(&self.types)
            .ids("id", |(id, _)| id.0)
            .numbers("version", |(_, version)| *version);
        [("$event", of_event.rows()), ("$types", of_types.rows())]
    }
}

impl CachedEvent {
    /// Caches the terms of a batch if commands can be decided by them alone: no queue, no buyer limit, only ticket types
    /// that are neither seated nor hidden. Other cached types are kept if the event's version is the same.
    pub(super) fn of(state: &BatchState, mut versions: TermVersions, before: Option<&Self>) -> Option<Self> {
        let event =
            state.event.clone().filter(|event| !event.queue_required && event.buyer_limit.is_none())?;
        let mut types = state.types.clone();
        for (id, terms) in before
            .filter(|cached| cached.versions.event == versions.event)
            .iter()
            .flat_map(|cached| &cached.types)
        {
            types.entry(*id).or_insert_with(|| terms.clone());
        }
        types.retain(|_, terms| !terms.seated && !terms.hidden);
        for (id, version) in before.iter().flat_map(|cached| &cached.versions.types) {
            versions.types.entry(*id).or_insert(*version);
        }
        versions.types.retain(|id, _| types.contains_key(id));
        Some(Self { event, types, pools: state.pools.clone(), versions })
    }

    /// Takes the supply over from a written batch.
    pub(super) fn after(mut self, state: &BatchState) -> Self {
        self.pools.clone_from(&state.pools);
        self
    }

    /// Returns the state to decide these commands by, if the cached terms suffice. Codes of promotions are never cached.
    pub(super) fn state(
        &self,
        id: EventId,
        now: Timestamp,
        jobs: &[Arc<Job>],
    ) -> Option<(BatchState, TermVersions)> {
        let mut types = BTreeMap::new();
        for job in jobs {
            let Command::Reserve(command) = &job.command else { return None };
            if !command.claims().is_empty() {
                return None;
            }
            for line in &command.lines {
                types.insert(line.ticket_type, self.types.get(&line.ticket_type)?.clone());
            }
        }
        let versions = self.versions.types.iter().filter(|(id, _)| types.contains_key(id));
        let versions = TermVersions {
            types: versions.map(|(id, version)| (*id, *version)).collect(),
            ..self.versions.clone()
        };
        let state = BatchState {
            types,
            event: Some(self.event.clone()),
            pools: self.pools.clone(),
            ..BatchState::empty(id, now)
        };
        Some((state, versions))
    }
}
