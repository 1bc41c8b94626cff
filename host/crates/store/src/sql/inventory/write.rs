//! What a batch writes: for each table one statement over rows that are given, whatever their number.

use tessera_core::Result;
use tessera_core::admission::Ticket;
use tessera_core::id::TenantId;
use tessera_core::inventory::{Book, Reservation};

use super::super::rows::{Part, Rows, RowsOf, Way};
use super::super::{Conn, dialect, idempotency, outbox};
use super::terms::Seen;
use crate::codec::{line_form, signed, unit_form};

/// Writes all that the book wants written; answers by what the database knows the transaction. A book that was made
/// from what is remembered is written only if that is still true.
pub(super) async fn all(
    conn: &mut Conn,
    tenant: TenantId,
    book: &Book,
    still: Option<&Seen>,
) -> Result<String> {
    let pools = match still {
        None => pools(book),
        Some(seen) => pools_if(book, seen),
    };
    // What may find that something has changed comes first, facts last.
    let parts = [
        pools,
        updated(book)?,
        seats(book),
        idempotency::claims(&book.writes.claims)?,
        inserted(book)?,
        tickets(book),
        outbox::all_at_once(&book.writes.facts)?,
    ];
    let parts: Vec<_> = parts.into_iter().filter(|part| part.count() > 0).collect();
    dialect::write_together(conn, tenant, &parts).await
}

fn moved(book: &Book) -> Rows<'_> {
    let moved = book.writes.pools.iter().filter(|(_, (held, sold))| *held != 0 || *sold != 0);
    RowsOf::new(moved)
        .ids("id", |(pool, _)| pool.0)
        .numbers("held", |(_, (held, _))| *held)
        .numbers("sold", |(_, (_, sold))| *sold)
        .rows()
}

/// The pools are locked already.
fn pools(book: &Book) -> Part<'_> {
    Part::new("pools", Way::Expects, moved(book), || {
        format!(
            "{} pools SET held = pools.held + v.held, sold = pools.sold + v.sold FROM $rows
             WHERE pools.tenant_id = $1 AND {} AND pools.id = v.id",
            dialect::UPDATE,
            dialect::of_rows("pools.id", "id"),
        )
    })
}

/// Locks the pools, in the order in which all do, and changes them if then the terms are still as they were seen.
fn pools_if<'a>(book: &'a Book, seen: &Seen) -> Part<'a> {
    let mut part = Part::new("pools if", Way::Expects, moved(book), || {
        format!(
            "WITH locked AS (SELECT v.id, v.held, v.sold FROM pools p JOIN $rows ON p.id = v.id
              WHERE p.tenant_id = $1 AND {} ORDER BY p.id{})
             {} pools SET held = pools.held + locked.held, sold = pools.sold + locked.sold FROM locked
             WHERE pools.tenant_id = $1 AND {} AND pools.id = locked.id AND {}",
            dialect::of_rows("p.id", "id"),
            dialect::LOCK_POOLS,
            dialect::UPDATE,
            dialect::of_rows("pools.id", "id"),
            dialect::STILL,
        )
    });
    part.given.extend(seen.given(book.id, book.now));
    part
}

fn inserted(book: &Book) -> Result<Part<'_>> {
    let new = book.written().filter(|(_, before)| before.is_none()).map(|(held, _)| held);
    let rows = RowsOf::new(new)
        .ids("id", |held: &Reservation| held.id.0)
        .ids("event", |held| held.event.0)
        .texts("buyer", |held| held.buyer.as_str())
        .texts("state", |held| held.state.name())
        .numbers("quantity", |held| signed(held.units.len() as u64))
        .jsons("lines", |held| held.lines.iter().map(line_form).collect::<Vec<_>>())?
        .jsons("units", |held| held.units.iter().map(unit_form).collect::<Vec<_>>())?
        .texts("payment", |held| held.payment_reference.as_deref())
        .texts("created_by", |held| held.created_by.as_str())
        .moments("created_at", |held| held.created_at)
        .moments("updated_at", |held| held.updated_at)
        .moments("expires_at", |held| held.expires_at)
        .numbers("version", |held| signed(held.version))
        .rows();
    Ok(Part::new("new reservations", Way::Inserts, rows, || {
        format!(
            "{} reservations (tenant_id, id, event_id, buyer, state, quantity, lines, units,
             payment_reference, created_by, created_at, updated_at, expires_at, version)
             SELECT $1, v.id, v.event, v.buyer, v.state, v.quantity, v.lines, v.units, v.payment, v.created_by,
             v.created_at, v.updated_at, v.expires_at, v.version FROM $rows WHERE TRUE",
            dialect::INSERT,
        )
    }))
}

fn updated(book: &Book) -> Result<Part<'_>> {
    let changed = book.written().filter_map(|(held, before)| Some((held, before?)));
    let rows = RowsOf::new(changed)
        .ids("id", |(held, _)| held.id.0)
        .texts("was", |(_, (state, _))| state.name())
        .numbers("had", |(_, (_, version))| signed(version))
        .texts("state", |(held, _)| held.state.name())
        .numbers("quantity", |(held, _)| signed(held.units.len() as u64))
        .jsons("units", |(held, _)| held.units.iter().map(unit_form).collect::<Vec<_>>())?
        .texts("payment", |(held, _)| held.payment_reference.as_deref())
        .moments("changed", |(held, _)| held.updated_at)
        .moments("until", |(held, _)| held.expires_at)
        .numbers("next", |(held, _)| signed(held.version))
        .rows();
    Ok(Part::new("reservations", Way::Expects, rows, || {
        format!(
            "{} reservations SET state = v.state, quantity = v.quantity, units = v.units,
             payment_reference = v.payment, updated_at = v.changed, expires_at = v.until, version = v.next FROM $rows
             WHERE reservations.tenant_id = $1 AND {} AND reservations.id = v.id
             AND reservations.state = v.was AND reservations.version = v.had",
            dialect::UPDATE,
            dialect::of_rows("reservations.id", "id"),
        )
    }))
}

fn seats(book: &Book) -> Part<'_> {
    let moved = book.writes.seats.iter().filter(|(_, seat)| seat.was != seat.is.map(|(unit, _)| unit));
    let rows = RowsOf::new(moved)
        .ids("id", |(seat, _)| seat.0)
        .ids("type", |(_, moved)| moved.ticket_type.0)
        .ids("was", |(_, moved)| moved.was.map(|unit| unit.0))
        .ids("unit", |(_, moved)| moved.is.map(|(unit, _)| unit.0))
        .ids("reservation", |(_, moved)| moved.is.map(|(_, reservation)| reservation.0))
        .rows();
    Part::new("seats", Way::Expects, rows, || {
        format!(
            "{} seats SET unit_id = v.unit, reservation_id = v.reservation FROM $rows
             WHERE seats.tenant_id = $1 AND {} AND {} AND seats.ticket_type_id = v.type AND seats.id = v.id
             AND seats.unit_id IS NOT DISTINCT FROM v.was",
            dialect::UPDATE,
            dialect::of_rows("seats.ticket_type_id", "type"),
            dialect::of_rows("seats.id", "id"),
        )
    })
}

fn tickets(book: &Book) -> Part<'_> {
    let rows = RowsOf::new(&book.writes.tickets)
        .ids("id", |ticket: &Ticket| ticket.id.0)
        .ids("event", |ticket| ticket.event.0)
        .ids("reservation", |ticket| ticket.reservation.0)
        .ids("type", |ticket| ticket.ticket_type.0)
        .ids("seat_id", |ticket| ticket.seat.as_ref().map(|seat| seat.id.0))
        .texts("seat", |ticket| ticket.seat.as_ref().map(|seat| seat.label.as_str()))
        .numbers("amount", |ticket| ticket.price.amount)
        .texts("currency", |ticket| ticket.price.currency.as_str())
        .texts("holder", |ticket| ticket.holder.as_str())
        .moments("code_since", |ticket| ticket.code_since)
        .moments("created_at", |ticket| ticket.created_at)
        .moments("updated_at", |ticket| ticket.updated_at)
        .rows();
    Part::new("tickets", Way::Inserts, rows, || {
        format!(
            "{} tickets (tenant_id, id, event_id, reservation_id, ticket_type_id, seat_id, seat, amount,
             currency, holder, code_since, created_at, updated_at)
             SELECT $1, v.id, v.event, v.reservation, v.type, v.seat_id, v.seat, v.amount, v.currency, v.holder,
             v.code_since, v.created_at, v.updated_at FROM $rows WHERE TRUE",
            dialect::INSERT,
        )
    })
}
