//! Tenants for which the host has work to do.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;
use tessera_core::id::TenantId;
use tessera_core::plugin::timer::MAX_FAILURES;
use tessera_core::ports::{DueWork, TenantPage};
use tessera_core::{Result, Timestamp};
use uuid::Uuid;

use super::{Conn, Ts};
use crate::error::db_error;

/// Rows that are work: those of an index that begins with the tenant, and of these the ones that are due.
struct Source {
    table: &'static str,
    /// The condition of the index.
    indexed: String,
    /// The condition of a due row, with the time as `$3` if it depends on it; `None` if all rows are due.
    due: Option<&'static str>,
}

/// A promotion that has ended or is disabled, and has a code that keeps units. Few promotions of a tenant are read, and
/// one code of each.
const KEPT_AFTER_END: &str = "(NOT r.enabled OR r.valid_until <= $3) AND (SELECT 1 FROM promotion_codes c
    WHERE c.tenant_id = r.tenant_id AND c.promotion_id = r.id AND c.kept > 0 LIMIT 1) IS NOT NULL";

/// A cancelled event of which a code keeps units.
const KEPT_AFTER_CANCELLATION: &str = "(SELECT 1 FROM promotion_codes c
    WHERE c.tenant_id = r.tenant_id AND c.kept_event_id = r.id AND c.kept > 0 LIMIT 1) IS NOT NULL";

fn source(table: &'static str, indexed: &str, due: Option<&'static str>) -> Source {
    Source { table, indexed: indexed.to_owned(), due }
}

fn sources(work: DueWork) -> Vec<Source> {
    match work {
        DueWork::Timers => {
            vec![source("timers", &format!("failures < {MAX_FAILURES}"), Some("at <= $3"))]
        }
        DueWork::Holds => vec![
            source("reservations", "state = 'held'", Some("expires_at <= $3")),
            source("events", "unswept", None),
        ],
        DueWork::Queues => {
            vec![source("bookings", "state = 'waiting'", None), source("bookings", "state = 'active'", None)]
        }
        DueWork::Purges => vec![
            source("projects", "deleted_at IS NOT NULL", None),
            source("users", "deleted_at IS NOT NULL", None),
        ],
        DueWork::Locks => vec![source("pool_locks", "until IS NOT NULL", Some("until <= $3"))],
        DueWork::EventEnds => vec![source("events", "status = 'active'", Some("ends_at <= $3"))],
        DueWork::KeptUnits => vec![
            source("promotions", "TRUE", Some(KEPT_AFTER_END)),
            source("events", "unswept", Some(KEPT_AFTER_CANCELLATION)),
        ],
        DueWork::DeletedPromotions => vec![source("promotions", "deleted_at IS NOT NULL", None)],
        DueWork::Prices(_) => vec![source("displayed_prices", "TRUE", Some("computed_at <= $3"))],
    }
}

/// Lists tenants with work of a kind after a tenant, among at most `limit` tenants of each source.
pub(in super::super) async fn tenants_with(
    conn: &mut Conn,
    work: DueWork,
    (after, limit): (Option<TenantId>, u32),
    now: Timestamp,
) -> Result<TenantPage> {
    let now = if let DueWork::Prices(age) = work { now.minus(age) } else { now };
    let after = after.map_or(Uuid::nil(), |tenant| tenant.0);
    let (mut tenants, mut next) = (BTreeSet::new(), None::<TenantId>);
    for source in sources(work) {
        let query = sqlx::query_as::<_, (Uuid, Option<Uuid>)>(AssertSqlSafe(source.statement()));
        let query = query.bind(after).bind(i64::from(limit));
        let needs_time = source.due.is_some_and(|due| due.contains("$3"));
        let query = if needs_time { query.bind(Ts(now)) } else { query };
        let rows = query.fetch_all(&mut *conn).await.map_err(db_error)?;
        if rows.len() == limit as usize
            && let Some((last, _)) = rows.last()
        {
            next = Some(next.map_or(TenantId(*last), |next| next.min(TenantId(*last))));
        }
        tenants.extend(rows.into_iter().filter_map(|(_, due)| due.map(TenantId)));
    }
    if let Some(next) = next {
        // The other sources have been read further; the next page has these tenants again.
        tenants.retain(|tenant| *tenant <= next);
    }
    Ok(TenantPage { tenants: tenants.into_iter().collect(), next })
}

impl Source {
    /// Steps from tenant to tenant through the index, after `$1` and at most `$2` times, so that the rows of one tenant
    /// are not read. Returns each tenant, and again if it has a due row.
    fn statement(&self) -> String {
        let Self { table, indexed, due } = self;
        let due = match due {
            // Not EXISTS, which PostgreSQL turns into a join that reads all due rows.
            Some(due) => format!(
                "CASE WHEN (SELECT 1 FROM {table} r
                            WHERE r.tenant_id = s.tenant_id AND {indexed} AND {due} LIMIT 1) IS NOT NULL
                 THEN s.tenant_id END"
            ),
            None => "s.tenant_id".to_owned(),
        };
        format!(
            "WITH RECURSIVE steps(tenant_id, step) AS (
              SELECT (SELECT tenant_id FROM {table} WHERE tenant_id > $1 AND {indexed}
                      ORDER BY tenant_id LIMIT 1), 1
              UNION ALL
              SELECT (SELECT r.tenant_id FROM {table} r WHERE r.tenant_id > s.tenant_id AND {indexed}
                      ORDER BY r.tenant_id LIMIT 1), s.step + 1
              FROM steps s WHERE s.tenant_id IS NOT NULL AND s.step < $2)
             SELECT s.tenant_id, {due} FROM steps s WHERE s.tenant_id IS NOT NULL ORDER BY s.tenant_id"
        )
    }
}
