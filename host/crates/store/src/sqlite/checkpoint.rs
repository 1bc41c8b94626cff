//! Checkpointer: moves the write-ahead log into the database on a connection of its own, so that no writer waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};

use super::file::DatabaseFile;
use super::shared::Shared;

/// Interval of checkpoints.
const INTERVAL: Duration = Duration::from_millis(1000 / SCALE);

/// A log with more pages is restarted, which waits for readers. Its file keeps its size: overwriting costs half as much as
/// growing.
const RESTART_PAGES: i64 = 8 * 1024 / SCALE.cast_signed();

/// A larger log file is truncated.
const TRUNCATE_SIZE: u64 = 128 * 1024 * 1024 / SCALE;

/// Divisor of sizes and intervals in tests.
const SCALE: u64 = if cfg!(test) { 64 } else { 1 };

/// Attempts on a log that a reader blocks, without new writes. After them the checkpointer waits for the next write.
const ATTEMPTS: u32 = 60;

/// Decides whether a checkpoint is due.
#[derive(Default)]
struct Schedule {
    /// Number of transactions at the last check, and the attempts that are left for their log.
    written: Option<u64>,
    attempts: u32,
}

impl Schedule {
    /// Returns whether a checkpoint is due after so many transactions. The size of the log does not show it, because the log
    /// is overwritten from its start after a checkpoint.
    fn is_due(&mut self, written: u64) -> bool {
        if self.written != Some(written) {
            *self = Self { written: Some(written), attempts: ATTEMPTS };
        }
        self.attempts > 0
    }

    /// Records whether a checkpoint was complete.
    fn record(&mut self, complete: bool) {
        self.attempts = if complete { 0 } else { self.attempts.saturating_sub(1) };
    }
}

/// Starts the task, which runs until the store stops.
pub(super) fn spawn(shared: &Arc<Shared>) {
    let own = Arc::clone(shared);
    let stop = shared.stop.clone();
    shared.tasks.spawn(async move {
        stop.run_until_cancelled(follow(&own)).await;
    });
}

async fn follow(shared: &Shared) {
    let mut conn: Option<SqliteConnection> = None;
    let mut schedule = Schedule::default();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let size = shared.file.log_size();
        if size == 0 || !schedule.is_due(shared.written.load(Ordering::Relaxed)) {
            continue;
        }
        let done = match &mut conn {
            Some(conn) => checkpoint(conn, size).await,
            None => match shared.file.to_checkpoint().await {
                Ok(new) => checkpoint(conn.insert(new), size).await,
                Err(error) => Err(error),
            },
        };
        match done {
            Ok(complete) => schedule.record(complete),
            Err(error) => {
                tracing::warn!(%error, "checkpoint failed; trying again");
                conn = None;
            }
        }
    }
}

/// Moves the log into the database beside writers; a long log is restarted, which blocks them for the last few pages. Returns
/// whether it was complete, and not blocked by a reader.
async fn checkpoint(conn: &mut SqliteConnection, size: u64) -> Result<bool, sqlx::Error> {
    let passive = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)");
    let (_busy, pages, moved): (i64, i64, i64) = passive.fetch_one(&mut *conn).await?;
    if size > TRUNCATE_SIZE {
        truncate(conn).await
    } else if pages > RESTART_PAGES {
        exclusive(conn, "PRAGMA wal_checkpoint(RESTART)").await
    } else {
        Ok(moved == pages)
    }
}

async fn truncate(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    exclusive(conn, "PRAGMA wal_checkpoint(TRUNCATE)").await
}

/// Runs a checkpoint that excludes readers of the log; returns whether there were none.
async fn exclusive(conn: &mut SqliteConnection, sql: &'static str) -> Result<bool, sqlx::Error> {
    let busy: i64 = sqlx::query_scalar(sql).fetch_one(conn).await?;
    Ok(busy == 0)
}

/// Moves the whole log into the database file.
pub(super) async fn last(file: &DatabaseFile) {
    let done = async {
        let mut conn = file.to_checkpoint().await?;
        truncate(&mut conn).await?;
        conn.close().await
    };
    if let Err(error) = done.await {
        tracing::warn!(%error, "last checkpoint failed; left to the next start");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use sqlx::{ConnectOptions, Executor};

    use super::super::DbStore;
    use super::*;

    /// Transactions of a round; each adds two or three pages to the log.
    const ROUND: u32 = 20;

    async fn write(conn: &mut SqliteConnection) {
        for _ in 0..ROUND {
            conn.execute("INSERT INTO filler VALUES (zeroblob(3000))").await.unwrap();
        }
    }

    /// Writes a round during a checkpoint.
    async fn write_beside(writer: &mut SqliteConnection, conn: &mut SqliteConnection, file: &DatabaseFile) {
        let (done, ()) = tokio::join!(checkpoint(conn, file.log_size()), write(writer));
        done.unwrap();
    }

    async fn writer(file: &DatabaseFile) -> SqliteConnection {
        let mut conn = file.to_write().await.unwrap();
        conn.execute("CREATE TABLE filler (bytes BLOB NOT NULL) STRICT").await.unwrap();
        conn
    }

    async fn reader(file: &DatabaseFile) -> SqliteConnection {
        let mut conn = file.to_read().connect().await.unwrap();
        conn.execute("BEGIN").await.unwrap();
        conn.execute("SELECT count(*) FROM filler").await.unwrap();
        conn
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn log_stays_within_bounds_despite_readers() {
        let file = DatabaseFile::memory().unwrap();
        file.open().await.unwrap().close().await.unwrap();
        let (mut writer, mut conn) = (writer(&file).await, file.to_checkpoint().await.unwrap());
        for _ in 0..2 {
            let reader = reader(&file).await;
            while file.log_size() <= TRUNCATE_SIZE {
                write_beside(&mut writer, &mut conn, &file).await;
            }
            reader.close().await.unwrap();
            // It is truncated, and then overwritten from its start with four times its bound.
            for round in 0..40 {
                write_beside(&mut writer, &mut conn, &file).await;
                assert!(round < 5 || file.log_size() <= TRUNCATE_SIZE, "round {round}: {}", file.log_size());
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn blocked_log_is_truncated_after_the_reader_without_new_writes() {
        let store = DbStore::open_memory("host-1").await.unwrap();
        let file = &store.shared.file;
        let mut writer = writer(file).await;
        let reader = reader(file).await;
        while file.log_size() <= TRUNCATE_SIZE {
            write(&mut writer).await;
        }
        store.shared.note_written();
        tokio::time::sleep(INTERVAL * 10).await;
        assert!(file.log_size() > TRUNCATE_SIZE);
        reader.close().await.unwrap();
        let patience = Instant::now() + Duration::from_secs(20);
        while file.log_size() > 0 {
            assert!(Instant::now() < patience, "the log was not truncated");
            tokio::time::sleep(INTERVAL).await;
        }
    }

    #[test]
    fn attempts_are_bounded_until_the_next_write() {
        let mut schedule = Schedule::default();
        for written in [0, 7] {
            for _ in 0..ATTEMPTS {
                assert!(schedule.is_due(written));
                schedule.record(false);
            }
            assert!(!schedule.is_due(written));
        }
        assert!(schedule.is_due(8));
        schedule.record(true);
        assert!(!schedule.is_due(8));
    }
}
