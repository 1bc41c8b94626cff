//! Statements that read the state of a batch.

use std::sync::LazyLock;

use super::super::super::dialect;

/// Due holds that are read at once.
const DUE: u32 = 256;

/// Units of the due holds that are read at once; the last one may exceed it.
const DUE_UNITS: u32 = 1_000;

/// Rows that a batch requires beside the event and its pools. Each combination has a statement of its own, so that
/// rows that are not required cost nothing.
#[derive(Clone, Copy)]
pub(super) struct Required {
    /// Ticket types, for new reservations.
    pub(super) new: bool,
    /// Existing reservations.
    pub(super) old: bool,
    /// Idempotency records.
    pub(super) keys: bool,
}

impl Required {
    pub(super) fn statement(self) -> &'static str {
        static READ: LazyLock<[String; 8]> = LazyLock::new(|| {
            std::array::from_fn(|bits| {
                Required { new: bits & 1 != 0, old: bits & 2 != 0, keys: bits & 4 != 0 }.sql()
            })
        });
        &READ[usize::from(self.new) | usize::from(self.old) << 1 | usize::from(self.keys) << 2]
    }

    /// Returns the statement. Rows of several tables come as JSON columns of one row.
    fn sql(self) -> String {
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
        let parts = [(self.new, types_part()), (self.old, old_part()), (self.keys, keys_part())];
        for (_, part) in parts.into_iter().filter(|(needed, _)| *needed) {
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
         'lines', {}, 'units', {}, 'codes', {}, 'quote', {}, 'payment', r.payment_reference, \
         'created_by', r.created_by, \
         'created_at', {}, 'updated_at', {}, 'expires_at', {}, 'version', r.version)",
        dialect::OBJECT,
        id("r.id"),
        id("r.event_id"),
        json("r.lines"),
        json("r.units"),
        json("r.codes"),
        id("r.quote_id"),
        at("r.created_at"),
        at("r.updated_at"),
        at("r.expires_at"),
    )
}

fn types_part() -> String {
    format!(
        ", (SELECT {list}({object}('id', {id}, 'version', version, 'name', name, 'amount', amount, 'currency', currency,
          'least', least, 'most', most, 'from', {from}, 'until', {until}, 'status', status, 'pools', {pools},
          'seated', CASE WHEN seated THEN 1 ELSE 0 END, 'hidden', CASE WHEN hidden THEN 1 ELSE 0 END))
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

/// Further rows that the first read shows to be required, read by one statement.
#[derive(Clone, Copy)]
pub(super) struct Further {
    /// Due holds.
    pub(super) due: bool,
    /// Units held and bought by each buyer, for the buyer limit.
    pub(super) buyers: bool,
    /// Buyers whose turn it is, for a required queue.
    pub(super) served: bool,
    /// Seats: the requested ones and those of due holds.
    pub(super) seats: bool,
}

impl Further {
    pub(super) fn statement(self) -> &'static str {
        static READ: LazyLock<[String; 16]> = LazyLock::new(|| {
            std::array::from_fn(|bits| {
                let has = |bit: usize| bits & bit != 0;
                Further { due: has(1), buyers: has(2), served: has(4), seats: has(8) }.sql()
            })
        });
        let bits = [self.due, self.buyers, self.served, self.seats];
        let place = bits.iter().enumerate().fold(0, |place, (bit, set)| place | usize::from(*set) << bit);
        &READ[place]
    }

    pub(super) fn is_nothing(self) -> bool {
        !(self.due || self.buyers || self.served || self.seats)
    }

    fn sql(self) -> String {
        let (object, list) = (dialect::OBJECT, dialect::LIST);
        let buyers = dialect::among("buyer", "v.value->>0", "$4");
        let mut sql = String::from("SELECT 1 AS more");
        if self.due {
            let (object, due) = (reservation_object(), due("*"));
            sql.push_str(&format!(", (SELECT {list}({object}) FROM ({due}) r) AS due"));
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

/// Selects due holds; of a cancelled event all holds.
fn due(columns: &str) -> String {
    format!(
        "SELECT {columns} FROM
          (SELECT h.*, SUM(h.quantity) OVER (ORDER BY h.expires_at, h.id) - h.quantity AS units_before FROM
           (SELECT * FROM reservations WHERE tenant_id = $1 AND event_id = $2 AND state = 'held'
            AND expires_at <= CASE WHEN $6 THEN {} ELSE $5 END ORDER BY expires_at, id LIMIT {DUE}) h) d
         WHERE units_before < {DUE_UNITS}",
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
