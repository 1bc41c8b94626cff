//! Hosts that live.

use std::time::Duration;

use sqlx::Row as _;
use tessera_core::outbox::Seq;
use tessera_core::{Result, Timestamp};

use super::super::{Conn, Row, Ts};
use crate::codec::{signed, unsigned};
use crate::error::fault;

/// A host that was silent for longer than a day is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// Notes that a host lives and up to which fact it has installations in force.
pub(in super::super) async fn beat(conn: &mut Conn, host: &str, seq: Seq, now: Timestamp) -> Result<u64> {
    let query = sqlx::query(
        "INSERT INTO hosts (name, seq, seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, seen_at = excluded.seen_at",
    );
    let query = query.bind(host).bind(signed(seq)).bind(Ts(now));
    let done = query.execute(&mut *conn).await.map_err(fault)?;
    let query = sqlx::query("DELETE FROM hosts WHERE seen_at < $1").bind(Ts(now.minus(FORGOTTEN)));
    query.execute(conn).await.map_err(fault)?;
    Ok(done.rows_affected())
}

/// Those that beat at that moment or later, by name.
pub(in super::super) async fn list(conn: &mut Conn, since: Timestamp) -> Result<Vec<(String, Seq)>> {
    let query = sqlx::query("SELECT name, seq FROM hosts WHERE seen_at >= $1 ORDER BY name");
    let rows = query.bind(Ts(since)).fetch_all(conn).await.map_err(fault)?;
    rows.iter().map(read).collect()
}

/// A host that ends in order is not missed.
pub(in super::super) async fn forget(conn: &mut Conn, host: &str) -> Result<()> {
    let query = sqlx::query("DELETE FROM hosts WHERE name = $1").bind(host);
    query.execute(conn).await.map(|_| ()).map_err(fault)
}

fn read(row: &Row) -> Result<(String, Seq)> {
    Ok((row.try_get("name").map_err(fault)?, unsigned(row.try_get("seq").map_err(fault)?)?))
}
