//! SQL fragments and types of SQLite.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, QueryBuilder, Sqlite, Type};
use tessera_core::Timestamp;

pub(super) type Db = Sqlite;
pub(super) type Conn = sqlx::SqliteConnection;
pub(super) type Row = sqlx::sqlite::SqliteRow;

/// Not needed: there is one writer.
pub(super) const LOCK_TO_CHANGE: &str = "";
pub(super) const LOCK_TO_KEEP: &str = "";

/// Rows of a project's issue count.
pub(super) const SLOTS: u8 = 16;

/// Not needed: the answer to COMMIT cannot be lost.
pub(super) const TRANSACTION: &str = "''";

/// Acquires or renews the lease `$1` for the holder `$2`, for `$3` microseconds.
pub(super) const LEASE: &str = "INSERT INTO leases (name, holder, epoch, until)
    VALUES ($1, $2, 1, CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + $3)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until,
    epoch = leases.epoch + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
    WHERE leases.holder = excluded.holder
    OR leases.until <= CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)";

/// Present time.
pub(super) const CLOCK: &str = "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)";
/// Time after all others.
pub(super) const FOREVER: &str = "9223372036854775807";
/// Functions that build a JSON object, and a JSON array of rows.
pub(super) const OBJECT: &str = "json_object";
pub(super) const LIST: &str = "json_group_array";

/// Expands a JSON array to rows `v.value`.
pub(super) fn each(rows: &str) -> String {
    format!("json_each({rows}) AS v")
}

/// Matches a column against `value` of each entry of a JSON array.
pub(super) fn among(column: &str, value: &str, rows: &str) -> String {
    within(column, &format!("SELECT {value} FROM {}", each(rows)))
}

/// Matches a column against the results of a query.
pub(super) fn within(column: &str, query: &str) -> String {
    format!("{column} IN ({query})")
}

/// Embeds a JSON column in a JSON object.
pub(super) fn json(column: &str) -> String {
    format!("json({column})")
}

/// Converts a text to an id.
pub(super) fn uuid(text: &str) -> String {
    format!("unhex({text}, '-')")
}

/// Converts an id to a text.
pub(super) fn id_text(column: &str) -> String {
    format!("nullif(hex({column}), '')")
}

/// Converts a time to microseconds.
pub(super) fn micros(column: &str) -> String {
    column.to_owned()
}

/// Converts bytes to hexadecimal digits.
pub(super) fn hex(column: &str) -> String {
    format!("hex({column})")
}

/// Not needed: there is one writer.
pub(super) const LOCK_POOLS: &str = "";

/// Condition that an event's terms have the cached versions.
pub(super) const TERMS_UNCHANGED: &str = "(SELECT COUNT(*) FROM $event WHERE
      (SELECT e.version FROM events e WHERE e.tenant_id = $1 AND e.id = v.id AND e.deleted_at IS NULL) = v.version
      AND (SELECT COUNT(*) FROM queues q WHERE q.tenant_id = $1 AND q.event_id = v.id AND q.required) = 0
      AND (SELECT h.version FROM hold_rules h WHERE h.tenant_id = $1) IS NOT DISTINCT FROM v.holds) = 1
     AND (SELECT COUNT(*) FROM $types WHERE
      (SELECT t.version FROM ticket_types t WHERE t.tenant_id = $1 AND t.id = v.id) = v.version)
      = (SELECT COUNT(*) FROM $types)";

/// Matches a column against the ids in a column of `$rows`.
pub(super) fn of_rows(column: &str, name: &str) -> String {
    format!("{column} IN (SELECT v.{name} FROM $rows)")
}

/// Keywords of statements that write many rows. `OR FAIL` spares SQLite a statement journal: after an error the caller
/// rolls back the transaction or the savepoint.
pub(super) const INSERT: &str = "INSERT OR FAIL INTO";
pub(super) const UPDATE: &str = "UPDATE OR FAIL";

/// A time: microseconds since 1970.
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

/// Matches a field of a JSON column against texts; of a list any entry may match.
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
