//! Moves the write-ahead log into the database, on a connection of its own, so that no writer waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};

use super::Shared;
use super::file::Place;

/// How often it is looked whether there is something to move.
const EVERY: Duration = Duration::from_millis(1000 / SCALE);

/// A log of more pages is begun anew, for which readers must let go of it. Its file stays as large as it is: to write over
/// it costs half as much as to let it grow again.
const MANY: i64 = 8 * 1024 / SCALE.cast_signed();

/// A file that is larger is cut.
const LARGE: u64 = 128 * 1024 * 1024 / SCALE;

/// Tests fill so much less, and wait for so much less.
const SCALE: u64 = if cfg!(test) { 64 } else { 1 };

/// How often a log that a reader holds is tried again while nobody writes: who reads for longer than a minute is waited for
/// no more, until the next write.
const TRIES: u32 = 60;

/// Whether there is something to do.
#[derive(Default)]
struct Due {
    /// How many transactions there were when it was looked last, and how often what they wrote is still tried.
    written: Option<u64>,
    tries: u32,
}

impl Due {
    /// Whether there is, now that so many transactions were written. The log is written from its start again after a
    /// checkpoint, so its size does not tell.
    fn is_due(&mut self, written: u64) -> bool {
        if self.written != Some(written) {
            *self = Self { written: Some(written), tries: TRIES };
        }
        self.tries > 0
    }

    /// Learns whether all was done.
    fn tried(&mut self, all: bool) {
        self.tries = if all { 0 } else { self.tries.saturating_sub(1) };
    }
}

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
    let mut due = Due::default();
    loop {
        tokio::time::sleep(EVERY).await;
        let size = shared.place.log_size();
        if size == 0 || !due.is_due(shared.written.load(Ordering::Relaxed)) {
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
            Ok(all) => due.tried(all),
            Err(error) => {
                tracing::warn!(%error, "a checkpoint failed; it is tried again");
                conn = None;
            }
        }
    }
}

/// Moves what is in the log, beside those who write; if it is long, they wait for the little that came meanwhile. Whether all
/// was done: else a reader was in the way.
async fn checkpoint(conn: &mut SqliteConnection, size: u64) -> Result<bool, sqlx::Error> {
    let passive = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)");
    let (_busy, pages, moved): (i64, i64, i64) = passive.fetch_one(&mut *conn).await?;
    if size > LARGE {
        cut(conn).await
    } else if pages > MANY {
        alone(conn, "PRAGMA wal_checkpoint(RESTART)").await
    } else {
        Ok(moved == pages)
    }
}

async fn cut(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    alone(conn, "PRAGMA wal_checkpoint(TRUNCATE)").await
}

/// Runs a checkpoint for which nobody may read from the log. Whether nobody did.
async fn alone(conn: &mut SqliteConnection, sql: &'static str) -> Result<bool, sqlx::Error> {
    let busy: i64 = sqlx::query_scalar(sql).fetch_one(conn).await?;
    Ok(busy == 0)
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use sqlx::{ConnectOptions, Executor};

    use super::super::DbStore;
    use super::*;

    /// How many small transactions are a round: each adds two pages or three to the log.
    const ROUND: u32 = 20;

    async fn write(conn: &mut SqliteConnection) {
        for _ in 0..ROUND {
            conn.execute("INSERT INTO filler VALUES (zeroblob(3000))").await.unwrap();
        }
    }

    /// Writes a round while a checkpoint runs.
    async fn write_beside(writer: &mut SqliteConnection, conn: &mut SqliteConnection, place: &Place) {
        let (done, ()) = tokio::join!(checkpoint(conn, place.log_size()), write(writer));
        done.unwrap();
    }

    async fn writer(place: &Place) -> SqliteConnection {
        let mut conn = place.to_write().await.unwrap();
        conn.execute("CREATE TABLE filler (bytes BLOB NOT NULL) STRICT").await.unwrap();
        conn
    }

    async fn reader(place: &Place) -> SqliteConnection {
        let mut conn = place.to_read().connect().await.unwrap();
        conn.execute("BEGIN").await.unwrap();
        conn.execute("SELECT count(*) FROM filler").await.unwrap();
        conn
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_log_stays_within_its_bounds_while_readers_come_and_go() {
        let place = Place::memory().unwrap();
        place.open().await.unwrap().close().await.unwrap();
        let (mut writer, mut conn) = (writer(&place).await, place.to_checkpoint().await.unwrap());
        for _ in 0..2 {
            let reader = reader(&place).await;
            while place.log_size() <= LARGE {
                write_beside(&mut writer, &mut conn, &place).await;
            }
            reader.close().await.unwrap();
            // It is cut, and then written from its start again and again: four times as much as its bound.
            for round in 0..40 {
                write_beside(&mut writer, &mut conn, &place).await;
                assert!(round < 5 || place.log_size() <= LARGE, "round {round}: {}", place.log_size());
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_reader_held_is_cut_when_it_is_gone_though_nobody_writes() {
        let store = DbStore::open_memory("host-1").await.unwrap();
        let place = &store.shared.place;
        let mut writer = writer(place).await;
        let reader = reader(place).await;
        while place.log_size() <= LARGE {
            write(&mut writer).await;
        }
        store.shared.note_written();
        tokio::time::sleep(EVERY * 10).await;
        assert!(place.log_size() > LARGE);
        reader.close().await.unwrap();
        let patience = Instant::now() + Duration::from_secs(20);
        while place.log_size() > 0 {
            assert!(Instant::now() < patience, "the log was not cut");
            tokio::time::sleep(EVERY).await;
        }
    }

    #[test]
    fn a_reader_that_stays_is_waited_for_no_more_until_the_next_write() {
        let mut due = Due::default();
        for written in [0, 7] {
            for _ in 0..TRIES {
                assert!(due.is_due(written));
                due.tried(false);
            }
            assert!(!due.is_due(written));
        }
        assert!(due.is_due(8));
        due.tried(true);
        assert!(!due.is_due(8));
    }
}
