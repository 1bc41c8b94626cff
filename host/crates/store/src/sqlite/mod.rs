//! Store on SQLite, in a file or in memory: one writer, several readers, a checkpointer.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::SqlitePoolOptions;
use tessera_core::changeset::{Changeset, Committed};
use tessera_core::fair::{FairQueue, Owner};
use tessera_core::id::{EventId, TenantId};
use tessera_core::idempotency::IdempotencyRecord;
use tessera_core::idempotency::Scope;
use tessera_core::inventory::Job;
use tessera_core::ports::{BatchResult, DueWork, Store, TenantPage};
use tessera_core::{Error, Result, Timestamp};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, SYNC_INTERVAL};
use crate::connections::{Connections, Reader};
use crate::error::{db_error, unavailable_because};
use crate::event_cache::EventCache;
use crate::limits::{self, ACQUIRE_TIMEOUT, WAITING, connection_limiter};
use crate::notifier::Notifier;

use self::dialect::Db;
use self::file::DatabaseFile;
use self::request::{Outcome, WriteOp, WriteRequest};
use self::shared::Shared;
use self::sql::maintenance::Maintenance;

mod checkpoint;
mod dialect;
mod file;
mod memory;
mod numbering;
mod request;
mod shared;
#[allow(clippy::duplicate_mod, reason = "the queries are written once and compiled for either driver")]
#[path = "../sql/mod.rs"]
mod sql;
mod statements;
mod writer;

/// Number of reading connections that tenants share, of which one tenant uses four.
const READERS: u32 = 5;

/// Number of reading connections of the host.
const HOST_READERS: u32 = 1;

/// The store.
pub(crate) struct DbStore {
    shared: Arc<Shared>,
    /// Stops the tasks if the store is dropped without being closed.
    _stop: DropGuard,
}

/// Migrates the tables of a file.
pub(crate) async fn migrate(path: &Path) -> Result<()> {
    let conn = DatabaseFile::file(path).open().await?;
    sqlx::Connection::close(conn).await.map_err(db_error)
}

impl DbStore {
    pub(crate) async fn open_file(path: &Path, host: &str) -> Result<Self> {
        Self::open(DatabaseFile::file(path), host).await
    }

    pub(crate) async fn open_memory(host: &str) -> Result<Self> {
        Self::open(DatabaseFile::memory()?, host).await
    }

    async fn open(file: DatabaseFile, host: &str) -> Result<Self> {
        let writer = file.open().await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS + HOST_READERS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .connect_with(file.to_read())
            .await
            .map_err(db_error)?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            host: host.to_owned(),
            file,
            queue: FairQueue::new(WAITING),
            readers: Connections::new(readers),
            limiter: connection_limiter(READERS, HOST_READERS),
            clock: Clock::new(),
            notifier: Notifier::default(),
            cached_events: EventCache::default(),
            written: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            stop: stop.clone(),
        });
        shared.clock.set_by_system();
        writer::spawn(&shared, writer);
        checkpoint::spawn(&shared);
        let clock = Arc::clone(&shared);
        shared.tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(SYNC_INTERVAL).await;
                clock.clock.set_by_system();
            }
        }));
        Ok(Self { shared, _stop: stop.drop_guard() })
    }

    async fn read(&self, owner: impl Into<Owner>) -> Result<Reader<Db>> {
        let permit = limits::acquire(&self.shared.limiter, owner.into()).await?;
        self.shared.readers.read(permit).await.map_err(db_error)
    }

    fn notifier(&self) -> &Notifier {
        &self.shared.notifier
    }

    /// Queues a write and waits for its outcome.
    async fn write(&self, owner: impl Into<Owner>, op: WriteOp) -> Result<Outcome> {
        let (reply, answer) = oneshot::channel();
        self.shared.queue.push(owner.into(), op.cost(), WriteRequest { op, reply })?;
        answer.await.unwrap_or_else(|_| Err(unavailable_because("the writer stopped without an answer")))
    }

    async fn maintenance(&self, maintenance: Maintenance) -> Result<u64> {
        match self.write(Owner::Host, WriteOp::Maintenance(maintenance)).await? {
            Outcome::Rows(rows) => Ok(rows),
            Outcome::Committed(_) | Outcome::Batch(_) => Err(unexpected_outcome()),
        }
    }

    async fn batch(&self, tenant: TenantId, event: EventId, jobs: Vec<Arc<Job>>) -> Result<BatchResult> {
        match self.write(Job::owner(tenant, &jobs), WriteOp::Batch(tenant, event, jobs)).await? {
            Outcome::Batch(done) => Ok(BatchResult { outcomes: done.verdicts, objects: done.objects }),
            Outcome::Committed(_) | Outcome::Rows(_) => Err(unexpected_outcome()),
        }
    }
}

fn unexpected_outcome() -> Error {
    Error::internal(anyhow::anyhow!("outcome of another kind of write"))
}

#[async_trait]
impl Store for DbStore {
    async fn commit(&self, changeset: Changeset) -> Result<Committed> {
        match self.write(changeset.tenant, WriteOp::Changeset(Box::new(changeset))).await? {
            Outcome::Committed(committed) => Ok(committed),
            Outcome::Rows(_) | Outcome::Batch(_) => Err(unexpected_outcome()),
        }
    }

    async fn recorded(&self, scope: &Scope) -> Result<Option<IdempotencyRecord>> {
        sql::idempotency::recorded(&mut *self.read(scope.tenant).await?, scope, self.now()).await
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    async fn ping(&self) -> Result<()> {
        let mut conn = self.read(Owner::Host).await?;
        sqlx::query("SELECT 1").execute(&mut *conn).await.map_err(db_error)?;
        Ok(())
    }

    async fn tenants_with(&self, work: DueWork, after: Option<TenantId>, limit: u32) -> Result<TenantPage> {
        let mut reader = self.read(Owner::Host).await?;
        let page = sql::due::tenants_with(&mut reader, work, (after, limit), self.now()).await;
        reader.finish(page)
    }

    async fn lease(&self, name: &str, holder: &str, span: Duration) -> Result<bool> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        Ok(self.maintenance(Maintenance::Lease { name, holder, span }).await? > 0)
    }

    async fn forget_keys(&self, limit: u32) -> Result<u64> {
        self.maintenance(Maintenance::DeleteKeys { now: self.now(), limit }).await
    }

    async fn secret_fingerprint(&self, mine: [u8; 32]) -> Result<[u8; 32]> {
        self.maintenance(Maintenance::Secret { fingerprint: mine }).await?;
        sql::maintenance::secret(&mut *self.read(Owner::Host).await?).await
    }

    async fn close(&self) {
        let released =
            self.maintenance(Maintenance::ReleaseLeases { holder: self.shared.host.clone() }).await;
        if let Err(error) = released {
            tracing::warn!(?error, "release of leases failed; they expire");
        }
        self.shared.queue.close();
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        self.shared.readers.close().await;
        checkpoint::last(&self.shared.file).await;
        self.shared.file.remove();
    }
}

impl Drop for DbStore {
    /// The writer drains its queue and stops.
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}
