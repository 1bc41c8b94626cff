//! What SQLite does in its own way.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{AssertSqlSafe, Decode, Encode, QueryBuilder, Sqlite, Type};
use tessera_core::id::TenantId;
use tessera_core::{Error, Result, Timestamp};

use super::sql::inventory::{Column, Part, Rows};

use crate::error::fault;

pub(super) type Db = Sqlite;
pub(super) type Conn = sqlx::SqliteConnection;
pub(super) type Row = sqlx::sqlite::SqliteRow;

/// There is one writer: what it reads stays as it is until it commits.
pub(super) const LOCK_TO_CHANGE: &str = "";
pub(super) const LOCK_TO_KEEP: &str = "";

/// How many rows a project's count of issues has.
pub(super) const SLOTS: u8 = 16;

/// Nobody asks for a transaction: its answer cannot be lost.
pub(super) const TRANSACTION: &str = "''";

/// Takes or keeps the lease `$1` for `$2`, for `$3` microseconds.
pub(super) const LEASE: &str = "INSERT INTO leases (name, holder, epoch, until)
    VALUES ($1, $2, 1, CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + $3)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until,
    epoch = leases.epoch + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
    WHERE leases.holder = excluded.holder
    OR leases.until <= CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)";

/// The clock.
pub(super) const CLOCK: &str = "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)";
/// A moment after all others.
pub(super) const FOREVER: &str = "9223372036854775807";
/// Makes a JSON object, and a JSON array of many rows.
pub(super) const OBJECT: &str = "json_object";
pub(super) const LIST: &str = "json_group_array";

/// The entries of a JSON array, as `v.value`.
pub(super) fn each(rows: &str) -> String {
    format!("json_each({rows}) AS v")
}

/// The column is one of what `value` says of the entries of a JSON array.
pub(super) fn among(column: &str, value: &str, rows: &str) -> String {
    within(column, &format!("SELECT {value} FROM {}", each(rows)))
}

/// The column is one of what a query finds.
pub(super) fn within(column: &str, query: &str) -> String {
    format!("{column} IN ({query})")
}

/// A JSON column within a JSON object.
pub(super) fn json(column: &str) -> String {
    format!("json({column})")
}

/// An id out of a text, and as one.
pub(super) fn uuid(text: &str) -> String {
    format!("unhex({text}, '-')")
}

pub(super) fn id_text(column: &str) -> String {
    format!("nullif(hex({column}), '')")
}

/// A moment as a number of microseconds.
pub(super) fn micros(column: &str) -> String {
    column.to_owned()
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(column: &str) -> String {
    format!("hex({column})")
}

/// Nothing is locked: there is one writer.
pub(super) const LOCK_POOLS: &str = "";

/// The condition that an event's terms are as they were seen.
pub(super) const STILL: &str = "(SELECT COUNT(*) FROM $event WHERE
      (SELECT e.version FROM events e WHERE e.tenant_id = $1 AND e.id = v.id AND e.deleted_at IS NULL) = v.version
      AND (SELECT COUNT(*) FROM queues q WHERE q.tenant_id = $1 AND q.event_id = v.id AND q.required) = 0
      AND (SELECT h.version FROM hold_rules h WHERE h.tenant_id = $1) IS NOT DISTINCT FROM v.holds) = 1
     AND (SELECT COUNT(*) FROM $types WHERE
      (SELECT t.version FROM ticket_types t WHERE t.tenant_id = $1 AND t.id = v.id) = v.version)
      = (SELECT COUNT(*) FROM $types)";

/// The column is one of the ids that `$rows` have under this name.
pub(super) fn of_rows(column: &str, name: &str) -> String {
    format!("{column} IN (SELECT v.{name} FROM $rows)")
}

/// Carries out several statements at once; they must change as many rows as they are given. The text is the same for
/// any number of rows, so that it is prepared once.
pub(super) async fn write_together(conn: &mut Conn, tenant: TenantId, parts: &[Part<'_>]) -> Result<String> {
    let (mut sql, mut expected, mut bound) = (String::new(), 0, Vec::new());
    for part in parts {
        let count = format!("json_array_length(${})", bound.len() + 2);
        if part.numbered {
            let _ = write!(sql, "UPDATE facts_head SET seq = seq + {count} WHERE id = 1; ");
            expected += 1;
        }
        let mut statement = part.sql.replace("$count", &count);
        for (name, rows) in &part.given {
            bound.push(array(rows)?);
            statement = statement.replace(name, &shown(rows, bound.len() + 1));
        }
        let _ = write!(sql, "{statement}; ");
        expected += part.count();
    }
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.0);
    for rows in bound {
        query = query.bind(rows);
    }
    let changed = query.execute(conn).await;
    let changed = changed.map_err(|error| match error.as_database_error() {
        // A pool's bound: it is judged by what it was.
        Some(raised) if raised.is_check_violation() => Error::stale().caused_by(error),
        _ => fault(error),
    })?;
    // None changes more than it is given: the sum says it of each.
    if usize::try_from(changed.rows_affected()) == Ok(expected) {
        Ok(String::new())
    } else {
        Err(Error::stale())
    }
}

/// Rows as a JSON array of arrays.
fn array(rows: &Rows<'_>) -> Result<String> {
    let row = |place| rows.columns.iter().map(move |(_, column)| Cell { column, place }).collect::<Vec<_>>();
    let rows: Vec<_> = (0..rows.count).map(row).collect();
    serde_json::to_string(&rows).map_err(Error::internal)
}

/// What a row has in a column.
struct Cell<'a> {
    column: &'a Column<'a>,
    place: usize,
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = self.place;
        match self.column {
            Column::Ids(column) => column.get(place).serialize(serializer),
            Column::Texts(column) => column.get(place).serialize(serializer),
            Column::Numbers(column) => column.get(place).serialize(serializer),
            Column::Moments(column) => column.get(place).map(|at| at.0.micros()).serialize(serializer),
            Column::Bytes(column) => column.get(place).map(|bytes| hex_of(bytes)).serialize(serializer),
            Column::Jsons(column) => column.get(place).serialize(serializer),
        }
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The rows of the array that is the `bound`-th parameter, with their places from 1 on.
fn shown(rows: &Rows<'_>, bound: usize) -> String {
    let mut columns = String::new();
    for (place, (name, column)) in rows.columns.iter().enumerate() {
        let read = match column {
            Column::Ids(_) => format!("unhex(value->>{place}, '-')"),
            Column::Bytes(_) => format!("unhex(value->>{place})"),
            Column::Jsons(_) => format!("value->{place}"),
            Column::Texts(_) | Column::Numbers(_) | Column::Moments(_) => format!("value->>{place}"),
        };
        let _ = write!(columns, "{read} AS {name}, ");
    }
    format!("(SELECT {columns}key + 1 AS place FROM json_each(${bound})) v")
}

/// A moment: microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ts(pub(super) Timestamp);

impl Type<Sqlite> for Ts {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }

    fn compatible(info: &SqliteTypeInfo) -> bool {
        <i64 as Type<Sqlite>>::compatible(info)
    }
}

impl Encode<'_, Sqlite> for Ts {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        <i64 as Encode<'_, Sqlite>>::encode(self.0.micros(), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Ts {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        let micros = <i64 as Decode<'r, Sqlite>>::decode(value)?;
        Ok(Self(Timestamp::from_micros(micros).ok_or("a time out of range")?))
    }
}

/// The field of that name in a JSON column is one of the texts, or has one among its texts.
pub(super) fn push_field(query: &mut QueryBuilder<Db>, column: &str, name: &str, texts: &[String]) {
    query.push(format_args!("EXISTS (SELECT 1 FROM json_each({column}) f WHERE f.key = "));
    query.push_bind(name.to_owned());
    query.push(
        " AND (CASE f.type WHEN 'array' THEN NULL
          WHEN 'object' THEN COALESCE(f.value ->> '$.\"$decimal\"', f.value ->> '$.\"$time\"')
          WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(f.value AS TEXT) END IN (",
    );
    push_list(query, texts);
    query.push(
        ") OR EXISTS (SELECT 1 FROM json_each(CASE f.type WHEN 'array' THEN f.value ELSE '[]' END) e
          WHERE e.value IN (",
    );
    push_list(query, texts);
    query.push("))))");
}

fn push_list(query: &mut QueryBuilder<Db>, texts: &[String]) {
    let mut list = query.separated(", ");
    for text in texts {
        list.push_bind(text.clone());
    }
}
