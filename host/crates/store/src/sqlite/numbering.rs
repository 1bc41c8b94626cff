//! How facts get their numbers, and are found by them: the one writer gives each its own.

use sqlx::QueryBuilder;
use tessera_core::Result;
use tessera_core::id::TenantId;
use tessera_core::outbox::NewFact;

use super::dialect::{Conn, Db};
use crate::codec::signed;
use crate::error::fault;

/// The number of a fact.
pub(super) const SEQ: &str = "seq";
/// The order of [`push_newest`].
pub(super) const NEWEST_FIRST: &str = "seq DESC, id DESC";

/// The columns of a new fact's number, and what they get for a row of a statement that is given its rows: the number
/// of its place among them, after the head was moved for all.
pub(super) const COLUMNS: &str = "seq";
pub(super) const OF_ROW: &str = "(SELECT h.seq FROM facts_head h WHERE h.id = 1) - $count + v.place";

/// The number of the newest fact before `$1`.
pub(super) const SEQ_BEFORE: &str = "SELECT seq FROM facts WHERE at < $1 ORDER BY at DESC, seq DESC LIMIT 1";

/// Removes the oldest facts before `$1`, at most `$2`.
pub(super) const FORGET: &str = "DELETE FROM facts WHERE seq IN
    (SELECT seq FROM facts WHERE at < $1 ORDER BY at, seq LIMIT $2)";

/// What the first of these new facts gets, the next ones one more each.
pub(super) async fn first(conn: &mut Conn, facts: &[NewFact]) -> Result<i64> {
    let count = signed(facts.len() as u64);
    let query = sqlx::query_scalar("UPDATE facts_head SET seq = seq + $1 WHERE id = 1 RETURNING seq");
    let last: i64 = query.bind(count).fetch_one(conn).await.map_err(fault)?;
    Ok(last - count + 1)
}

/// Begins to insert rows of these columns, and of what `first` began to count.
pub(super) fn push_insert(query: &mut QueryBuilder<Db>, columns: &str, _: Option<(TenantId, &[NewFact])>) {
    query.push(format_args!("INSERT INTO facts ({columns}, seq) "));
}

/// Ends it, after the rows.
pub(super) const INSERTED: &str = "";

/// Facts with their numbers, in their order, after `seq`: of all tenants or of one.
pub(super) fn push_after(query: &mut QueryBuilder<Db>, tenant: Option<TenantId>, seq: i64, limit: u32) {
    query.push("facts WHERE seq > ").push_bind(seq);
    if let Some(tenant) = tenant {
        query.push(" AND tenant_id = ").push_bind(tenant.0);
    }
    // Not a parameter: SQLite would prepare the statement anew for each value that it is given.
    query.push(format_args!(" ORDER BY seq LIMIT {limit}"));
}

/// A tenant's facts with their numbers; further conditions and the order are to follow.
pub(super) fn push_newest(query: &mut QueryBuilder<Db>, tenant: TenantId, _: (Option<i64>, Option<u32>)) {
    query.push("facts WHERE tenant_id = ").push_bind(tenant.0);
}
