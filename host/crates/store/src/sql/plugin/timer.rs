//! Timers.

use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};
use tessera_core::filter::{Operand, Term};
use tessera_core::id::{InstallationId, IssueId, TenantId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::Timer;
use tessera_core::plugin::timer::MAX_FAILURES;
use tessera_core::{Error, ErrorKind, Result, Timestamp};

use super::super::execute::{change_one, read_all};
use super::super::page::{Sort, SortType, at};
use super::super::table::Table;
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{corrupt, signed, unsigned};
use crate::error::db_error;

static TIMERS: Table = Table::new(
    "timers",
    &["tenant_id", "issue_id", "installation_id", "name"],
    &["at", "generation", "failures", "last_failure"],
    &[],
);

/// Sets a timer, replacing one of the same name.
pub(in super::super) async fn put(conn: &mut Conn, tenant: TenantId, timer: &Timer) -> Result<()> {
    let sql = format!(
        "{} ON CONFLICT (tenant_id, issue_id, installation_id, name) DO UPDATE
         SET at = excluded.at, generation = excluded.generation, failures = excluded.failures,
         last_failure = excluded.last_failure",
        TIMERS.insert(),
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.0)
        .bind(timer.issue.0)
        .bind(timer.installation.0)
        .bind(&timer.name)
        .bind(Ts(timer.at))
        .bind(signed(timer.generation))
        .bind(failures(timer))
        .bind(timer.last_failure.as_deref())
        .execute(conn)
        .await
        .map(|_| ())
        .map_err(db_error)
}

/// Deletes a timer of this generation, else fails as stale: it fires once.
pub(in super::super) async fn take(conn: &mut Conn, tenant: TenantId, timer: &Timer) -> Result<()> {
    let query = sqlx::query(
        "DELETE FROM timers WHERE tenant_id = $1 AND issue_id = $2 AND installation_id = $3 AND name = $4
         AND generation = $5",
    );
    let query = query.bind(tenant.0).bind(timer.issue.0).bind(timer.installation.0).bind(&timer.name);
    change_one(conn, query.bind(signed(timer.generation))).await
}

/// Deletes a timer, if it exists.
pub(in super::super) async fn drop(
    conn: &mut Conn,
    tenant: TenantId,
    (issue, installation, name): (IssueId, InstallationId, &str),
) -> Result<()> {
    let query = sqlx::query(
        "DELETE FROM timers WHERE tenant_id = $1 AND issue_id = $2 AND installation_id = $3 AND name = $4",
    );
    let query = query.bind(tenant.0).bind(issue.0).bind(installation.0).bind(name);
    query.execute(conn).await.map(|_| ()).map_err(db_error)
}

/// Delays a timer of this generation; returns the number of changed rows.
pub(in super::super) async fn delay(conn: &mut Conn, tenant: TenantId, timer: &Timer) -> Result<u64> {
    let query = sqlx::query(
        "UPDATE timers SET at = $6, failures = $7, last_failure = $8 WHERE tenant_id = $1
         AND issue_id = $2 AND installation_id = $3 AND name = $4 AND generation = $5",
    );
    let result = query
        .bind(tenant.0)
        .bind(timer.issue.0)
        .bind(timer.installation.0)
        .bind(&timer.name)
        .bind(signed(timer.generation))
        .bind(Ts(timer.at))
        .bind(failures(timer))
        .bind(timer.last_failure.as_deref())
        .execute(conn)
        .await
        .map_err(db_error)?;
    Ok(result.rows_affected())
}

/// Fails if an issue has too many timers after all writes.
pub(in super::super) async fn at_most(
    conn: &mut Conn,
    tenant: TenantId,
    issue: IssueId,
    most: usize,
) -> Result<()> {
    let query = sqlx::query_scalar("SELECT COUNT(*) FROM timers WHERE tenant_id = $1 AND issue_id = $2");
    let count: i64 = query.bind(tenant.0).bind(issue.0).fetch_one(conn).await.map_err(db_error)?;
    if unsigned(count)? <= most as u64 {
        return Ok(());
    }
    let message = format!("the issue {issue} would have {count} timers; plugins may set {most} for an issue");
    Err(Error::new(ErrorKind::Precondition, "PLUGIN_TOO_MANY_TIMERS", message))
}

/// Lists an issue's timers by name.
pub(in super::super) async fn list(conn: &mut Conn, tenant: TenantId, issue: IssueId) -> Result<Vec<Timer>> {
    let mut query = TIMERS.of(tenant);
    query.push(" AND issue_id = ").push_bind(issue.0);
    query.push(" ORDER BY name, installation_id");
    read_all(conn, query, read).await
}

/// Lists an installation's timers.
pub(in super::super) async fn of(
    conn: &mut Conn,
    tenant: TenantId,
    installation: InstallationId,
    page: &PageRequest,
) -> Result<Page<Timer>> {
    let mut query = TIMERS.of(tenant);
    query.push(" AND installation_id = ").push_bind(installation.0);
    filter::push(&mut query, &page.filter, condition)?;
    let place = |timer: &Timer| at(timer.at, &format_args!("{}/{}", timer.issue, timer.name));
    let order = if page.order.descending {
        "at DESC, issue_id DESC, name DESC"
    } else {
        "at ASC, issue_id ASC, name ASC"
    };
    let sort = Sort::by("at", SortType::Moments, place).with_issues_and_names().in_order(order);
    sort.descending(page.order.descending).page((conn, tenant), query, page, read).await
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "issue" => filter::id(query, "issue_id", term),
        "name" => filter::text(query, "name", term),
        "parked" => push_parked(query, term),
        "due" => filter::time(query, "at", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

/// Writes the condition as the partial indexes have it, so that they are used.
fn push_parked(query: &mut QueryBuilder<Db>, term: &Term) {
    let has = |parked| term.values.contains(&Operand::Boolean(parked));
    match (has(true), has(false)) {
        (true, true) => query.push("TRUE"),
        (true, false) => query.push(format_args!("failures >= {MAX_FAILURES}")),
        (false, true) => query.push(format_args!("failures < {MAX_FAILURES}")),
        (false, false) => query.push("FALSE"),
    };
}

/// Lists due timers, the longest waiting first. Parked timers are never due.
pub(in super::super) async fn due(
    conn: &mut Conn,
    tenant: TenantId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Timer>> {
    let mut query = TIMERS.of(tenant);
    // As the partial index has it, so that it is used.
    query.push(format_args!(" AND failures < {MAX_FAILURES} AND at <= ")).push_bind(Ts(now));
    query.push(" ORDER BY at LIMIT ").push_bind(i64::from(limit));
    read_all(conn, query, read).await
}

fn failures(timer: &Timer) -> i32 {
    i32::try_from(timer.failures).unwrap_or(i32::MAX)
}

fn read(row: &Row) -> Result<Timer> {
    let Ts(at) = row.try_get("at").map_err(db_error)?;
    let failures: i32 = row.try_get("failures").map_err(db_error)?;
    Ok(Timer {
        issue: IssueId(row.try_get("issue_id").map_err(db_error)?),
        installation: InstallationId(row.try_get("installation_id").map_err(db_error)?),
        name: row.try_get("name").map_err(db_error)?,
        at,
        generation: unsigned(row.try_get("generation").map_err(db_error)?)?,
        failures: u32::try_from(failures).map_err(|_| corrupt("a count", failures))?,
        last_failure: row.try_get("last_failure").map_err(db_error)?,
    })
}
