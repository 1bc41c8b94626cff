//! Moves the write-ahead log into the database, on a connection of its own, so that no writer waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};

use super::Shared;
use super::file::Place;

const EVERY: Duration = Duration::from_secs(1);

/// A log of more pages is begun anew, for which readers must let go of it. Its file stays as large as it is: to write over
/// it costs half as much as to let it grow again.
const MANY: i64 = 8 * 1024;

/// A file that is larger is cut.
const LARGE: u64 = 128 * 1024 * 1024;

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
            Some(conn) => checkpoint(conn, size).await,
            None => match shared.place.to_checkpoint().await {
                Ok(new) => checkpoint(conn.insert(new), size).await,
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

/// Moves what is in the log, beside those who write; if it is long, they wait for the little that came meanwhile.
async fn checkpoint(conn: &mut SqliteConnection, size: u64) -> Result<(), sqlx::Error> {
    let passive = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)");
    let (_busy, pages, _moved): (i64, i64, i64) = passive.fetch_one(&mut *conn).await?;
    if size > LARGE {
        cut(conn).await
    } else if pages > MANY {
        sqlx::query("PRAGMA wal_checkpoint(RESTART)").execute(conn).await.map(drop)
    } else {
        Ok(())
    }
}

async fn cut(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(conn).await.map(drop)
}

/// Leaves the database whole in its one file.
pub(super) async fn last(place: &Place) {
    let done = async {
        let mut conn = place.to_checkpoint().await?;
        cut(&mut conn).await?;
        conn.close().await
    };
    if let Err(error) = done.await {
        tracing::warn!(%error, "the last checkpoint failed; the next start makes up for it");
    }
}
