//! What a batch is judged by: one statement that locks the pools, and one that reads everything.

use std::collections::{BTreeSet, HashMap};
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
use crate::codec::{AnswerForm, ReservationForm, answer, corrupt, moment, reservation};
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

/// The statement that reads all that commands are judged by. Everything comes as JSON, for it comes from many tables
/// at once.
static READ: LazyLock<String> = LazyLock::new(|| {
    let (object, list) = (dialect::OBJECT, dialect::LIST);
    let (id, at, json) = (dialect::id_text, dialect::micros, dialect::json);
    let one_of = |column: &str, rows: &str| {
        format!("{column} IN (SELECT {} FROM {})", dialect::uuid("v.value->>0"), dialect::each(rows))
    };
    let held = format!(
        "{object}('id', {}, 'event', {}, 'buyer', r.buyer, 'state', r.state, 'quantity', r.quantity, \
         'lines', {}, 'units', {}, 'payment', r.payment_reference, 'created_by', r.created_by, \
         'created_at', {}, 'updated_at', {}, 'expires_at', {}, 'version', r.version)",
        id("r.id"),
        id("r.event_id"),
        json("r.lines"),
        json("r.units"),
        at("r.created_at"),
        at("r.updated_at"),
        at("r.expires_at"),
    );
    let due_before = format!(
        "(SELECT CASE WHEN e.status = 'cancelled' THEN {} ELSE c.now END FROM c LEFT JOIN events e \
         ON e.tenant_id = $1 AND e.id = $2 AND e.deleted_at IS NULL)",
        dialect::FOREVER
    );
    let due = format!(
        "SELECT id FROM reservations WHERE tenant_id = $1 AND event_id = $2 AND state = 'held' \
         AND expires_at <= {due_before} ORDER BY expires_at LIMIT {DUE}"
    );
    let named = format!("SELECT {}, v.value->>1 FROM {}", dialect::uuid("v.value->>0"), dialect::each("$7"));
    let keys = format!("SELECT v.value->>0, v.value->>1, v.value->>2 FROM {}", dialect::each("$6"));
    let buyers = format!("SELECT v.value->>0 FROM {}", dialect::each("$5"));
    let seat = "SELECT id, ticket_type_id, seat_row, number, label, unit_id FROM seats WHERE tenant_id = $1";
    format!(
        "WITH c AS MATERIALIZED (SELECT {clock} AS now), due AS MATERIALIZED ({due})
         SELECT (SELECT now FROM c) AS now,
         (SELECT {object}('status', status, 'ends_at', {ends}, 'usual', hold_usual, 'least', hold_least,
          'most', hold_most, 'limit', buyer_limit) FROM events
          WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL) AS event,
         (SELECT {list}({object}('id', {type_id}, 'name', name, 'capacity', capacity, 'held', held, 'sold', sold,
          'locked', locked)) FROM pools WHERE tenant_id = $1 AND event_id = $2) AS pools,
         (SELECT {list}({object}('id', {type_id}, 'name', name, 'amount', amount, 'currency', currency,
          'least', least, 'most', most, 'from', {from}, 'until', {until}, 'status', status, 'pools', {type_pools},
          'seated', CASE WHEN seated THEN 1 ELSE 0 END))
          FROM ticket_types WHERE tenant_id = $1 AND event_id = $2 AND {types}) AS types,
         (SELECT {list}({held}) FROM reservations r WHERE r.tenant_id = $1 AND r.event_id = $2 AND {asked})
          AS reservations,
         (SELECT {list}({held}) FROM reservations r WHERE r.tenant_id = $1 AND r.id IN (SELECT id FROM due)) AS due,
         (SELECT {list}({object}('buyer', buyer, 'units', units)) FROM
          (SELECT buyer, CAST(SUM(quantity) AS BIGINT) AS units FROM reservations
           WHERE tenant_id = $1 AND buyer IN ({buyers}) AND event_id = $2 AND state IN ('held', 'confirmed')
           AND (SELECT buyer_limit FROM events WHERE tenant_id = $1 AND id = $2) IS NOT NULL
           GROUP BY buyer) b) AS buyers,
         (SELECT {list}({object}('principal', principal, 'operation', operation, 'key', key,
          'fingerprint', {fingerprint}, 'answer', {answer})) FROM idempotency
          WHERE tenant_id = $1 AND (principal, operation, key) IN ({keys}) AND expires_at > (SELECT now FROM c))
          AS keys,
         (SELECT {list}({object}('id', {seat_id}, 'type', {seat_type}, 'row', seat_row, 'number', number,
          'label', label, 'unit', {seat_unit})) FROM
          ({seat} AND (ticket_type_id, label) IN ({named})
           UNION {seat} AND reservation_id IN (SELECT id FROM due)
           UNION SELECT * FROM ({seat} AND {seat_types} AND unit_id IS NULL ORDER BY ticket_type_id, place
            LIMIT {looked_at}) f) s) AS seats",
        clock = dialect::CLOCK,
        ends = at("ends_at"),
        type_id = id("id"),
        from = at("valid_from"),
        until = at("valid_until"),
        type_pools = json("pools"),
        types = one_of("id", "$3"),
        asked = one_of("r.id", "$4"),
        fingerprint = dialect::hex("fingerprint"),
        answer = json("answer"),
        seat_id = id("id"),
        seat_type = id("ticket_type_id"),
        seat_unit = id("unit_id"),
        seat_types = one_of("ticket_type_id", "$3"),
        looked_at = LOOKED_AT,
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
    let query = sqlx::query(AssertSqlSafe(READ.as_str()))
        .bind(tenant.0)
        .bind(id.0)
        .bind(Json(named.types))
        .bind(Json(named.reservations))
        .bind(Json(named.buyers))
        .bind(Json(named.keys))
        .bind(Json(named.seats));
    let row = query.fetch_one(conn).await.map_err(fault)?;
    let Ts(now) = row.try_get("now").map_err(fault)?;
    let event: Option<Json<EventForm>> = row.try_get("event").map_err(fault)?;
    let reservations = all::<ReservationForm>(&row, "reservations")?.into_iter().map(reservation);
    let due = all::<ReservationForm>(&row, "due")?.into_iter().map(reservation);
    let buyers = all::<BuyerForm>(&row, "buyers")?.into_iter().map(|form| (form.buyer, form.units));
    Ok(Book {
        id,
        now,
        event: event.map(|Json(form)| form.read()).transpose()?,
        types: all::<TypeForm>(&row, "types")?
            .into_iter()
            .map(|form| form.read(id))
            .collect::<Result<_>>()?,
        pools: all::<PoolForm>(&row, "pools")?.into_iter().map(PoolForm::read).collect(),
        reservations: reservations.map(|held| held.map(|held| (held.id, held))).collect::<Result<_>>()?,
        due: due.collect::<Result<_>>()?,
        buyers: buyers.collect(),
        seats: all::<SeatForm>(&row, "seats")?.into_iter().map(|form| form.read(id)).collect(),
        keys: all::<KeyForm>(&row, "keys")?
            .into_iter()
            .map(|form| form.read(tenant))
            .collect::<Result<HashMap<_, _>>>()?,
        writes: Writes::default(),
    })
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
}

impl EventForm {
    fn read(self) -> Result<EventTerms> {
        Ok(EventTerms {
            status: EventStatus::parse("status", &self.status)?,
            ends_at: moment(self.ends_at)?,
            holds: HoldRules { usual: self.usual, least: self.least, most: self.most },
            buyer_limit: self.limit,
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
