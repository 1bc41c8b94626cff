//! A pool's connections, of which those that are known to be well are kept. The pool asks the server whether a connection is
//! well whenever it is given back, which is a round trip for each use.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::{Pool, PoolConnection};
use sqlx::{Connection, Database};
use tessera_core::Result;

use crate::fair::{PATIENCE, Permit};

/// A connection that was idle for longer may have been lost.
pub(crate) const IDLE: Duration = Duration::from_secs(2);

/// Connections that were left as they should be, each with when that was.
type Kept<DB> = Vec<(PoolConnection<DB>, Instant)>;

/// A pool, and the connections that it need not ask about.
pub(crate) struct Connections<DB: Database> {
    pool: Pool<DB>,
    kept: Arc<Mutex<Kept<DB>>>,
}

/// A connection to read by, in its turn.
pub(crate) struct Reader<DB: Database> {
    conn: PoolConnection<DB>,
    from: Connections<DB>,
    _permit: Permit,
}

impl<DB: Database> Connections<DB> {
    pub(crate) fn new(pool: Pool<DB>) -> Self {
        Self { pool, kept: Arc::default() }
    }

    pub(crate) fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Takes one that was kept, or one of the pool.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<DB>, sqlx::Error> {
        while let Some((mut conn, since)) = self.take() {
            if since.elapsed() <= IDLE || is_well(&mut conn).await {
                return Ok(conn);
            }
            conn.close_on_drop();
        }
        self.pool.acquire().await
    }

    /// Takes one to read by.
    pub(crate) async fn read(&self, permit: Permit) -> Result<Reader<DB>, sqlx::Error> {
        Ok(Reader { conn: self.acquire().await?, from: self.clone(), _permit: permit })
    }

    /// Keeps a connection for whoever needs one next. All that was asked by it has been answered, and no transaction is open.
    pub(crate) fn keep(&self, conn: PoolConnection<DB>) {
        let mut kept = self.lock();
        // One that came after the last were cleared away would be waited for without end.
        if !self.pool.is_closed() {
            kept.push((conn, Instant::now()));
        }
    }

    /// Closes all; those that are in use, when they are given back.
    pub(crate) async fn close(&self) {
        // From here on it is closed, and nothing is kept any more.
        let closed = self.pool.close();
        self.lock().clear();
        closed.await;
    }

    fn take(&self) -> Option<(PoolConnection<DB>, Instant)> {
        self.lock().pop()
    }

    fn lock(&self) -> MutexGuard<'_, Kept<DB>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Database> Clone for Connections<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), kept: Arc::clone(&self.kept) }
    }
}

async fn is_well<DB: Database>(conn: &mut PoolConnection<DB>) -> bool {
    matches!(tokio::time::timeout(PATIENCE, conn.ping()).await, Ok(Ok(())))
}

impl<DB: Database> Reader<DB> {
    /// Gives the connection back with what was found by it. Who stops before, or fails, leaves it to the pool.
    pub(crate) fn back<T>(self, found: Result<T>) -> Result<T> {
        let Self { conn, from, .. } = self;
        if found.is_ok() {
            from.keep(conn);
        }
        found
    }
}

impl<DB: Database> Deref for Reader<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        &self.conn
    }
}

impl<DB: Database> DerefMut for Reader<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.conn
    }
}

#[cfg(test)]
mod tests {
    use sqlx::SqlitePool;

    use super::*;

    #[tokio::test]
    async fn what_is_given_back_while_all_are_closed_is_closed_too() {
        let connections = Connections::new(SqlitePool::connect("sqlite::memory:").await.unwrap());
        let (kept, late) = (connections.acquire().await.unwrap(), connections.acquire().await.unwrap());
        connections.keep(kept);
        let giver = async {
            tokio::task::yield_now().await;
            connections.keep(late);
        };
        let all = async { tokio::join!(connections.close(), giver) };
        tokio::time::timeout(Duration::from_secs(5), all).await.unwrap();
        assert!(connections.lock().is_empty());
    }
}
