//! SQL fragments and types of PostgreSQL.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::types::time::OffsetDateTime;
use sqlx::{Decode, Encode, Postgres, QueryBuilder, Type};
use tessera_core::Timestamp;

pub(super) type Db = Postgres;
pub(super) type Conn = sqlx::PgConnection;
pub(super) type Row = sqlx::postgres::PgRow;

/// Locks rows for writing.
pub(super) const LOCK_TO_CHANGE: &str = " FOR NO KEY UPDATE";
/// Locks rows that a decision depends on: shared, but against changes.
pub(super) const LOCK_TO_KEEP: &str = " FOR SHARE";

/// Rows of a project's issue count; each is locked until its transaction is flushed.
pub(super) const SLOTS: u8 = 64;

/// Token that identifies the transaction, for queries of its outcome when the answer to COMMIT was lost.
pub(super) const TRANSACTION: &str = "pg_current_xact_id()::text";

/// Acquires or renews the lease `$1` for the holder `$2`, for `$3` microseconds.
pub(super) const LEASE: &str = "INSERT INTO leases (name, holder, epoch, until)
    VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 microsecond')
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until,
    epoch = leases.epoch + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
    WHERE leases.holder = excluded.holder OR leases.until <= clock_timestamp()";

/// Present time, also after the transaction has waited.
pub(super) const CLOCK: &str = "clock_timestamp()";
/// Time after all others.
pub(super) const FOREVER: &str = "'infinity'::timestamptz";
/// Functions that build a JSON object, and a JSON array of rows.
pub(super) const OBJECT: &str = "jsonb_build_object";
pub(super) const LIST: &str = "jsonb_agg";

/// Expands a JSON array to rows `v.value`.
pub(super) fn each(rows: &str) -> String {
    format!("jsonb_array_elements({rows}) AS v(value)")
}

/// Matches a column against `value` of each entry of a JSON array. An array instead of a join makes the planner use the
/// index, also when its statistics are those of an empty table.
pub(super) fn among(column: &str, value: &str, rows: &str) -> String {
    within(column, &format!("SELECT {value} FROM {}", each(rows)))
}

/// Matches a column against the results of a query.
pub(super) fn within(column: &str, query: &str) -> String {
    format!("{column} = ANY(ARRAY({query}))")
}

/// Embeds a JSON column in a JSON object.
pub(super) fn json(column: &str) -> String {
    column.to_owned()
}

/// Converts a text to an id.
pub(super) fn uuid(text: &str) -> String {
    format!("CAST({text} AS uuid)")
}

/// Converts an id to a text.
pub(super) fn id_text(column: &str) -> String {
    format!("CAST({column} AS text)")
}

/// Converts a time to microseconds.
pub(super) fn micros(column: &str) -> String {
    format!("CAST(extract(epoch FROM {column}) * 1000000 AS bigint)")
}

/// Converts bytes to hexadecimal digits.
pub(super) fn hex(column: &str) -> String {
    format!("encode({column}, 'hex')")
}

/// Locks rows of pools, `p`, within a statement.
pub(super) const LOCK_POOLS: &str = " FOR NO KEY UPDATE OF p";

/// Condition that an event's terms have the cached versions. The function is called after the pools are locked and sees
/// all commits up to then, beyond the statement's snapshot.
pub(super) const TERMS_UNCHANGED: &str =
    "(SELECT terms_unchanged($1, v.id, v.version, v.holds, v.decided, $types.id,
    $types.version, (SELECT COUNT(*) FROM locked)) FROM $event)";

/// Matches a column against the ids in a column of `$rows`; an array for the same reason as in [`among`].
pub(super) fn of_rows(column: &str, name: &str) -> String {
    format!("{column} = ANY($rows.{name})")
}

/// Keywords of statements that write many rows.
pub(super) const INSERT: &str = "INSERT INTO";
pub(super) const UPDATE: &str = "UPDATE";

/// A time: `timestamptz`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ts(pub(super) Timestamp);

impl Type<Postgres> for Ts {
    fn type_info() -> PgTypeInfo {
        <OffsetDateTime as Type<Postgres>>::type_info()
    }

    fn compatible(info: &PgTypeInfo) -> bool {
        <OffsetDateTime as Type<Postgres>>::compatible(info)
    }
}

impl PgHasArrayType for Ts {
    fn array_type_info() -> PgTypeInfo {
        <OffsetDateTime as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for Ts {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <OffsetDateTime as Encode<'_, Postgres>>::encode(self.0.to_datetime(), buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Ts {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let at = <OffsetDateTime as Decode<'r, Postgres>>::decode(value)?;
        Ok(Self(Timestamp::from_datetime(at)))
    }
}

/// Matches a field of a JSON column against texts; of a list any entry may match.
pub(super) fn push_field(query: &mut QueryBuilder<Db>, column: &str, name: &str, texts: &[String]) {
    query.push(format_args!("EXISTS (SELECT 1 FROM (SELECT {column} -> "));
    query.push_bind(name.to_owned());
    query.push(" AS value) f WHERE CASE jsonb_typeof(f.value) WHEN 'array' THEN f.value ?| ");
    query.push_bind(texts.to_vec());
    query.push(" WHEN 'object' THEN COALESCE(f.value ->> '$decimal', f.value ->> '$time') = ANY(");
    query.push_bind(texts.to_vec());
    query.push(") ELSE f.value #>> '{}' = ANY(");
    query.push_bind(texts.to_vec());
    query.push(") END)");
}
