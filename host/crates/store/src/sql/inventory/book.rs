//! What a batch is judged by: one statement that locks the pools, one that reads all but seats, and one for these where
//! there are some.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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
use tessera_core::inventory::rules::{EventTerms, Supply, TypeTerms, Writes};
use tessera_core::inventory::seat::LOOKED_AT;
use tessera_core::inventory::{Book, Command, Counts, Job, Seat};
use tessera_core::value::Money;
use uuid::Uuid;

use super::super::{Conn, Row, Ts, dialect};
use crate::codec::{AnswerForm, ReservationForm, answer, corrupt, moment, reservation, small};
use crate::error::fault;

/// How many holds that are due are read at once.
const DUE: u32 = 256;

/// Locks the event's pools, where there are others who could write.
pub(super) async fn lock(conn: &mut Conn, tenant: TenantId, event: EventId) -> Result<()> {
    if dialect::LOCK_TO_CHANGE.is_empty() {
        return Ok(());
    }
    static LOCK: LazyLock<String> = LazyLock::new(|| {
        let lock = dialect::LOCK_TO_CHANGE;
        format!("SELECT 1 FROM pools WHERE tenant_id = $1 AND event_id = $2 ORDER BY id{lock}")
    });
    let query = sqlx::query(AssertSqlSafe(LOCK.as_str())).bind(tenant.0).bind(event.0);
    query.execute(conn).await.map(drop).map_err(fault)
}

/// What a batch needs to be read beside the event, its pools and what is due: each has its statement, so that what
/// nobody asks for costs nothing.
#[derive(Clone, Copy)]
struct Needs {
    /// Ticket types and buyers, for there are new reservations.
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
        let held = reservation_object();
        let due_before = format!(
            "(SELECT CASE WHEN e.status = 'cancelled' THEN {} ELSE c.now END FROM c LEFT JOIN events e \
             ON e.tenant_id = $1 AND e.id = $2 AND e.deleted_at IS NULL)",
            dialect::FOREVER
        );
        let mut sql = format!(
            "WITH c AS MATERIALIZED (SELECT {clock} AS now)
             SELECT (SELECT now FROM c) AS now,
             (SELECT {object}('status', status, 'ends_at', {ends}, 'usual', hold_usual, 'least', hold_least,
              'most', hold_most, 'limit', buyer_limit,
              'queued', (SELECT CASE WHEN q.required THEN 1 ELSE 0 END FROM queues q
               WHERE q.tenant_id = $1 AND q.event_id = $2)) FROM events
              WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL) AS event,
             (SELECT {list}({object}('id', {own}, 'name', name, 'capacity', capacity, 'held', held, 'sold', sold,
              'locked', locked)) FROM pools WHERE tenant_id = $1 AND event_id = $2) AS pools,
             (SELECT {list}({held}) FROM
              (SELECT * FROM reservations WHERE tenant_id = $1 AND event_id = $2 AND state = 'held'
               AND expires_at <= {due_before} ORDER BY expires_at LIMIT {DUE}) r) AS due",
            clock = dialect::CLOCK,
            ends = at("ends_at"),
            own = id("id"),
        );
        let wanted = [(self.new, new_parts()), (self.old, old_part(&held)), (self.keys, keys_part())];
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

fn new_parts() -> String {
    let (object, list) = (dialect::OBJECT, dialect::LIST);
    format!(
        ", (SELECT {list}({object}('id', {id}, 'name', name, 'amount', amount, 'currency', currency,
          'least', least, 'most', most, 'from', {from}, 'until', {until}, 'status', status, 'pools', {pools},
          'seated', CASE WHEN seated THEN 1 ELSE 0 END))
          FROM ticket_types WHERE tenant_id = $1 AND event_id = $2 AND {types}) AS types,
         (SELECT {list}({object}('buyer', buyer, 'units', units)) FROM
          (SELECT buyer, CAST(SUM(quantity) AS BIGINT) AS units FROM reservations
           WHERE tenant_id = $1 AND {buyers} AND event_id = $2
           AND state IN ('held', 'confirmed')
           AND (SELECT buyer_limit FROM events WHERE tenant_id = $1 AND id = $2) IS NOT NULL
           GROUP BY buyer) b) AS buyers,
         (SELECT {list}(buyer) FROM bookings WHERE tenant_id = $1 AND event_id = $2 AND state = 'active'
          AND active_until > (SELECT now FROM c) AND {buyers}
          AND (SELECT required FROM queues WHERE tenant_id = $1 AND event_id = $2)) AS served",
        id = dialect::id_text("id"),
        from = dialect::micros("valid_from"),
        until = dialect::micros("valid_until"),
        pools = dialect::json("pools"),
        types = one_of("id", "$3"),
        buyers = dialect::among("buyer", "v.value->>0", "$5"),
    )
}

fn old_part(held: &str) -> String {
    format!(
        ", (SELECT {}({held}) FROM reservations r WHERE r.tenant_id = $1 AND r.event_id = $2 AND {})
         AS reservations",
        dialect::LIST,
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
        dialect::among("principal", "v.value->>0", "$6"),
        dialect::among("operation", "v.value->>1", "$6"),
        dialect::among("key", "v.value->>2", "$6"),
    )
}

/// The statement that reads seats: those that are named, some free ones, and those of due holds.
static SEATS: LazyLock<String> = LazyLock::new(|| {
    let seat = "SELECT id, ticket_type_id, seat_row, number, label, unit_id FROM seats WHERE tenant_id = $1";
    format!(
        "{seat} AND {of_named} AND {named}
         UNION {seat} AND {due}
         UNION SELECT * FROM ({seat} AND {types} AND unit_id IS NULL ORDER BY ticket_type_id, place
          LIMIT {LOOKED_AT}) f",
        of_named = dialect::among("ticket_type_id", &dialect::uuid("v.value->>0"), "$3"),
        named = dialect::among("label", "v.value->>1", "$3"),
        due = one_of("reservation_id", "$4"),
        types = one_of("ticket_type_id", "$2"),
    )
});

/// What the commands of a batch name; each entry is an array, as the statement reads it.
#[derive(Default)]
struct Named {
    types: BTreeSet<[Uuid; 1]>,
    reservations: BTreeSet<[Uuid; 1]>,
    buyers: BTreeSet<[String; 1]>,
    keys: Vec<[String; 3]>,
    seats: BTreeSet<(Uuid, String)>,
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
                }
                Command::Confirm { id, .. } | Command::Extend { id, .. } | Command::Release { id, .. } => {
                    named.reservations.insert([id.0]);
                }
                Command::Sweep => {}
            }
        }
        named
    }
}

/// Reads all that the commands are judged by.
pub(super) async fn read(
    conn: &mut Conn,
    (tenant, id): (TenantId, EventId),
    jobs: &[Arc<Job>],
) -> Result<Book> {
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
        .bind(Json(&named.buyers))
        .bind(Json(&named.keys));
    let row = query.fetch_one(&mut *conn).await.map_err(fault)?;
    let Ts(now) = row.try_get("now").map_err(fault)?;
    let event: Option<Json<EventForm>> = row.try_get("event").map_err(fault)?;
    let due = all::<ReservationForm>(&row, "due")?.into_iter().map(reservation);
    let mut book = Book {
        id,
        now,
        event: event.map(|Json(form)| form.read()).transpose()?,
        types: BTreeMap::new(),
        pools: all::<PoolForm>(&row, "pools")?.into_iter().map(PoolForm::read).collect(),
        reservations: HashMap::new(),
        due: due.collect::<Result<_>>()?,
        buyers: HashMap::new(),
        served: HashSet::new(),
        seats: Vec::new(),
        keys: HashMap::new(),
        writes: Writes::default(),
    };
    if needs.new {
        let types = all::<TypeForm>(&row, "types")?.into_iter().map(|form| form.read(id));
        book.types = types.collect::<Result<_>>()?;
        book.buyers =
            all::<BuyerForm>(&row, "buyers")?.into_iter().map(|form| (form.buyer, form.units)).collect();
        book.served = all::<String>(&row, "served")?.into_iter().collect();
        book.served = all::<String>(&row, "served")?.into_iter().collect();
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
    if book.types.values().any(|terms| terms.seated) {
        book.seats = seats(conn, tenant, &book, &named).await?;
    }
    Ok(book)
}

async fn seats(conn: &mut Conn, tenant: TenantId, book: &Book, named: &Named) -> Result<Vec<Seat>> {
    let due: Vec<_> = book.due.iter().map(|held| [held.id.0]).collect();
    let query = sqlx::query(AssertSqlSafe(SEATS.as_str()))
        .bind(tenant.0)
        .bind(Json(&named.types))
        .bind(Json(&named.seats))
        .bind(Json(due));
    let rows = query.fetch_all(conn).await.map_err(fault)?;
    rows.iter()
        .map(|row| {
            Ok(Seat {
                id: SeatId(row.try_get("id").map_err(fault)?),
                event: book.id,
                ticket_type: TicketTypeId(row.try_get("ticket_type_id").map_err(fault)?),
                row: row.try_get("seat_row").map_err(fault)?,
                number: small(row.try_get("number").map_err(fault)?)?,
                label: row.try_get("label").map_err(fault)?,
                unit: row.try_get::<Option<_>, _>("unit_id").map_err(fault)?.map(TicketId),
            })
        })
        .collect()
}

/// What a column holds of a list; nothing stands for none.
fn all<T: for<'de> Deserialize<'de> + Send + Unpin + 'static>(row: &Row, column: &str) -> Result<Vec<T>> {
    let list: Option<Json<Vec<T>>> = row.try_get(column).map_err(fault)?;
    Ok(list.map(|Json(list)| list).unwrap_or_default())
}

#[derive(Deserialize)]
struct EventForm {
    status: String,
    ends_at: i64,
    usual: Option<u32>,
    least: Option<u32>,
    most: Option<u32>,
    limit: Option<u32>,
    queued: Option<u8>,
}

impl EventForm {
    fn read(self) -> Result<EventTerms> {
        Ok(EventTerms {
            status: EventStatus::parse("status", &self.status)?,
            ends_at: moment(self.ends_at)?,
            holds: HoldRules { usual: self.usual, least: self.least, most: self.most },
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
