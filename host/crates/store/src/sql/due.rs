//! Tenants for which the host has work to do.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;
use tessera_core::id::TenantId;
use tessera_core::plugin::timer::MAX_FAILURES;
use tessera_core::ports::DueWork;
use tessera_core::{Result, Timestamp};
use uuid::Uuid;

use super::{Conn, Ts};
use crate::error::db_error;

/// Rows that are work: those of a partial index that begins with the tenant, and of these the ones that are due.
struct Source {
    table: &'static str,
    /// The condition of the index.
    indexed: String,
    /// The condition of a due row, with the time as `$1`; `None` if all rows are due.
    due: Option<&'static str>,
}

fn source(table: &'static str, indexed: &str, due: Option<&'static str>) -> Source {
    Source { table, indexed: indexed.to_owned(), due }
}

fn sources(work: DueWork) -> Vec<Source> {
    match work {
        DueWork::Timers => {
            vec![source("timers", &format!("failures < {MAX_FAILURES}"), Some("at <= $1"))]
        }
        DueWork::Holds => vec![
            source("reservations", "state = 'held'", Some("expires_at <= $1")),
            source("events", "unswept", None),
        ],
        DueWork::Queues => {
            vec![source("bookings", "state = 'waiting'", None), source("bookings", "state = 'active'", None)]
        }
        DueWork::Purges => vec![
            source("projects", "deleted_at IS NOT NULL", None),
            source("users", "deleted_at IS NOT NULL", None),
        ],
        DueWork::Locks => vec![source("pool_locks", "until IS NOT NULL", Some("until <= $1"))],
        DueWork::EventEnds => vec![source("events", "status = 'active'", Some("ends_at <= $1"))],
    }
}

/// Lists tenants with work of a kind.
pub(in super::super) async fn tenants_with(
    conn: &mut Conn,
    work: DueWork,
    now: Timestamp,
) -> Result<Vec<TenantId>> {
    let mut tenants = BTreeSet::new();
    for source in sources(work) {
        let query = sqlx::query_scalar(AssertSqlSafe(source.statement()));
        let query = if source.due.is_some() { query.bind(Ts(now)) } else { query };
        let rows: Vec<Uuid> = query.fetch_all(&mut *conn).await.map_err(db_error)?;
        tenants.extend(rows.into_iter().map(TenantId));
    }
    Ok(tenants.into_iter().collect())
}

impl Source {
    /// Steps from tenant to tenant through the index, so that the rows of one tenant are not read.
    fn statement(&self) -> String {
        let Self { table, indexed, due } = self;
        let steps = format!(
            "WITH RECURSIVE steps(tenant_id) AS (
              SELECT (SELECT tenant_id FROM {table} WHERE {indexed} ORDER BY tenant_id LIMIT 1)
              UNION ALL
              SELECT (SELECT r.tenant_id FROM {table} r WHERE r.tenant_id > s.tenant_id AND {indexed}
                      ORDER BY r.tenant_id LIMIT 1)
              FROM steps s WHERE s.tenant_id IS NOT NULL)
             SELECT s.tenant_id FROM steps s WHERE s.tenant_id IS NOT NULL"
        );
        match due {
            // Not EXISTS, which PostgreSQL turns into a join that reads all due rows.
            Some(due) => format!(
                "{steps} AND (SELECT 1 FROM {table} r WHERE r.tenant_id = s.tenant_id AND {indexed} AND {due} LIMIT 1)
                 IS NOT NULL"
            ),
            None => steps,
        }
    }
}
