//! Statements over rows, executed in one round trip.

use std::fmt::Write as _;
use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, Row as _};
use tessera_core::id::TenantId;
use tessera_core::{Error, Result};

use super::dialect::{Conn, TRANSACTION};
use super::numbering;
use super::sql::rows::{Column, Effect, Rows, Statement};
use crate::error::db_error;
use crate::statement_cache::StatementCache;

/// Texts by the names of their parts.
static STATEMENTS: LazyLock<StatementCache<Vec<&'static str>>> = LazyLock::new(StatementCache::default);

/// Executes several statements in one round trip; those with expectations come first. The text is the same for any number
/// of rows, so it is planned once.
pub(super) async fn write_together(
    conn: &mut Conn,
    tenant: TenantId,
    parts: &[Statement<'_>],
) -> Result<String> {
    let sql = STATEMENTS.get(parts.iter().map(|part| part.name).collect(), || together(parts));
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.0);
    for (_, rows) in parts.iter().flat_map(|part| &part.inputs) {
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
        Ok(row) => row.try_get("token").map_err(db_error),
        Err(error) if is_conflict(&error) => Err(Error::stale().caused_by(error)),
        Err(error) => Err(db_error(error)),
    }
}

/// Composes the statement. The rows of parts with expectations are counted; the draw of the facts depends on the count, so
/// that all locks are held by then.
fn together(parts: &[Statement<'_>]) -> String {
    let (mut sql, mut whole) = (String::from("WITH "), String::from("TRUE"));
    let (counted, others) =
        parts.split_at(parts.partition_point(|part| matches!(part.effect, Effect::Locks | Effect::Expects)));
    let mut bound = 1;
    for (index, part) in counted.iter().enumerate() {
        let first = bound + 1;
        let statement = with_inputs(part, (part.sql)(), &mut bound);
        let returning = if part.effect == Effect::Expects { " RETURNING 1" } else { "" };
        let _ = write!(sql, "part{index} AS ({statement}{returning}), ");
        let _ = write!(whole, " AND (SELECT COUNT(*) FROM part{index}) = cardinality(${first})");
    }
    // If an expectation is not met, the division by zero fails the statement.
    let _ = write!(sql, "checked AS (SELECT 1 / CASE WHEN {whole} THEN 1 ELSE 0 END AS whole)");
    for (index, part) in others.iter().enumerate() {
        let before = if part.effect == Effect::Numbers { numbering::COMMITTED } else { "" };
        let statement = format!(", {before}other{index} AS ({})", (part.sql)());
        sql += &with_inputs(part, statement, &mut bound);
    }
    let _ = write!(sql, " SELECT {TRANSACTION} AS token, whole FROM checked");
    sql
}

fn with_inputs(part: &Statement<'_>, statement: String, bound: &mut usize) -> String {
    part.inputs.iter().fold(statement, |statement, (name, rows)| with_rows(&statement, (name, rows), bound))
}

/// Returns whether an error means stale expectations: the division by zero, or a violated bound of a pool.
fn is_conflict(error: &sqlx::Error) -> bool {
    let raised = error.as_database_error();
    raised.is_some_and(|raised| {
        raised.is_check_violation() || raised.code().is_some_and(|code| code == "22012")
    })
}

/// Replaces the placeholders of rows: each column is a parameter, an array.
fn with_rows(statement: &str, (name, rows): (&str, &Rows<'_>), bound: &mut usize) -> String {
    let (mut columns, first) = (String::new(), *bound + 1);
    let mut statement = rows.fill(statement);
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
        // No column that is used this way has a name that begins with another's.
        statement = statement.replace(&format!("{name}.{column}"), &format!("${bound}::{kind}[]"));
    }
    // In the select list, where set-returning functions are not materialized.
    let rows = format!("(SELECT {columns}generate_series(1, cardinality(${first})) AS place) v");
    statement.replace(name, &rows)
}
