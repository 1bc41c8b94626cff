//! Moves the write-ahead log into the database, on a connection of its own, so that no writer waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};

use super::Shared;
use super::file::Place;

const EVERY: Duration = Duration::from_secs(1);

/// A log that is larger is cut, for which readers must let go of it.
const LARGE: u64 = 64 * 1024 * 1024;

/// Checkpoints until the store stops.
pub(super) fn spawn(shared: &Arc<Shared>) {
    let own = Arc::clone(shared);
    let stop = shared.stop.clone();
    shared.tasks.spawn(async move {
        stop.run_until_cancelled(follow(&own)).await;
    });
}

async fn follow(shared: &Shared) {
    let mut conn: Option<SqliteConnection> = None;
    let mut seen = None;
    loop {
        tokio::time::sleep(EVERY).await;
        let size = shared.place.log_size();
        // The log is written from its start again after a checkpoint, so its size alone does not tell.
        let written = shared.written.load(Ordering::Relaxed);
        if size == 0 || seen == Some(written) {
            continue;
        }
        let done = match &mut conn {
            Some(conn) => checkpoint(conn, size > LARGE).await,
            None => match shared.place.to_checkpoint().await {
                Ok(new) => checkpoint(conn.insert(new), size > LARGE).await,
                Err(error) => Err(error),
            },
        };
        match done {
            Ok(()) => seen = Some(written),
            Err(error) => {
                tracing::warn!(%error, "a checkpoint failed; it is tried again");
                conn = None;
            }
        }
    }
}

async fn checkpoint(conn: &mut SqliteConnection, cut: bool) -> Result<(), sqlx::Error> {
    let how = if cut { "PRAGMA wal_checkpoint(TRUNCATE)" } else { "PRAGMA wal_checkpoint(PASSIVE)" };
    sqlx::query(how).fetch_all(conn).await?;
    Ok(())
}

/// Leaves the database whole in its one file.
pub(super) async fn last(place: &Place) {
    let done = async {
        let mut conn = place.to_checkpoint().await?;
        checkpoint(&mut conn, true).await?;
        conn.close().await
    };
    if let Err(error) = done.await {
        tracing::warn!(%error, "the last checkpoint failed; the next start makes up for it");
    }
}
