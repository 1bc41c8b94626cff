//! Writes of a batch: one statement over rows for each table.

use tessera_core::Result;
use tessera_core::admission::Ticket;
use tessera_core::id::TenantId;
use tessera_core::inventory::batch_state::{CodeChange, PoolChange};
use tessera_core::inventory::{BatchState, Reservation};

use super::super::super::statements;
use super::super::pricing::quote;
use super::super::rows::{Effect, Rows, RowsBuilder, Statement};
use super::super::{Conn, dialect, idempotency, outbox};
use super::cached_event::TermVersions;
use crate::codec::{signed, stored_code_use, stored_line, stored_unit};

/// Writes the changes of a batch and returns the token that identifies the transaction in the database. A batch that was
/// decided by cached terms is written only if their versions are still the same.
pub(super) async fn all(
    conn: &mut Conn,
    tenant: TenantId,
    state: &BatchState,
    versions: Option<&TermVersions>,
) -> Result<String> {
    let pools = match versions {
        None => pools(state),
        Some(versions) => pools_if_unchanged(state, versions),
    };
    // Statements with expectations come first, facts last.
    let parts = [
        pools,
        reservation_updates(state)?,
        seats(state),
        promotions(state),
        codes(state),
        ended_uses(state),
        quote::counted(&state.writes.stored_quotes, state.now),
        idempotency::claims(&state.writes.claims)?,
        quote::reserved(&state.writes.quotes)?,
        new_reservations(state)?,
        tickets(state),
        new_uses(state),
        outbox::all_at_once(&state.writes.facts)?,
    ];
    let parts: Vec<_> = parts.into_iter().filter(|part| part.count() > 0).collect();
    statements::write_together(conn, tenant, &parts).await
}

fn pool_moves(state: &BatchState) -> Rows<'_> {
    let moves = state.writes.pools.iter().filter(|(_, change)| **change != PoolChange::default());
    RowsBuilder::new(moves)
        .ids("id", |(pool, _)| pool.0)
        .numbers("held", |(_, change)| change.held)
        .numbers("sold", |(_, change)| change.sold)
        .numbers("locked", |(_, change)| change.locked)
        .rows()
}

/// Updates pools that are locked already.
fn pools(state: &BatchState) -> Statement<'_> {
    Statement::new("pools", Effect::Expects, pool_moves(state), || {
        format!(
            "{} pools SET held = pools.held + v.held, sold = pools.sold + v.sold, locked = pools.locked + v.locked
             FROM $rows WHERE pools.tenant_id = $1 AND {} AND pools.id = v.id",
            dialect::UPDATE,
            dialect::of_rows("pools.id", "id"),
        )
    })
}

/// Locks the pools in the common order, and updates them if the versions of the terms are still the same. No batch that is
/// decided by cached terms changes locked units.
fn pools_if_unchanged<'a>(state: &'a BatchState, versions: &TermVersions) -> Statement<'a> {
    let mut part = Statement::new("pools if unchanged", Effect::Expects, pool_moves(state), || {
        format!(
            "WITH locked AS (SELECT v.id, v.held, v.sold FROM pools p JOIN $rows ON p.id = v.id
              WHERE p.tenant_id = $1 AND {} ORDER BY p.id{})
             {} pools SET held = pools.held + locked.held, sold = pools.sold + locked.sold FROM locked
             WHERE pools.tenant_id = $1 AND {} AND pools.id = locked.id AND {}",
            dialect::of_rows("p.id", "id"),
            dialect::LOCK_POOLS,
            dialect::UPDATE,
            dialect::of_rows("pools.id", "id"),
            dialect::TERMS_UNCHANGED,
        )
    });
    part.inputs.extend(versions.rows(state.id, state.now));
    part
}

fn new_reservations(state: &BatchState) -> Result<Statement<'_>> {
    let new = state
        .changed_reservations()
        .filter(|(_, before)| before.is_none())
        .map(|(reservation, _)| reservation);
    let rows = RowsBuilder::new(new)
        .ids("id", |reservation: &Reservation| reservation.id.0)
        .ids("event_id", |reservation| reservation.event.0)
        .texts("buyer", |reservation| reservation.buyer.as_str())
        .texts("state", |reservation| reservation.state.name())
        .numbers("quantity", |reservation| signed(reservation.units.len() as u64))
        .jsons("lines", |reservation| reservation.lines.iter().map(stored_line).collect::<Vec<_>>())?
        .jsons("units", |reservation| reservation.units.iter().map(stored_unit).collect::<Vec<_>>())?
        .jsons("codes", |reservation| reservation.codes.iter().map(stored_code_use).collect::<Vec<_>>())?
        .ids("quote_id", |reservation| reservation.quote.map(|quote| quote.0))
        .texts("payment_reference", |reservation| reservation.payment_reference.as_deref())
        .texts("created_by", |reservation| reservation.created_by.as_str())
        .moments("created_at", |reservation| reservation.created_at)
        .moments("updated_at", |reservation| reservation.updated_at)
        .moments("expires_at", |reservation| reservation.expires_at)
        .numbers("version", |reservation| signed(reservation.version))
        .rows();
    Ok(Statement::new("new reservations", Effect::Inserts, rows, || {
        format!(
            "{} reservations (tenant_id, $columns) SELECT $1, $values FROM $rows WHERE TRUE",
            dialect::INSERT,
        )
    }))
}

fn reservation_updates(state: &BatchState) -> Result<Statement<'_>> {
    let changed =
        state.changed_reservations().filter_map(|(reservation, before)| Some((reservation, before?)));
    let rows = RowsBuilder::new(changed)
        .ids("id", |(reservation, _)| reservation.id.0)
        .texts("was", |(_, (state, _))| state.name())
        .numbers("had", |(_, (_, version))| signed(version))
        .texts("state", |(reservation, _)| reservation.state.name())
        .numbers("quantity", |(reservation, _)| signed(reservation.units.len() as u64))
        .jsons("units", |(reservation, _)| reservation.units.iter().map(stored_unit).collect::<Vec<_>>())?
        .jsons("codes", |(reservation, _)| reservation.codes.iter().map(stored_code_use).collect::<Vec<_>>())?
        .texts("payment", |(reservation, _)| reservation.payment_reference.as_deref())
        .moments("changed", |(reservation, _)| reservation.updated_at)
        .moments("until", |(reservation, _)| reservation.expires_at)
        .numbers("next", |(reservation, _)| signed(reservation.version))
        .rows();
    Ok(Statement::new("reservations", Effect::Expects, rows, || {
        format!(
            "{} reservations SET state = v.state, quantity = v.quantity, units = v.units, codes = v.codes,
             payment_reference = v.payment, updated_at = v.changed, expires_at = v.until, version = v.next FROM $rows
             WHERE reservations.tenant_id = $1 AND {} AND reservations.id = v.id
             AND reservations.state = v.was AND reservations.version = v.had",
            dialect::UPDATE,
            dialect::of_rows("reservations.id", "id"),
        )
    }))
}

fn seats(state: &BatchState) -> Statement<'_> {
    let moves = state.writes.seats.iter().filter(|(_, seat)| seat.before != seat.after.map(|(unit, _)| unit));
    let rows = RowsBuilder::new(moves)
        .ids("id", |(seat, _)| seat.0)
        .ids("type", |(_, moved)| moved.ticket_type.0)
        .ids("was", |(_, moved)| moved.before.map(|unit| unit.0))
        .ids("unit", |(_, moved)| moved.after.map(|(unit, _)| unit.0))
        .ids("reservation", |(_, moved)| moved.after.map(|(_, reservation)| reservation.0))
        .rows();
    Statement::new("seats", Effect::Expects, rows, || {
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

/// Updates promotions that are locked already.
fn promotions(state: &BatchState) -> Statement<'_> {
    let changes = state.writes.promotions.iter().filter(|(_, uses)| **uses != 0);
    let rows = RowsBuilder::new(changes)
        .ids("id", |(promotion, _)| promotion.0)
        .numbers("uses", |(_, uses)| *uses)
        .rows();
    Statement::new("promotion counts", Effect::Expects, rows, || {
        format!(
            "{} promotions SET uses = promotions.uses + v.uses FROM $rows
             WHERE promotions.tenant_id = $1 AND {} AND promotions.id = v.id",
            dialect::UPDATE,
            dialect::of_rows("promotions.id", "id"),
        )
    })
}

/// Updates codes that are locked already.
fn codes(state: &BatchState) -> Statement<'_> {
    let changes = state.writes.codes.iter().filter(|(_, change)| **change != CodeChange::default());
    let rows = RowsBuilder::new(changes)
        .texts("code", |(code, _)| code.as_str())
        .numbers("uses", |(_, change)| change.uses)
        .numbers("kept", |(_, change)| change.kept)
        .rows();
    Statement::new("code counts", Effect::Expects, rows, || {
        format!(
            "{} promotion_codes SET uses = promotion_codes.uses + v.uses, kept = promotion_codes.kept + v.kept
             FROM $rows WHERE promotion_codes.tenant_id = $1 AND {} AND promotion_codes.code = v.code",
            dialect::UPDATE,
            dialect::of_rows("promotion_codes.code", "code"),
        )
    })
}

fn ended_uses(state: &BatchState) -> Statement<'_> {
    let rows = RowsBuilder::new(&state.writes.ended_uses)
        .ids("reservation", |(_, reservation)| reservation.0)
        .texts("code", |(code, _)| code.as_str())
        .rows();
    Statement::new("ended code uses", Effect::Expects, rows, || {
        format!(
            "DELETE FROM code_uses WHERE tenant_id = $1 AND {}
             AND (reservation_id, code) IN (SELECT v.reservation, v.code FROM $rows)",
            dialect::of_rows("reservation_id", "reservation"),
        )
    })
}

fn new_uses(state: &BatchState) -> Statement<'_> {
    let rows = RowsBuilder::new(&state.writes.new_uses)
        .ids("reservation_id", |((_, reservation), _)| reservation.0)
        .texts("code", |((code, _), _)| code.as_str())
        .ids("promotion_id", |(_, (promotion, _))| promotion.0)
        .texts("buyer", |(_, (_, buyer))| buyer.as_str())
        .rows();
    Statement::new("new code uses", Effect::Inserts, rows, || {
        format!(
            "{} code_uses (tenant_id, $columns) SELECT $1, $values FROM $rows WHERE TRUE",
            dialect::INSERT
        )
    })
}

fn tickets(state: &BatchState) -> Statement<'_> {
    let rows = RowsBuilder::new(&state.writes.tickets)
        .ids("id", |ticket: &Ticket| ticket.id.0)
        .ids("event_id", |ticket| ticket.event.0)
        .ids("reservation_id", |ticket| ticket.reservation.0)
        .ids("ticket_type_id", |ticket| ticket.ticket_type.0)
        .ids("seat_id", |ticket| ticket.seat.as_ref().map(|seat| seat.id.0))
        .texts("seat", |ticket| ticket.seat.as_ref().map(|seat| seat.label.as_str()))
        .numbers("amount", |ticket| ticket.price.amount)
        .texts("currency", |ticket| ticket.price.currency.as_str())
        .texts("holder", |ticket| ticket.holder.as_str())
        .moments("code_since", |ticket| ticket.code_since)
        .moments("created_at", |ticket| ticket.created_at)
        .moments("updated_at", |ticket| ticket.updated_at)
        .rows();
    Statement::new("tickets", Effect::Inserts, rows, || {
        format!("{} tickets (tenant_id, $columns) SELECT $1, $values FROM $rows WHERE TRUE", dialect::INSERT)
    })
}
