//! What a host remembers of an event's terms and supply from one batch to the next, so that a batch of plain
//! reservations is judged without reading anything. It is written only if the terms are still the same, and the
//! pools' own bounds hold: who remembers wrongly fails, and reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use tessera_core::Timestamp;
use tessera_core::id::{EventId, PoolId, TicketTypeId};
use tessera_core::inventory::rules::{EventTerms, Supply, TypeTerms};
use tessera_core::inventory::{Book, Command, Job};

use super::rows::{Rows, RowsOf};

/// By which versions terms are told from others.
#[derive(Clone, Default, Debug)]
pub(super) struct Seen {
    /// The event's.
    pub(super) event: i64,
    /// The tenant's rules of holding, if there are any.
    pub(super) holds: Option<i64>,
    /// The ticket types'.
    pub(super) types: BTreeMap<TicketTypeId, i64>,
}

/// What is remembered of an event.
#[derive(Clone, Debug)]
pub(in super::super::super) struct Known {
    event: EventTerms,
    types: BTreeMap<TicketTypeId, TypeTerms>,
    pools: BTreeMap<PoolId, Supply>,
    seen: Seen,
}

impl Seen {
    /// The condition that all is as it was seen.
    pub(super) const STILL: &'static str = "(SELECT COUNT(*) FROM $event WHERE
              (SELECT e.version FROM events e WHERE e.tenant_id = $1 AND e.id = v.id AND e.deleted_at IS NULL)
              = v.version
              AND (SELECT COUNT(*) FROM queues q WHERE q.tenant_id = $1 AND q.event_id = v.id AND q.required) = 0
              AND (SELECT h.version FROM hold_rules h WHERE h.tenant_id = $1) IS NOT DISTINCT FROM v.holds) = 1
             AND (SELECT COUNT(*) FROM $types WHERE
              (SELECT t.version FROM ticket_types t WHERE t.tenant_id = $1 AND t.id = v.id) = v.version)
              = (SELECT COUNT(*) FROM $types)";

    /// The rows that the condition speaks of.
    pub(super) fn given(&self, event: EventId) -> [(&'static str, Rows<'static>); 2] {
        let of_event = RowsOf::new([self])
            .ids("id", |_| event.0)
            .numbers("version", |seen| seen.event)
            .numbers("holds", |seen| seen.holds);
        let of_types =
            RowsOf::new(&self.types).ids("id", |(id, _)| id.0).numbers("version", |(_, version)| *version);
        [("$event", of_event.rows()), ("$types", of_types.rows())]
    }
}

impl Known {
    /// Remembers a book's terms, where commands can be judged by them alone: no queue, no limit of buyers, no seats.
    pub(super) fn of(book: &Book, seen: Seen) -> Option<Self> {
        let event = book.event.clone().filter(|event| !event.queued && event.buyer_limit.is_none())?;
        let plain = !book.types.is_empty() && book.types.values().all(|terms| !terms.seated);
        plain.then(|| Self { event, types: book.types.clone(), pools: book.pools.clone(), seen })
    }

    /// The same with what is remembered of other types of the event.
    pub(in super::super::super) fn with(mut self, other: Option<&Self>) -> Self {
        let Some(other) = other.filter(|other| other.seen.event == self.seen.event) else { return self };
        for (id, terms) in &other.types {
            self.types.entry(*id).or_insert_with(|| terms.clone());
        }
        for (id, version) in &other.seen.types {
            self.seen.types.entry(*id).or_insert(*version);
        }
        self
    }

    /// The same after a book that was made of it is written.
    pub(super) fn after(mut self, book: &Book) -> Self {
        self.pools.clone_from(&book.pools);
        self
    }

    /// A book to judge these commands by, if what is remembered is enough.
    pub(super) fn book(&self, id: EventId, now: Timestamp, jobs: &[Arc<Job>]) -> Option<(Book, Seen)> {
        let mut types = BTreeMap::new();
        for job in jobs {
            let Command::Reserve(wanted) = &job.command else { return None };
            for line in &wanted.lines {
                types.insert(line.ticket_type, self.types.get(&line.ticket_type)?.clone());
            }
        }
        let versions = self.seen.types.iter().filter(|(id, _)| types.contains_key(id));
        let seen =
            Seen { types: versions.map(|(id, version)| (*id, *version)).collect(), ..self.seen.clone() };
        let book = Book {
            types,
            event: Some(self.event.clone()),
            pools: self.pools.clone(),
            ..Book::empty(id, now)
        };
        Some((book, seen))
    }
}
