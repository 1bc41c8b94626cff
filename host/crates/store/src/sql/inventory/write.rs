//! What a batch writes: for each table one statement over the rows of a JSON array, whatever their number.

use serde_json::{Value as Json, json};
use sqlx::types::Json as Bound;
use tessera_core::Result;
use tessera_core::id::TenantId;
use tessera_core::inventory::Book;
use uuid::Uuid;

use super::super::{Conn, dialect};
use crate::codec::{answer_form, change_forms, reservation_form, signed, ticket_form};

/// A statement, in which `$rows` stands for the JSON array, and how many rows it must change.
pub(in super::super::super) struct Part {
    pub(in super::super::super) sql: String,
    /// The rows.
    pub(in super::super::super) rows: Bound<Vec<Json>>,
}

/// Writes all that the book wants written; answers by what the database knows the transaction.
pub(super) async fn all(conn: &mut Conn, tenant: TenantId, book: &Book) -> Result<String> {
    let parts =
        [pools(book), inserted(book), updated(book), seats(book), tickets(book), claims(book), facts(book)];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.rows.0.is_empty()).collect();
    dialect::write_together(conn, tenant, &parts).await
}

fn id(id: Uuid) -> String {
    id.hyphenated().to_string()
}

fn field(name: &str) -> String {
    format!("v.value->>'{name}'")
}

fn uuid(name: &str) -> String {
    dialect::uuid(&field(name))
}

fn number(name: &str) -> String {
    format!("CAST({} AS BIGINT)", field(name))
}

fn moment(name: &str) -> String {
    dialect::moment(&field(name))
}

fn rows() -> String {
    dialect::each("$rows")
}

/// The rows that a statement joins are looked for by themselves.
fn among(column: &str, name: &str) -> String {
    dialect::among(column, &uuid(name), "$rows")
}

fn pools(book: &Book) -> Part {
    let changed = book.writes.pools.iter().filter(|(_, (held, sold))| *held != 0 || *sold != 0);
    let rows_of = changed.map(|(pool, (held, sold))| json!({"id": id(pool.0), "held": held, "sold": sold}));
    let sql = format!(
        "UPDATE pools SET held = held + d.held_by, sold = sold + d.sold_by FROM
         (SELECT {} AS pool, {} AS held_by, {} AS sold_by FROM {}) d
         WHERE pools.tenant_id = $1 AND {} AND pools.id = d.pool",
        uuid("id"),
        number("held"),
        number("sold"),
        rows(),
        among("pools.id", "id"),
    );
    Part { sql, rows: Bound(rows_of.collect()) }
}

fn inserted(book: &Book) -> Part {
    let new = book.written().filter(|(_, before)| before.is_none());
    let rows_of = new.map(|(held, _)| json!(reservation_form(held)));
    let sql = format!(
        "INSERT INTO reservations (tenant_id, id, event_id, buyer, state, quantity, lines, units,
         payment_reference, created_by, created_at, updated_at, expires_at, version)
         SELECT $1, {}, {}, {}, {}, {}, v.value->'lines', v.value->'units', {}, {}, {}, {}, {}, {} FROM {}",
        uuid("id"),
        uuid("event"),
        field("buyer"),
        field("state"),
        number("quantity"),
        field("payment"),
        field("created_by"),
        moment("created_at"),
        moment("updated_at"),
        moment("expires_at"),
        number("version"),
        rows()
    );
    Part { sql, rows: Bound(rows_of.collect()) }
}

fn updated(book: &Book) -> Part {
    let changed = book.written().filter_map(|(held, before)| Some((held, before?)));
    let rows_of = changed.map(|(held, (state, version))| {
        json!({
            "id": id(held.id.0),
            "was": state.name(),
            "had": version,
            "row": reservation_form(held),
        })
    });
    let of = |name: &str| format!("v.value->'row'->>'{name}'");
    let sql = format!(
        "UPDATE reservations SET state = d.state, quantity = d.quantity, units = d.units,
         payment_reference = d.payment, updated_at = d.changed, expires_at = d.until, version = d.next FROM
         (SELECT {} AS reservation, {} AS was, {} AS had, {} AS state, CAST({} AS BIGINT) AS quantity,
          v.value->'row'->'units' AS units, {} AS payment, {} AS changed, {} AS until,
          CAST({} AS BIGINT) AS next FROM {}) d
         WHERE reservations.tenant_id = $1 AND {} AND reservations.id = d.reservation
         AND reservations.state = d.was AND reservations.version = d.had",
        uuid("id"),
        field("was"),
        number("had"),
        of("state"),
        of("quantity"),
        of("payment"),
        dialect::moment(&of("updated_at")),
        dialect::moment(&of("expires_at")),
        of("version"),
        rows(),
        among("reservations.id", "id"),
    );
    Part { sql, rows: Bound(rows_of.collect()) }
}

fn seats(book: &Book) -> Part {
    let moved = book.writes.seats.iter().filter(|(_, seat)| seat.was != seat.is.map(|(unit, _)| unit));
    let rows_of = moved.map(|(seat, moved)| {
        json!({
            "id": id(seat.0),
            "type": id(moved.ticket_type.0),
            "was": moved.was.map(|unit| id(unit.0)),
            "unit": moved.is.map(|(unit, _)| id(unit.0)),
            "reservation": moved.is.map(|(_, reservation)| id(reservation.0)),
        })
    });
    let sql = format!(
        "UPDATE seats SET unit_id = d.unit, reservation_id = d.reservation FROM
         (SELECT {} AS seat, {} AS of_type, {} AS was, {} AS unit, {} AS reservation FROM {}) d
         WHERE seats.tenant_id = $1 AND {} AND {} AND seats.ticket_type_id = d.of_type AND seats.id = d.seat
         AND seats.unit_id IS NOT DISTINCT FROM d.was",
        uuid("id"),
        uuid("type"),
        uuid("was"),
        uuid("unit"),
        uuid("reservation"),
        rows(),
        among("seats.ticket_type_id", "type"),
        among("seats.id", "id"),
    );
    Part { sql, rows: Bound(rows_of.collect()) }
}

fn tickets(book: &Book) -> Part {
    let rows_of = book.writes.tickets.iter().map(|ticket| json!(ticket_form(ticket)));
    let sql = format!(
        "INSERT INTO tickets (tenant_id, id, event_id, reservation_id, ticket_type_id, seat_id, seat, amount,
         currency, holder, code_since, created_at, updated_at)
         SELECT $1, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {} FROM {}",
        uuid("id"),
        uuid("event"),
        uuid("reservation"),
        uuid("type"),
        uuid("seat_id"),
        field("seat"),
        number("amount"),
        field("currency"),
        field("holder"),
        moment("code_since"),
        moment("created_at"),
        moment("updated_at"),
        rows()
    );
    Part { sql, rows: Bound(rows_of.collect()) }
}

fn claims(book: &Book) -> Part {
    let rows_of = book.writes.claims.iter().map(|claim| {
        json!({
            "principal": claim.scope.principal,
            "operation": claim.scope.operation.name(),
            "key": claim.scope.key.as_str(),
            "fingerprint": hex(&claim.fingerprint.0),
            "answer": answer_form(&claim.answer),
            "expires": claim.expires.micros(),
        })
    });
    // A record that has expired is replaced, one that stands lets the batch fail: its command is judged anew.
    let sql = format!(
        "INSERT INTO idempotency (tenant_id, principal, operation, key, fingerprint, answer, expires_at)
         SELECT $1, {}, {}, {}, {}, v.value->'answer', {} FROM {} WHERE TRUE
         ON CONFLICT (tenant_id, principal, operation, key) DO UPDATE
         SET fingerprint = excluded.fingerprint, answer = excluded.answer, expires_at = excluded.expires_at
         WHERE idempotency.expires_at <= {}",
        field("principal"),
        field("operation"),
        field("key"),
        dialect::bytes(&field("fingerprint")),
        moment("expires"),
        rows(),
        dialect::CLOCK,
    );
    Part { sql, rows: Bound(rows_of.collect()) }
}

fn facts(book: &Book) -> Part {
    let rows_of = book.writes.facts.iter().map(|fact| {
        json!({
            "id": id(fact.id.0),
            "type": fact.fact_type,
            "kind": fact.object.kind.name(),
            "object": fact.object.id,
            "version": signed(fact.object.version),
            "at": fact.at.micros(),
            "actor_kind": fact.actor.kind,
            "actor": fact.actor.id,
            "user": fact.actor.user.map(|user| id(user.0)),
            "transport": fact.transport,
            "request": fact.request_id,
            "changes": change_forms(&fact.changes),
            "event": fact.event.map(|event| id(event.0)),
        })
    });
    let sql = format!(
        "INSERT INTO facts (tenant_id, id, seq, fact_type, object_kind, object_id, object_version, event_id, at,
         actor_kind, actor_id, actor_user, transport, request_id, changes)
         SELECT $1, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, v.value->'changes' FROM {}",
        uuid("id"),
        dialect::SEQ,
        field("type"),
        field("kind"),
        field("object"),
        number("version"),
        uuid("event"),
        moment("at"),
        field("actor_kind"),
        field("actor"),
        uuid("user"),
        field("transport"),
        field("request"),
        rows()
    );
    Part { sql, rows: Bound(rows_of.collect()) }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
