//! What a batch is judged by: one statement that reads what all commands need, and one for what few do. The pools are
//! locked before.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _};
use tessera_core::Result;
use tessera_core::access::Operation;
use tessera_core::catalog::event::HoldRules;
use tessera_core::catalog::{EventStatus, TypeStatus};
use tessera_core::changeset::Recorded;
use tessera_core::id::{EventId, PoolId, SeatId, TenantId, TicketId, TicketTypeId};
use tessera_core::idempotency::{Fingerprint, IdempotencyKey, Scope};
use tessera_core::inventory::job::Reserve;
use tessera_core::inventory::rules::Supply;
use tessera_core::inventory::seat::LOOKED_AT;
use tessera_core::inventory::terms::{EventTerms, TypeTerms};
use tessera_core::inventory::{Book, Command, Counts, Job, Seat};
use tessera_core::value::Money;
use uuid::Uuid;

use super::super::{Conn, Row, Ts, dialect};
use super::seat;
use super::terms::Seen;
use crate::codec::{AnswerForm, ReservationForm, answer, corrupt, moment, reservation};
use crate::error::fault;

/// How many holds that are due are read at once.
const DUE: u32 = 256;

/// What a batch needs to be read beside the event and its pools: each combination has its statement, so that what nobody
/// asks for costs nothing.
#[derive(Clone, Copy)]
struct Needs {
    /// Ticket types, for there are new reservations.
    new: bool,
    /// Reservations that are there.
    old: bool,
    /// Idempotency records.
    keys: bool,
}

impl Needs {
    fn statement(self) -> &'static str {
        static READ: LazyLock<[String; 8]> = LazyLock::new(|| {
            std::array::from_fn(|bits| {
                Needs { new: bits & 1 != 0, old: bits & 2 != 0, keys: bits & 4 != 0 }.written()
            })
        });
        &READ[usize::from(self.new) | usize::from(self.old) << 1 | usize::from(self.keys) << 2]
    }

    /// Everything comes as JSON, for it comes from many tables at once.
    fn written(self) -> String {
        let (object, list) = (dialect::OBJECT, dialect::LIST);
        let (id, at) = (dialect::id_text, dialect::micros);
        let mut sql = format!(
            "WITH c AS MATERIALIZED (SELECT {clock} AS now)
             SELECT (SELECT now FROM c) AS now,
             (SELECT {object}('version', version, 'status', status, 'ends_at', {ends}, 'usual', hold_usual, 'least', hold_least,
              'most', hold_most, 'limit', buyer_limit,
              'queued', (SELECT CASE WHEN q.required THEN 1 ELSE 0 END FROM queues q
               WHERE q.tenant_id = $1 AND q.event_id = $2),
              'tenant', (SELECT {object}('version', h.version, 'usual', h.usual, 'least', h.least, 'most', h.most) FROM hold_rules h
               WHERE h.tenant_id = $1)) FROM events
              WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL) AS event,
             (SELECT {list}({object}('id', {own}, 'name', name, 'capacity', capacity, 'held', held, 'sold', sold,
              'locked', locked)) FROM pools WHERE tenant_id = $1 AND event_id = $2) AS pools,
             (SELECT COUNT(*) FROM (SELECT 1 FROM reservations WHERE tenant_id = $1 AND event_id = $2
              AND state = 'held' AND expires_at <= (SELECT now FROM c) LIMIT 1) d) AS due",
            clock = dialect::CLOCK,
            ends = at("ends_at"),
            own = id("id"),
        );
        let wanted = [(self.new, types_part()), (self.old, old_part()), (self.keys, keys_part())];
        for (_, part) in wanted.into_iter().filter(|(needed, _)| *needed) {
            sql.push_str(&part);
        }
        sql
    }
}

fn one_of(column: &str, rows: &str) -> String {
    dialect::among(column, &dialect::uuid("v.value->>0"), rows)
}

fn reservation_object() -> String {
    let (id, at, json) = (dialect::id_text, dialect::micros, dialect::json);
    format!(
        "{}('id', {}, 'event', {}, 'buyer', r.buyer, 'state', r.state, 'quantity', r.quantity, \
         'lines', {}, 'units', {}, 'payment', r.payment_reference, 'created_by', r.created_by, \
         'created_at', {}, 'updated_at', {}, 'expires_at', {}, 'version', r.version)",
        dialect::OBJECT,
        id("r.id"),
        id("r.event_id"),
        json("r.lines"),
        json("r.units"),
        at("r.created_at"),
        at("r.updated_at"),
        at("r.expires_at"),
    )
}

fn types_part() -> String {
    format!(
        ", (SELECT {list}({object}('id', {id}, 'version', version, 'name', name, 'amount', amount, 'currency', currency,
          'least', least, 'most', most, 'from', {from}, 'until', {until}, 'status', status, 'pools', {pools},
          'seated', CASE WHEN seated THEN 1 ELSE 0 END))
          FROM ticket_types WHERE tenant_id = $1 AND event_id = $2 AND {types}) AS types",
        list = dialect::LIST,
        object = dialect::OBJECT,
        id = dialect::id_text("id"),
        from = dialect::micros("valid_from"),
        until = dialect::micros("valid_until"),
        pools = dialect::json("pools"),
        types = one_of("id", "$3"),
    )
}

fn old_part() -> String {
    format!(
        ", (SELECT {}({}) FROM reservations r WHERE r.tenant_id = $1 AND r.event_id = $2 AND {})
         AS reservations",
        dialect::LIST,
        reservation_object(),
        one_of("r.id", "$4"),
    )
}

fn keys_part() -> String {
    format!(
        ", (SELECT {}({}('principal', principal, 'operation', operation, 'key', key, 'fingerprint', {},
          'answer', {})) FROM idempotency WHERE tenant_id = $1 AND {} AND {} AND {}
          AND expires_at > (SELECT now FROM c)) AS keys",
        dialect::LIST,
        dialect::OBJECT,
        dialect::hex("fingerprint"),
        dialect::json("answer"),
        dialect::among("principal", "v.value->>0", "$5"),
        dialect::among("operation", "v.value->>1", "$5"),
        dialect::among("key", "v.value->>2", "$5"),
    )
}

/// What the first reading says has to be read as well, in one statement.
#[derive(Clone, Copy)]
struct More {
    /// Holds that are due.
    due: bool,
    /// What buyers hold and have bought, for there is a limit.
    buyers: bool,
    /// Whose turn it is, for there is a queue.
    served: bool,
    /// Seats: those that are named, and those of due holds.
    seats: bool,
}

impl More {
    fn statement(self) -> &'static str {
        static READ: LazyLock<[String; 16]> = LazyLock::new(|| {
            std::array::from_fn(|bits| {
                let has = |bit: usize| bits & bit != 0;
                More { due: has(1), buyers: has(2), served: has(4), seats: has(8) }.written()
            })
        });
        let bits = [self.due, self.buyers, self.served, self.seats];
        let place = bits.iter().enumerate().fold(0, |place, (bit, set)| place | usize::from(*set) << bit);
        &READ[place]
    }

    fn is_nothing(self) -> bool {
        !(self.due || self.buyers || self.served || self.seats)
    }

    fn written(self) -> String {
        let (object, list) = (dialect::OBJECT, dialect::LIST);
        let buyers = dialect::among("buyer", "v.value->>0", "$4");
        let mut sql = String::from("SELECT 1 AS more");
        if self.due {
            let (held, due) = (reservation_object(), due("*"));
            sql.push_str(&format!(", (SELECT {list}({held}) FROM ({due}) r) AS due"));
        }
        if self.buyers {
            sql.push_str(&format!(
                ", (SELECT {list}({object}('buyer', buyer, 'units', units)) FROM
                  (SELECT buyer, CAST(SUM(quantity) AS BIGINT) AS units FROM reservations
                   WHERE tenant_id = $1 AND {buyers} AND event_id = $2 AND state IN ('held', 'confirmed')
                   GROUP BY buyer) b) AS buyers"
            ));
        }
        if self.served {
            sql.push_str(&format!(
                ", (SELECT {list}(buyer) FROM bookings WHERE tenant_id = $1 AND event_id = $2
                  AND state = 'active' AND active_until > $5 AND {buyers}) AS served"
            ));
        }
        if self.seats {
            let (id, seats) = (dialect::id_text, seats(self.due));
            sql.push_str(&format!(
                ", (SELECT {list}({object}('id', {}, 'type', {}, 'row', seat_row, 'number', number, 'label', label,
                  'unit', {})) FROM ({seats}) s) AS seats",
                id("id"),
                id("ticket_type_id"),
                id("unit_id"),
            ));
        }
        sql
    }
}

/// Holds that are due, of a cancelled event all.
fn due(columns: &str) -> String {
    format!(
        "SELECT {columns} FROM reservations WHERE tenant_id = $1 AND event_id = $2 AND state = 'held'
         AND expires_at <= CASE WHEN $6 THEN {} ELSE $5 END ORDER BY expires_at LIMIT {DUE}",
        dialect::FOREVER
    )
}

fn seats(with_due: bool) -> String {
    let seat = "SELECT id, ticket_type_id, seat_row, number, label, unit_id FROM seats WHERE tenant_id = $1";
    let of_due = if with_due {
        format!("UNION {seat} AND {}", dialect::within("reservation_id", &due("id")))
    } else {
        String::new()
    };
    format!(
        "{seat} AND {of_named} AND {named} {of_due}",
        of_named = dialect::among("ticket_type_id", &dialect::uuid("v.value->>0"), "$3"),
        named = dialect::among("label", "v.value->>1", "$3"),
    )
}

/// What the commands of a batch name; each entry is an array, as the statement reads it.
#[derive(Default)]
struct Named {
    types: BTreeSet<[Uuid; 1]>,
    reservations: BTreeSet<[Uuid; 1]>,
    buyers: BTreeSet<[String; 1]>,
    keys: Vec<[String; 3]>,
    seats: BTreeSet<(Uuid, String)>,
    /// How many units of each type are wanted together, where some may have any seats.
    any: BTreeMap<TicketTypeId, u32>,
}

impl Named {
    fn by(jobs: &[Arc<Job>]) -> Self {
        let mut named = Self::default();
        for job in jobs {
            if let Some((scope, _)) = &job.key {
                let key = [scope.principal.clone(), scope.operation.name().into(), scope.key.as_str().into()];
                named.keys.push(key);
            }
            match &job.command {
                Command::Reserve(wanted) => {
                    named.buyers.insert([wanted.buyer.clone()]);
                    for line in &wanted.lines {
                        named.types.insert([line.ticket_type.0]);
                        named.seats.extend(line.seats.iter().map(|seat| (line.ticket_type.0, seat.clone())));
                    }
                    named.want(wanted);
                }
                Command::Confirm { id, .. } | Command::Extend { id, .. } | Command::Release { id, .. } => {
                    named.reservations.insert([id.0]);
                }
                Command::Sweep => {}
            }
        }
        named
    }

    fn want(&mut self, wanted: &Reserve) {
        for line in wanted.lines.iter().filter(|line| line.seats.is_empty()) {
            let units = u32::try_from(line.units.len()).unwrap_or(u32::MAX);
            let count = self.any.entry(line.ticket_type).or_default();
            *count = count.saturating_add(units);
        }
    }
}

/// Reads all that the commands are judged by, and by which versions its terms are told from others.
pub(super) async fn read(
    conn: &mut Conn,
    (tenant, id): (TenantId, EventId),
    jobs: &[Arc<Job>],
) -> Result<(Book, Seen)> {
    let named = Named::by(jobs);
    let needs = Needs {
        new: !named.types.is_empty(),
        old: !named.reservations.is_empty(),
        keys: !named.keys.is_empty(),
    };
    let query = sqlx::query(AssertSqlSafe(needs.statement()))
        .bind(tenant.0)
        .bind(id.0)
        .bind(Json(&named.types))
        .bind(Json(&named.reservations))
        .bind(Json(&named.keys));
    let row = query.fetch_one(&mut *conn).await.map_err(fault)?;
    let Ts(now) = row.try_get("now").map_err(fault)?;
    let event: Option<Json<EventForm>> = row.try_get("event").map_err(fault)?;
    let due: i64 = row.try_get("due").map_err(fault)?;
    let mut book = Book::empty(id, now);
    let mut seen = Seen::default();
    if let Some(Json(form)) = event {
        (seen.event, seen.holds) = (form.version, form.tenant.as_ref().map(|holds| holds.version));
        book.event = Some(form.read()?);
    }
    book.pools = all::<PoolForm>(&row, "pools")?.into_iter().map(PoolForm::read).collect();
    if needs.new {
        for form in all::<TypeForm>(&row, "types")? {
            let version = form.version;
            let (id, terms) = form.read(id)?;
            book.types.insert(id, terms);
            seen.types.insert(id, version);
        }
    }
    if needs.old {
        for form in all::<ReservationForm>(&row, "reservations")? {
            let held = reservation(form)?;
            book.reservations.insert(held.id, held);
        }
    }
    if needs.keys {
        book.keys =
            all::<KeyForm>(&row, "keys")?.into_iter().map(|form| form.read(tenant)).collect::<Result<_>>()?;
    }
    let terms = book.event.as_ref();
    let due = due > 0 || terms.is_some_and(|event| event.status == EventStatus::Cancelled);
    let more = More {
        due,
        buyers: needs.new && terms.is_some_and(|event| event.buyer_limit.is_some()),
        served: needs.new && terms.is_some_and(|event| event.queued),
        seats: due || !named.seats.is_empty(),
    };
    if !more.is_nothing() {
        read_more(conn, tenant, (&mut book, &named), more).await?;
    }
    for (of, wanted) in &named.any {
        if book.types.get(of).is_some_and(|terms| terms.seated) {
            read_free_seats(conn, tenant, (&mut book, *of), *wanted).await?;
        }
    }
    Ok((book, seen))
}

/// Reads free seats of a type, in their order: enough for all who want any, whoever takes those that he names.
async fn read_free_seats(
    conn: &mut Conn,
    tenant: TenantId,
    (book, of): (&mut Book, TicketTypeId),
    wanted: u32,
) -> Result<()> {
    let known: HashSet<_> = book.seats.iter().map(|seat| seat.id).collect();
    let most = LOOKED_AT.max(wanted).saturating_add(u32::try_from(known.len()).unwrap_or(u32::MAX));
    let vacant = seat::vacant(conn, tenant, of, most).await?;
    book.seats.extend(vacant.into_iter().filter(|seat| !known.contains(&seat.id)));
    Ok(())
}

async fn read_more(
    conn: &mut Conn,
    tenant: TenantId,
    (book, named): (&mut Book, &Named),
    more: More,
) -> Result<()> {
    let cancelled = book.event.as_ref().is_some_and(|event| event.status == EventStatus::Cancelled);
    let query = sqlx::query(AssertSqlSafe(more.statement()))
        .bind(tenant.0)
        .bind(book.id.0)
        .bind(Json(&named.seats))
        .bind(Json(&named.buyers))
        .bind(Ts(book.now))
        .bind(cancelled);
    let row = query.fetch_one(conn).await.map_err(fault)?;
    if more.due {
        let due = all::<ReservationForm>(&row, "due")?.into_iter().map(reservation);
        book.due = due.collect::<Result<_>>()?;
    }
    if more.buyers {
        let buyers = all::<BuyerForm>(&row, "buyers")?.into_iter();
        book.buyers = buyers.map(|form| (form.buyer, form.units)).collect();
    }
    if more.served {
        book.served = all::<String>(&row, "served")?.into_iter().collect();
    }
    if more.seats {
        book.seats = all::<SeatForm>(&row, "seats")?.into_iter().map(|form| form.read(book.id)).collect();
    }
    Ok(())
}

/// What a column holds of a list; nothing stands for none.
fn all<T: for<'de> Deserialize<'de> + Send + Unpin + 'static>(row: &Row, column: &str) -> Result<Vec<T>> {
    let list: Option<Json<Vec<T>>> = row.try_get(column).map_err(fault)?;
    Ok(list.map(|Json(list)| list).unwrap_or_default())
}

#[derive(Deserialize)]
struct EventForm {
    version: i64,
    status: String,
    ends_at: i64,
    usual: Option<u32>,
    least: Option<u32>,
    most: Option<u32>,
    limit: Option<u32>,
    queued: Option<u8>,
    /// What the tenant says where the event does not.
    tenant: Option<HoldForm>,
}

#[derive(Deserialize)]
struct HoldForm {
    version: i64,
    usual: Option<u32>,
    least: Option<u32>,
    most: Option<u32>,
}

impl HoldForm {
    fn read(self) -> HoldRules {
        HoldRules { usual: self.usual, least: self.least, most: self.most }
    }
}

impl EventForm {
    fn read(self) -> Result<EventTerms> {
        Ok(EventTerms {
            status: EventStatus::parse("status", &self.status)?,
            ends_at: moment(self.ends_at)?,
            holds: HoldRules { usual: self.usual, least: self.least, most: self.most }
                .or(self.tenant.map(HoldForm::read).unwrap_or_default()),
            buyer_limit: self.limit,
            queued: self.queued == Some(1),
        })
    }
}

#[derive(Deserialize)]
struct PoolForm {
    id: Uuid,
    name: String,
    capacity: Option<u64>,
    held: u64,
    sold: u64,
    locked: u64,
}

impl PoolForm {
    fn read(self) -> (PoolId, Supply) {
        let counts = Counts { held: self.held, sold: self.sold, locked: self.locked };
        (PoolId(self.id), Supply { name: self.name, capacity: self.capacity, counts })
    }
}

#[derive(Deserialize)]
struct TypeForm {
    id: Uuid,
    version: i64,
    name: String,
    amount: i64,
    currency: String,
    least: u32,
    most: u32,
    from: Option<i64>,
    until: Option<i64>,
    status: String,
    pools: Vec<Uuid>,
    seated: u8,
}

impl TypeForm {
    fn read(self, event: EventId) -> Result<(TicketTypeId, TypeTerms)> {
        let id = TicketTypeId(self.id);
        let mut pools: Vec<_> = self.pools.into_iter().map(PoolId).collect();
        pools.extend([PoolId::from(event), PoolId::from(id)]);
        pools.sort_unstable();
        let time = |at: Option<i64>| at.map(moment).transpose();
        let terms = TypeTerms {
            name: self.name,
            price: Money { amount: self.amount, currency: self.currency },
            bounds: (self.least, self.most),
            window: (time(self.from)?, time(self.until)?),
            status: TypeStatus::parse("status", &self.status)?,
            pools,
            seated: self.seated != 0,
        };
        Ok((id, terms))
    }
}

#[derive(Deserialize)]
struct BuyerForm {
    buyer: String,
    units: u64,
}

#[derive(Deserialize)]
struct SeatForm {
    id: Uuid,
    #[serde(rename = "type")]
    ticket_type: Uuid,
    row: String,
    number: u32,
    label: String,
    unit: Option<Uuid>,
}

impl SeatForm {
    fn read(self, event: EventId) -> Seat {
        Seat {
            id: SeatId(self.id),
            event,
            ticket_type: TicketTypeId(self.ticket_type),
            row: self.row,
            number: self.number,
            label: self.label,
            unit: self.unit.map(TicketId),
        }
    }
}

#[derive(Deserialize)]
struct KeyForm {
    principal: String,
    operation: String,
    key: String,
    fingerprint: String,
    answer: AnswerForm,
}

impl KeyForm {
    fn read(self, tenant: TenantId) -> Result<(Scope, Recorded)> {
        let operation = Operation::ALL.iter().copied().find(|known| known.name() == self.operation);
        let operation = operation.ok_or_else(|| corrupt("an operation", &self.operation))?;
        let scope =
            Scope { tenant, principal: self.principal, operation, key: IdempotencyKey::parse(&self.key)? };
        let fingerprint = fingerprint(&self.fingerprint)?;
        Ok((scope, Recorded { fingerprint, answer: answer(self.answer)? }))
    }
}

fn fingerprint(hex: &str) -> Result<Fingerprint> {
    let mut bytes = [0_u8; 32];
    let wrong = || corrupt("a fingerprint", hex);
    if hex.len() != 2 * bytes.len() {
        return Err(wrong());
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        let digits = hex.get(2 * index..2 * index + 2).ok_or_else(wrong)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(Fingerprint(bytes))
}
