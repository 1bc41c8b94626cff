//! Tickets. They are issued by batches of reservations; all that becomes of them later is a changeset.

use sqlx::{QueryBuilder, Row as _};
use tessera_core::admission::ticket::Presence;
use tessera_core::admission::{Revoked, Ticket};
use tessera_core::filter::Term;
use tessera_core::id::{EventId, ReservationId, SeatId, TenantId, TicketId, TicketTypeId};
use tessera_core::inventory::reservation::UnitSeat;
use tessera_core::page::{Page, PageRequest};
use tessera_core::value::Money;
use tessera_core::{Error, Result, Timestamp};

use super::super::page::{Holds, Sort, at};
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{signed, small, ticket_state, tiny, unsigned};
use crate::error::fault;

const SELECT: &str = "SELECT id, event_id, reservation_id, ticket_type_id, seat_id, seat, amount, currency, holder, \
    state, serial, code_since, cancelled_at, entries, inside, last_at, last_gate, created_at, updated_at, version \
    FROM tickets WHERE tenant_id = ";

/// What was bought does not change: only who holds it, whether it admits, and what the door knows.
pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (ticket, stored): (&Ticket, u64),
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE tickets SET holder = $3, state = $4, serial = $5, code_since = $6, cancelled_at = $7,
         revoked_at = $8, entries = $9, inside = $10, last_at = $11, last_gate = $12, updated_at = $13,
         version = $14 WHERE tenant_id = $1 AND id = $2 AND version = $15",
    );
    let moved = (ticket.serial > 1).then_some(ticket.code_since);
    let done = query
        .bind(tenant.0)
        .bind(ticket.id.0)
        .bind(&ticket.holder)
        .bind(ticket.state.name())
        .bind(i64::from(ticket.serial))
        .bind(Ts(ticket.code_since))
        .bind(ticket.cancelled_at.map(Ts))
        .bind(ticket.cancelled_at.or(moved).map(Ts))
        .bind(i64::from(ticket.presence.entries))
        .bind(ticket.presence.inside)
        .bind(ticket.presence.last_at.map(Ts))
        .bind(&ticket.presence.last_gate)
        .bind(Ts(ticket.updated_at))
        .bind(signed(ticket.version))
        .bind(signed(stored))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId, id: TicketId) -> Result<Option<Ticket>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND id = ").push_bind(id.0);
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Ticket>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0);
    filter::push(&mut query, &page.filter, condition)?;
    let sort = Sort::by("created_at", Holds::Moments, |held: &Ticket| at(held.created_at, &held.id));
    sort.descending(page.order.descending).page(conn, query, page, read).await
}

/// Those that are valid although their event was cancelled.
pub(in super::super) async fn to_cancel(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    limit: u32,
) -> Result<Vec<Ticket>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND state = 'valid' AND event_id = ").push_bind(event.0);
    query
        .push(" AND EXISTS (SELECT 1 FROM events e WHERE e.status = 'cancelled' AND e.tenant_id = ")
        .push_bind(tenant.0)
        .push(" AND e.id = ")
        .push_bind(event.0);
    query.push(") ORDER BY created_at, id LIMIT ").push_bind(i64::from(limit));
    let rows = query.build().fetch_all(conn).await.map_err(fault)?;
    rows.iter().map(read).collect()
}

/// Codes that are void, those that were revoked first come first.
pub(in super::super) async fn revoked(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    page: &PageRequest,
) -> Result<Page<Revoked>> {
    let mut query = QueryBuilder::<Db>::new(
        "SELECT id, state, serial, revoked_at FROM tickets WHERE revoked_at IS NOT NULL AND tenant_id = ",
    );
    query.push_bind(tenant.0).push(" AND event_id = ").push_bind(event.0);
    filter::push(&mut query, &page.filter, |query, term| {
        match term.field {
            "revoked" => filter::time(query, "revoked_at", term),
            _ => return Err(filter::unknown(term)),
        }
        Ok(())
    })?;
    let sort = Sort::by("revoked_at", Holds::Moments, |held: &Revoked| at(held.at, &held.ticket));
    sort.descending(page.order.descending)
        .page(conn, query, page, |row| {
            let state: String = row.try_get("state").map_err(fault)?;
            let serial = tiny(row.try_get("serial").map_err(fault)?)?;
            let Ts(at) = row.try_get("revoked_at").map_err(fault)?;
            let valid = ticket_state(&state)? == tessera_core::admission::TicketState::Valid;
            let ticket = TicketId(row.try_get("id").map_err(fault)?);
            Ok(Revoked { ticket, good: valid.then_some(serial), at })
        })
        .await
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "event" => filter::id(query, "event_id", term),
        "reservation" => filter::id(query, "reservation_id", term),
        "type" => filter::id(query, "ticket_type_id", term),
        "holder" => filter::text(query, "holder", term),
        "state" => filter::text(query, "state", term),
        "inside" => filter::truth(query, "inside", term),
        "created" => filter::time(query, "created_at", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<Ticket> {
    let state: String = row.try_get("state").map_err(fault)?;
    let seat: Option<String> = row.try_get("seat").map_err(fault)?;
    let seat_id: Option<_> = row.try_get("seat_id").map_err(fault)?;
    let maybe = |column: &str| -> Result<Option<Timestamp>> {
        let held: Option<Ts> = row.try_get(column).map_err(fault)?;
        Ok(held.map(|Ts(at)| at))
    };
    let time = |column: &str| -> Result<Timestamp> {
        let Ts(at) = row.try_get(column).map_err(fault)?;
        Ok(at)
    };
    Ok(Ticket {
        id: TicketId(row.try_get("id").map_err(fault)?),
        event: EventId(row.try_get("event_id").map_err(fault)?),
        reservation: ReservationId(row.try_get("reservation_id").map_err(fault)?),
        ticket_type: TicketTypeId(row.try_get("ticket_type_id").map_err(fault)?),
        seat: seat_id.zip(seat).map(|(id, label)| UnitSeat { id: SeatId(id), label }),
        price: Money {
            amount: row.try_get("amount").map_err(fault)?,
            currency: row.try_get("currency").map_err(fault)?,
        },
        holder: row.try_get("holder").map_err(fault)?,
        state: ticket_state(&state)?,
        serial: tiny(row.try_get("serial").map_err(fault)?)?,
        code_since: time("code_since")?,
        cancelled_at: maybe("cancelled_at")?,
        presence: Presence {
            entries: small(row.try_get("entries").map_err(fault)?)?,
            inside: row.try_get("inside").map_err(fault)?,
            last_at: maybe("last_at")?,
            last_gate: row.try_get("last_gate").map_err(fault)?,
        },
        created_at: time("created_at")?,
        updated_at: time("updated_at")?,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    })
}
