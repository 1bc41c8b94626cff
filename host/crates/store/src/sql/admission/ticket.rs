//! Tickets. Batches of reservations insert them; changesets update them.

use sqlx::{QueryBuilder, Row as _};
use tessera_core::admission::ticket::Presence;
use tessera_core::admission::{RevokedCodes, Ticket};
use tessera_core::filter::Term;
use tessera_core::id::{EventId, ReservationId, SeatId, TenantId, TicketId, TicketTypeId};
use tessera_core::inventory::reservation::UnitSeat;
use tessera_core::page::{Page, PageRequest};
use tessera_core::value::Money;
use tessera_core::{Result, Timestamp};

use super::super::execute::{change_one, read_all, read_one};
use super::super::page::{Sort, SortType, at};
use super::super::table::Table;
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{signed, small, ticket_state, tiny, unsigned};
use crate::error::db_error;

static TICKETS: Table = Table::new(
    "tickets",
    &["tenant_id", "id"],
    &[
        "holder",
        "state",
        "serial",
        "code_since",
        "cancelled_at",
        "revoked_at",
        "entries",
        "inside",
        "last_at",
        "last_gate",
        "updated_at",
        "version",
    ],
    &["event_id", "reservation_id", "ticket_type_id", "seat_id", "seat", "amount", "currency", "created_at"],
)
.without(&["revoked_at"]);

/// Updates a ticket's holder, state, code and presence; what was bought never changes.
pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (ticket, stored): (&Ticket, u64),
) -> Result<()> {
    let replaced_at = (ticket.serial > 1).then_some(ticket.code_since);
    let query = sqlx::query(TICKETS.update())
        .bind(tenant.0)
        .bind(ticket.id.0)
        .bind(&ticket.holder)
        .bind(ticket.state.name())
        .bind(i64::from(ticket.serial))
        .bind(Ts(ticket.code_since))
        .bind(ticket.cancelled_at.map(Ts))
        .bind(ticket.cancelled_at.or(replaced_at).map(Ts))
        .bind(i64::from(ticket.presence.entries))
        .bind(ticket.presence.inside)
        .bind(ticket.presence.last_at.map(Ts))
        .bind(&ticket.presence.last_gate)
        .bind(Ts(ticket.updated_at))
        .bind(signed(ticket.version))
        .bind(signed(stored));
    change_one(conn, query).await
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId, id: TicketId) -> Result<Option<Ticket>> {
    let mut query = TICKETS.of(tenant);
    query.push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Ticket>> {
    let mut query = TICKETS.of(tenant);
    filter::push(&mut query, &page.filter, condition)?;
    let sort = Sort::by("created_at", SortType::Moments, |ticket: &Ticket| at(ticket.created_at, &ticket.id));
    sort.descending(page.order.descending).page((conn, tenant), query, page, read).await
}

/// Returns valid tickets of a cancelled event.
pub(in super::super) async fn to_cancel(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    limit: u32,
) -> Result<Vec<Ticket>> {
    let mut query = TICKETS.of(tenant);
    query.push(" AND state = 'valid' AND event_id = ").push_bind(event.0);
    query
        .push(" AND EXISTS (SELECT 1 FROM events e WHERE e.status = 'cancelled' AND e.tenant_id = ")
        .push_bind(tenant.0)
        .push(" AND e.id = ")
        .push_bind(event.0);
    query.push(") ORDER BY created_at, id LIMIT ").push_bind(i64::from(limit));
    read_all(conn, query, read).await
}

/// Lists void codes, the earliest revoked first.
pub(in super::super) async fn revoked(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    page: &PageRequest,
) -> Result<Page<RevokedCodes>> {
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
    let sort = Sort::by("revoked_at", SortType::Moments, |code: &RevokedCodes| at(code.at, &code.ticket));
    sort.descending(page.order.descending)
        .page((conn, tenant), query, page, |row| {
            let state: String = row.try_get("state").map_err(db_error)?;
            let serial = tiny(row.try_get("serial").map_err(db_error)?)?;
            let Ts(at) = row.try_get("revoked_at").map_err(db_error)?;
            let valid = ticket_state(&state)? == tessera_core::admission::TicketState::Valid;
            let ticket = TicketId(row.try_get("id").map_err(db_error)?);
            Ok(RevokedCodes { ticket, valid_serial: valid.then_some(serial), at })
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
    let state: String = row.try_get("state").map_err(db_error)?;
    let seat: Option<String> = row.try_get("seat").map_err(db_error)?;
    let seat_id: Option<_> = row.try_get("seat_id").map_err(db_error)?;
    let maybe = |column: &str| -> Result<Option<Timestamp>> {
        let at: Option<Ts> = row.try_get(column).map_err(db_error)?;
        Ok(at.map(|Ts(at)| at))
    };
    let time = |column: &str| -> Result<Timestamp> {
        let Ts(at) = row.try_get(column).map_err(db_error)?;
        Ok(at)
    };
    Ok(Ticket {
        id: TicketId(row.try_get("id").map_err(db_error)?),
        event: EventId(row.try_get("event_id").map_err(db_error)?),
        reservation: ReservationId(row.try_get("reservation_id").map_err(db_error)?),
        ticket_type: TicketTypeId(row.try_get("ticket_type_id").map_err(db_error)?),
        seat: seat_id.zip(seat).map(|(id, label)| UnitSeat { id: SeatId(id), label }),
        price: Money {
            amount: row.try_get("amount").map_err(db_error)?,
            currency: row.try_get("currency").map_err(db_error)?,
        },
        holder: row.try_get("holder").map_err(db_error)?,
        state: ticket_state(&state)?,
        serial: tiny(row.try_get("serial").map_err(db_error)?)?,
        code_since: time("code_since")?,
        cancelled_at: maybe("cancelled_at")?,
        presence: Presence {
            entries: small(row.try_get("entries").map_err(db_error)?)?,
            inside: row.try_get("inside").map_err(db_error)?,
            last_at: maybe("last_at")?,
            last_gate: row.try_get("last_gate").map_err(db_error)?,
        },
        created_at: time("created_at")?,
        updated_at: time("updated_at")?,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
