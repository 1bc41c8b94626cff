//! What a host remembers of an event's terms and supply from one batch to the next, so that a batch of plain
//! reservations is judged without reading anything. It is written only if the terms are still the same, and the
//! pools' own bounds hold: who remembers wrongly fails, and reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use tessera_core::Timestamp;
use tessera_core::id::{EventId, PoolId, TicketTypeId};
use tessera_core::inventory::rules::Supply;
use tessera_core::inventory::terms::{EventTerms, TypeTerms};
use tessera_core::inventory::{Book, Command, Job};

use super::super::rows::{Rows, RowsOf};

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
    /// The rows that the condition [`dialect::STILL`] speaks of; `now` is when the commands were judged.
    pub(super) fn given(&self, event: EventId, now: Timestamp) -> [(&'static str, Rows<'static>); 2] {
        let of_event = RowsOf::new([self])
            .ids("id", |_| event.0)
            .numbers("version", |seen| seen.event)
            .numbers("holds", |seen| seen.holds)
            .moments("judged", |_| now);
        let of_types =
            RowsOf::new(&self.types).ids("id", |(id, _)| id.0).numbers("version", |(_, version)| *version);
        [("$event", of_event.rows()), ("$types", of_types.rows())]
    }
}

impl Known {
    /// Remembers a book's terms, where commands can be judged by them alone: no queue and no limit of buyers, and of the
    /// types those without seats. What was remembered of other types stays, if the event is the same.
    pub(super) fn of(book: &Book, mut seen: Seen, before: Option<&Self>) -> Option<Self> {
        let event = book.event.clone().filter(|event| !event.queued && event.buyer_limit.is_none())?;
        let mut types = book.types.clone();
        for (id, terms) in
            before.filter(|known| known.seen.event == seen.event).iter().flat_map(|known| &known.types)
        {
            types.entry(*id).or_insert_with(|| terms.clone());
        }
        types.retain(|_, terms| !terms.seated);
        for (id, version) in before.iter().flat_map(|known| &known.seen.types) {
            seen.types.entry(*id).or_insert(*version);
        }
        seen.types.retain(|id, _| types.contains_key(id));
        Some(Self { event, types, pools: book.pools.clone(), seen })
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
