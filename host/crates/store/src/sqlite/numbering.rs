//! Numbers of facts: the writer assigns them.

use sqlx::QueryBuilder;
use tessera_core::Result;
use tessera_core::id::TenantId;
use tessera_core::outbox::NewFact;

use super::dialect::{Conn, Db};
use crate::codec::signed;
use crate::error::db_error;

/// The number of a fact.
pub(super) const SEQ: &str = "seq";
/// Order of [`push_newest`].
pub(super) const NEWEST_FIRST: &str = "seq DESC, id DESC";

/// Column of a fact's number, and its value for a given row, after the head was moved for all rows.
pub(super) const COLUMNS: &str = "seq";
pub(super) const OF_ROW: &str = "(SELECT h.seq FROM facts_head h WHERE h.id = 1) - $count + v.place";

/// Number of the newest fact before `$1`.
pub(super) const SEQ_BEFORE: &str = "SELECT seq FROM facts WHERE at < $1 ORDER BY at DESC, seq DESC LIMIT 1";

/// Deletes the oldest facts before `$1`, at most `$2`.
pub(super) const DELETE_OLD: &str = "DELETE FROM facts WHERE seq IN
    (SELECT seq FROM facts WHERE at < $1 ORDER BY at, seq LIMIT $2)";

/// Returns the number of the first of these new facts; the others follow.
pub(super) async fn first(conn: &mut Conn, facts: &[NewFact]) -> Result<i64> {
    let count = signed(facts.len() as u64);
    let query = sqlx::query_scalar("UPDATE facts_head SET seq = seq + $1 WHERE id = 1 RETURNING seq");
    let last: i64 = query.bind(count).fetch_one(conn).await.map_err(db_error)?;
    Ok(last - count + 1)
}

/// Begins an insert of these columns and the number from [`first`].
pub(super) fn push_insert(query: &mut QueryBuilder<Db>, columns: &str, _: Option<(TenantId, &[NewFact])>) {
    query.push(format_args!("INSERT INTO facts ({columns}, seq) "));
}

/// Ends the insert, after the rows.
pub(super) const INSERTED: &str = "";

/// Selects facts after `seq` in order, of all tenants or of one.
pub(super) fn push_after(query: &mut QueryBuilder<Db>, tenant: Option<TenantId>, seq: i64, limit: u32) {
    query.push("facts WHERE seq > ").push_bind(seq);
    if let Some(tenant) = tenant {
        query.push(" AND tenant_id = ").push_bind(tenant.0);
    }
    // Not a parameter, because SQLite would prepare the statement again for each value.
    query.push(format_args!(" ORDER BY seq LIMIT {limit}"));
}

/// Selects a tenant's facts; further conditions and the order are to follow.
pub(super) fn push_newest(query: &mut QueryBuilder<Db>, tenant: TenantId, _: (Option<i64>, Option<u32>)) {
    query.push("facts WHERE tenant_id = ").push_bind(tenant.0);
}
