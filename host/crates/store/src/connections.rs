//! Connection cache in front of sqlx's pool. The pool pings a connection whenever it is returned, which costs a round trip
//! for each use; connections that are known to be healthy are kept here instead.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::{Pool, PoolConnection};
use sqlx::{Connection, Database};
use tessera_core::Result;
use tessera_core::fair::FairPermit;

use crate::limits::ACQUIRE_TIMEOUT;

/// A connection that was idle for longer is pinged before use.
pub(crate) const MAX_IDLE: Duration = Duration::from_secs(2);

/// Healthy idle connections, each with the time since when it is idle.
type Idle<DB> = Vec<(PoolConnection<DB>, Instant)>;

/// A pool and its healthy idle connections.
pub(crate) struct Connections<DB: Database> {
    pool: Pool<DB>,
    idle: Arc<Mutex<Idle<DB>>>,
}

/// A connection for reads, with its permit.
pub(crate) struct Reader<DB: Database> {
    conn: PoolConnection<DB>,
    from: Connections<DB>,
    _permit: FairPermit,
}

impl<DB: Database> Connections<DB> {
    pub(crate) fn new(pool: Pool<DB>) -> Self {
        Self { pool, idle: Arc::default() }
    }

    pub(crate) fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Takes an idle connection, or one of the pool.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<DB>, sqlx::Error> {
        while let Some((mut conn, since)) = self.take() {
            if since.elapsed() <= MAX_IDLE || is_healthy(&mut conn).await {
                return Ok(conn);
            }
            conn.close_on_drop();
        }
        self.pool.acquire().await
    }

    /// Takes a connection for reads.
    pub(crate) async fn read(&self, permit: FairPermit) -> Result<Reader<DB>, sqlx::Error> {
        Ok(Reader { conn: self.acquire().await?, from: self.clone(), _permit: permit })
    }

    /// Returns a healthy connection, on which no query and no transaction is open.
    pub(crate) fn keep(&self, conn: PoolConnection<DB>) {
        let mut idle = self.lock();
        // A connection that is added after `close` has cleared the list would block it for ever.
        if !self.pool.is_closed() {
            idle.push((conn, Instant::now()));
        }
    }

    /// Closes all connections; those in use when they are returned.
    pub(crate) async fn close(&self) {
        // From here on `keep` adds nothing.
        let closed = self.pool.close();
        self.lock().clear();
        closed.await;
    }

    fn take(&self) -> Option<(PoolConnection<DB>, Instant)> {
        self.lock().pop()
    }

    fn lock(&self) -> MutexGuard<'_, Idle<DB>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Database> Clone for Connections<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), idle: Arc::clone(&self.idle) }
    }
}

async fn is_healthy<DB: Database>(conn: &mut PoolConnection<DB>) -> bool {
    matches!(tokio::time::timeout(ACQUIRE_TIMEOUT, conn.ping()).await, Ok(Ok(())))
}

impl<DB: Database> Reader<DB> {
    /// Returns the connection after a query. A connection of a failed or cancelled query goes to the pool.
    pub(crate) fn finish<T>(self, result: Result<T>) -> Result<T> {
        let Self { conn, from, .. } = self;
        if result.is_ok() {
            from.keep(conn);
        }
        result
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
    async fn connection_that_is_returned_during_close_is_closed() {
        let connections = Connections::new(SqlitePool::connect("sqlite::memory:").await.unwrap());
        let (early, late) = (connections.acquire().await.unwrap(), connections.acquire().await.unwrap());
        connections.keep(early);
        let return_late = async {
            tokio::task::yield_now().await;
            connections.keep(late);
        };
        let all = async { tokio::join!(connections.close(), return_late) };
        tokio::time::timeout(Duration::from_secs(5), all).await.unwrap();
        assert!(connections.lock().is_empty());
    }
}
