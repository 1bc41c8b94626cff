//! Numbers of facts: a transaction inserts one row into `unnumbered`, and the sequencer moves it to `commits` with the
//! number of its last fact. A fact is found by its transaction.

use sqlx::QueryBuilder;
use tessera_core::Result;
use tessera_core::id::TenantId;
use tessera_core::outbox::NewFact;

use super::dialect::{Conn, Db, Ts};
use crate::codec::signed;

/// Selects numbered transactions, with the number of the last fact and that before the first.
const TRANSACTIONS: &str =
    "SELECT tenant_id AS owner, drawn AS drew, seq AS last, seq - facts AS base FROM commits";
/// Selects the facts of one of them, with their numbers.
const FACTS: &str = "SELECT *, c.base + place AS seq FROM facts WHERE tenant_id = c.owner AND drawn = c.drew";

/// Number of a row of `facts`, or null.
pub(super) const SEQ: &str = "(SELECT c.seq - c.facts + facts.place FROM commits c
    WHERE c.tenant_id = facts.tenant_id AND c.drawn = facts.drawn)";
/// Order of [`push_newest`].
pub(super) const NEWEST_FIRST: &str = "c.last DESC, f.place DESC";

/// Columns of a fact's place, and their values for a given row.
pub(super) const COLUMNS: &str = "drawn, place";
pub(super) const OF_ROW: &str = "(SELECT drawn FROM committed), v.place";
/// Inserts the transaction's row before such a statement, after all statements that wait for locks.
pub(super) const COMMITTED: &str = "committed AS (INSERT INTO unnumbered (tenant_id, facts, at)
    SELECT $1, COUNT(*), MAX(v.at) FROM $rows HAVING (SELECT whole FROM checked) = 1 RETURNING drawn), ";

/// Number of the newest fact before `$1`.
pub(super) const SEQ_BEFORE: &str =
    "SELECT seq FROM commits WHERE at < $1 ORDER BY at DESC, seq DESC LIMIT 1";

/// Deletes the oldest facts before `$1`, at most `$2`: those of a transaction in order, and its row with the last one.
pub(super) const DELETE_OLD: &str = "WITH old AS (
     SELECT c.row AS commit_row, f.row AS fact_row, f.place = c.facts AS is_last FROM
     (SELECT ctid AS row, tenant_id, drawn, facts, at, seq FROM commits WHERE at < $1
      ORDER BY at, seq LIMIT $2) c CROSS JOIN LATERAL
     (SELECT ctid AS row, place FROM facts WHERE tenant_id = c.tenant_id AND drawn = c.drawn
      ORDER BY place LIMIT $2) f ORDER BY c.at, c.seq, f.place LIMIT $2),
    emptied AS (DELETE FROM commits WHERE ctid = ANY(ARRAY(SELECT commit_row FROM old WHERE is_last)))
    DELETE FROM facts WHERE ctid = ANY(ARRAY(SELECT fact_row FROM old))";

/// Returns the number of the first of these new facts; the others follow.
#[allow(clippy::unused_async, reason = "SQLite's numbering asks the database")]
pub(super) async fn first(_: &mut Conn, _: &[NewFact]) -> Result<i64> {
    Ok(1)
}

/// Begins an insert of these columns and the number from [`first`]. The first such statement of a transaction gets all
/// facts and inserts the transaction's row.
pub(super) fn push_insert(query: &mut QueryBuilder<Db>, columns: &str, all: Option<(TenantId, &[NewFact])>) {
    query.push("WITH committed AS (");
    match all {
        Some((tenant, facts)) => {
            let newest = facts.iter().map(|fact| fact.at).max().unwrap_or_default();
            query.push("INSERT INTO unnumbered (tenant_id, facts, at) VALUES (").push_bind(tenant.0);
            query.push(", ").push_bind(signed(facts.len() as u64));
            query.push(", ").push_bind(Ts(newest)).push(") RETURNING drawn");
        }
        None => {
            query.push("SELECT currval('facts_drawn') AS drawn");
        }
    }
    query.push(format_args!(
        ") INSERT INTO facts ({columns}, place, drawn) SELECT v.*, committed.drawn FROM committed, ("
    ));
}

/// Ends the insert, after the rows.
pub(super) const INSERTED: &str = ") v";

/// Selects facts after `seq` in order, of all tenants or of one. Transactions are selected first, then the facts of each:
/// limits and orders force this plan, also when the statistics are those of empty tables.
pub(super) fn push_after(query: &mut QueryBuilder<Db>, tenant: Option<TenantId>, seq: i64, limit: u32) {
    let limit = i64::from(limit);
    query.push(format_args!("({TRANSACTIONS} WHERE seq > ")).push_bind(seq);
    match tenant {
        Some(tenant) => query.push(" AND tenant_id = ").push_bind(tenant.0),
        // The condition of the index over all tenants.
        None => query.push(" AND facts > 0"),
    };
    query.push(" ORDER BY seq LIMIT ").push_bind(limit);
    query.push(format_args!(") c CROSS JOIN LATERAL ({FACTS} AND place > ")).push_bind(seq);
    query.push(" - c.base ORDER BY place LIMIT ").push_bind(limit);
    query.push(") f ORDER BY c.last, f.place LIMIT ").push_bind(limit);
}

/// Selects a tenant's facts up to the number `upto`, of at most `most` transactions; further conditions and the order are
/// to follow.
pub(super) fn push_newest(
    query: &mut QueryBuilder<Db>,
    tenant: TenantId,
    (upto, most): (Option<i64>, Option<u32>),
) {
    query.push(format_args!("({TRANSACTIONS} WHERE tenant_id = ")).push_bind(tenant.0);
    if let Some(upto) = upto {
        // The transaction that contains `upto` may end with a greater number.
        query.push(" AND seq <= COALESCE((SELECT n.seq FROM commits n WHERE n.tenant_id = ");
        query.push_bind(tenant.0).push(" AND n.seq >= ").push_bind(upto);
        query.push(" ORDER BY n.seq LIMIT 1), ").push_bind(upto).push(")");
    }
    query.push(" ORDER BY seq DESC LIMIT ").push_bind(most.map_or(i64::MAX, i64::from));
    // OFFSET keeps the planner from moving conditions into the lookup of a transaction's facts by key.
    query.push(format_args!(") c CROSS JOIN LATERAL ({FACTS} ORDER BY place DESC OFFSET 0) f WHERE TRUE"));
}
