//! Heartbeats of hosts.

use std::time::Duration;

use sqlx::Row as _;
use tessera_core::outbox::Seq;
use tessera_core::{Result, Timestamp};

use super::super::{Conn, Row, Ts};
use crate::codec::{signed, unsigned};
use crate::error::db_error;

/// Heartbeats older than a day are deleted.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// Records a heartbeat, with the fact up to which the host has loaded installations.
pub(in super::super) async fn heartbeat(
    conn: &mut Conn,
    host: &str,
    seq: Seq,
    now: Timestamp,
) -> Result<u64> {
    let query = sqlx::query(
        "INSERT INTO hosts (name, seq, seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, seen_at = excluded.seen_at",
    );
    let query = query.bind(host).bind(signed(seq)).bind(Ts(now));
    let result = query.execute(&mut *conn).await.map_err(db_error)?;
    let query = sqlx::query("DELETE FROM hosts WHERE seen_at < $1").bind(Ts(now.minus(MAX_AGE)));
    query.execute(conn).await.map_err(db_error)?;
    Ok(result.rows_affected())
}

/// Lists hosts with a heartbeat at that time or later, by name.
pub(in super::super) async fn list(conn: &mut Conn, since: Timestamp) -> Result<Vec<(String, Seq)>> {
    let query = sqlx::query("SELECT name, seq FROM hosts WHERE seen_at >= $1 ORDER BY name");
    let rows = query.bind(Ts(since)).fetch_all(conn).await.map_err(db_error)?;
    rows.iter().map(read).collect()
}

/// Deletes the heartbeat of a host that shuts down.
pub(in super::super) async fn delete(conn: &mut Conn, host: &str) -> Result<()> {
    let query = sqlx::query("DELETE FROM hosts WHERE name = $1").bind(host);
    query.execute(conn).await.map(|_| ()).map_err(db_error)
}

fn read(row: &Row) -> Result<(String, Seq)> {
    Ok((row.try_get("name").map_err(db_error)?, unsigned(row.try_get("seq").map_err(db_error)?)?))
}
