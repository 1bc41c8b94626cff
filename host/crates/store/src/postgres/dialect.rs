//! What PostgreSQL does in its own way.

use std::fmt::Write as _;
use std::sync::LazyLock;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::types::time::OffsetDateTime;
use sqlx::{AssertSqlSafe, Decode, Encode, Postgres, QueryBuilder, Row as _, Type};
use tessera_core::id::TenantId;
use tessera_core::{Error, Result, Timestamp};

use super::numbering;
use super::sql::rows::{Column, Part, Rows, Way};
use crate::error::fault;
use crate::texts::Texts;

pub(super) type Db = Postgres;
pub(super) type Conn = sqlx::PgConnection;
pub(super) type Row = sqlx::postgres::PgRow;

/// Locks rows that are written, or kinds of which some are.
pub(super) const LOCK_TO_CHANGE: &str = " FOR NO KEY UPDATE";
/// Locks rows that a decision depends on: others may depend on them too, nobody may change them.
pub(super) const LOCK_TO_KEEP: &str = " FOR SHARE";

/// How many rows a project's count of issues has: each is locked until its transaction is flushed.
pub(super) const SLOTS: u8 = 64;

/// By what the server knows the transaction, to ask for it when the answer to COMMIT was lost.
pub(super) const TRANSACTION: &str = "pg_current_xact_id()::text";

/// Takes or keeps the lease `$1` for `$2`, for `$3` microseconds.
pub(super) const LEASE: &str = "INSERT INTO leases (name, holder, epoch, until)
    VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 microsecond')
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until,
    epoch = leases.epoch + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
    WHERE leases.holder = excluded.holder OR leases.until <= clock_timestamp()";

/// The clock, after whatever the transaction waited for.
pub(super) const CLOCK: &str = "clock_timestamp()";
/// A moment after all others.
pub(super) const FOREVER: &str = "'infinity'::timestamptz";
/// Makes a JSON object, and a JSON array of many rows.
pub(super) const OBJECT: &str = "jsonb_build_object";
pub(super) const LIST: &str = "jsonb_agg";

/// The entries of a JSON array, as `v.value`.
pub(super) fn each(rows: &str) -> String {
    format!("jsonb_array_elements({rows}) AS v(value)")
}

/// The column is one of what `value` says of the entries of a JSON array. An array, and no join: whatever the
/// planner believes of a table that was empty a moment ago, it looks just for these in the index.
pub(super) fn among(column: &str, value: &str, rows: &str) -> String {
    within(column, &format!("SELECT {value} FROM {}", each(rows)))
}

/// The column is one of what a query finds.
pub(super) fn within(column: &str, query: &str) -> String {
    format!("{column} = ANY(ARRAY({query}))")
}

/// A JSON column within a JSON object.
pub(super) fn json(column: &str) -> String {
    column.to_owned()
}

/// An id out of a text, and as one.
pub(super) fn uuid(text: &str) -> String {
    format!("CAST({text} AS uuid)")
}

pub(super) fn id_text(column: &str) -> String {
    format!("CAST({column} AS text)")
}

/// A moment as a number of microseconds.
pub(super) fn micros(column: &str) -> String {
    format!("CAST(extract(epoch FROM {column}) * 1000000 AS bigint)")
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(column: &str) -> String {
    format!("encode({column}, 'hex')")
}

/// Locks the rows of pools, `p`, within a statement.
pub(super) const LOCK_POOLS: &str = " FOR NO KEY UPDATE OF p";

/// The condition that an event's terms are as they were seen, after the pools were locked: the function looks at what was
/// committed until then, and not at what the statement saw when it began.
pub(super) const STILL: &str = "(SELECT terms_hold($1, v.id, v.version, v.holds, v.judged, $types.id,
    $types.version, (SELECT COUNT(*) FROM locked)) FROM $event)";

/// The column is one of the ids that `$rows` have under this name. An array, and no join: whatever the planner believes
/// of a table that was empty a moment ago, it looks just for these in the index.
pub(super) fn of_rows(column: &str, name: &str) -> String {
    format!("{column} = ANY($rows.{name})")
}

/// How a statement begins that writes many rows.
pub(super) const INSERT: &str = "INSERT INTO";
pub(super) const UPDATE: &str = "UPDATE";

/// By the names of their parts.
static TEXTS: LazyLock<Texts<Vec<&'static str>>> = LazyLock::new(Texts::default);

/// Carries out several statements in one round trip, those that may change less than they are given before the others. The
/// text is the same for any number of rows, so that it is planned once.
pub(super) async fn write_together(conn: &mut Conn, tenant: TenantId, parts: &[Part<'_>]) -> Result<String> {
    let sql = TEXTS.get(parts.iter().map(|part| part.name).collect(), || together(parts));
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.0);
    for (_, rows) in parts.iter().flat_map(|part| &part.given) {
        for (_, column) in &rows.columns {
            query = match column {
                Column::Ids(column) => query.bind(column),
                Column::Texts(column) => query.bind(column),
                Column::Numbers(column) => query.bind(column),
                Column::Moments(column) => query.bind(column),
                Column::Bytes(column) => query.bind(column),
                Column::Jsons(column) => query.bind(column),
            };
        }
    }
    match query.fetch_one(conn).await {
        Ok(row) => row.try_get("token").map_err(fault),
        Err(error) if is_outdated(&error) => Err(Error::stale().caused_by(error)),
        Err(error) => Err(fault(error)),
    }
}

/// The statement that carries out these. Those that may change less than they are given are counted: they come first, and
/// what the facts draw depends on the count, so that all locks are held when they do.
fn together(parts: &[Part<'_>]) -> String {
    let (mut sql, mut whole) = (String::from("WITH "), String::from("TRUE"));
    let (counted, others) =
        parts.split_at(parts.partition_point(|part| matches!(part.way, Way::Locks | Way::Expects)));
    let mut bound = 1;
    for (index, part) in counted.iter().enumerate() {
        let first = bound + 1;
        let statement = given(part, (part.sql)(), &mut bound);
        let returning = if part.way == Way::Expects { " RETURNING 1" } else { "" };
        let _ = write!(sql, "part{index} AS ({statement}{returning}), ");
        let _ = write!(whole, " AND (SELECT COUNT(*) FROM part{index}) = cardinality(${first})");
    }
    // The division fails, and with it the statement.
    let _ = write!(sql, "checked AS (SELECT 1 / CASE WHEN {whole} THEN 1 ELSE 0 END AS whole)");
    for (index, part) in others.iter().enumerate() {
        let before = if part.way == Way::Numbers { numbering::COMMITTED } else { "" };
        let statement = format!(", {before}other{index} AS ({})", (part.sql)());
        sql += &given(part, statement, &mut bound);
    }
    let _ = write!(sql, " SELECT {TRANSACTION} AS token, whole FROM checked");
    sql
}

fn given(part: &Part<'_>, statement: String, bound: &mut usize) -> String {
    part.given.iter().fold(statement, |statement, (name, rows)| shown(&statement, (name, rows), bound))
}

/// A division by zero: not all rows were as they were expected. A bound that was broken: of a pool, which is judged by
/// what it was.
fn is_outdated(error: &sqlx::Error) -> bool {
    let raised = error.as_database_error();
    raised.is_some_and(|raised| {
        raised.is_check_violation() || raised.code().is_some_and(|code| code == "22012")
    })
}

/// A statement that is shown its rows: each column is a parameter of its own, an array.
fn shown(statement: &str, (name, rows): (&str, &Rows<'_>), bound: &mut usize) -> String {
    let (mut columns, first) = (String::new(), *bound + 1);
    let mut statement = statement.to_owned();
    for (column, values) in &rows.columns {
        *bound += 1;
        let kind = match values {
            Column::Ids(_) => "uuid",
            Column::Texts(_) => "text",
            Column::Numbers(_) => "bigint",
            Column::Moments(_) => "timestamptz",
            Column::Bytes(_) => "bytea",
            Column::Jsons(_) => "jsonb",
        };
        let _ = write!(columns, "unnest(${bound}::{kind}[]) AS {column}, ");
        // No column's name begins with another's.
        statement = statement.replace(&format!("{name}.{column}"), &format!("${bound}::{kind}[]"));
    }
    // In the list of what is selected, for there nothing is put aside before it is read.
    let rows = format!("(SELECT {columns}generate_series(1, cardinality(${first})) AS place) v");
    statement.replace(name, &rows)
}

/// A moment: `timestamptz`.
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

/// The field of that name in a JSON column is one of the texts, or has one among its texts.
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
