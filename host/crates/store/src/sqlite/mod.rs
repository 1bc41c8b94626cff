//! The store on SQLite: a file, or memory. One writer, a few readers, a checkpointer.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqlitePoolOptions;
use tessera_core::changeset::{Changeset, Committed, Recorded};
use tessera_core::id::{EventId, TenantId};
use tessera_core::idempotency::Scope;
use tessera_core::inventory::Job;
use tessera_core::ports::{BatchDone, Store};
use tessera_core::{Error, Result, Timestamp};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, MEASURED_EVERY};
use crate::connections::{Connections, Reader};
use crate::error::{away_for, fault};
use crate::fair::{FairQueue, Gate, HOST, PATIENCE};
use crate::remembered::Remembered;
use crate::signal::Changed;

use self::dialect::Db;
use self::file::Place;
use self::sql::inventory::Known;
use self::sql::upkeep::Upkeep;
use self::writer::{Done, Order, Work};

mod checkpoint;
mod dialect;
mod file;
mod memory;
mod numbering;
#[allow(clippy::duplicate_mod, reason = "the queries are written once and compiled for either driver")]
#[path = "../sql/mod.rs"]
mod sql;
mod writer;

static MIGRATOR: Migrator = sqlx::migrate!("../../../migrations/sqlite");

/// How many read at a time.
const READERS: u32 = 4;

/// The store.
pub(crate) struct DbStore {
    shared: Arc<Shared>,
    /// Ends the tasks when the store is dropped without having been closed.
    _stop: DropGuard,
}

/// What the store and its tasks share.
struct Shared {
    host: String,
    place: Place,
    queue: FairQueue<Order>,
    readers: Connections<Db>,
    gate: Arc<Gate>,
    clock: Clock,
    changed: Changed,
    /// What is remembered of events from one batch to the next.
    known: Remembered<Known>,
    /// Counts transactions, so that the checkpointer knows whether there is something to do.
    written: AtomicU64,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Brings a file's tables up to date.
pub(crate) async fn migrate(path: &Path) -> Result<()> {
    let conn = Place::file(path).open().await?;
    sqlx::Connection::close(conn).await.map_err(fault)
}

impl DbStore {
    pub(crate) async fn open_file(path: &Path, host: &str) -> Result<Self> {
        Self::open(Place::file(path), host).await
    }

    pub(crate) async fn open_memory(host: &str) -> Result<Self> {
        Self::open(Place::memory()?, host).await
    }

    async fn open(place: Place, host: &str) -> Result<Self> {
        let writer = place.open().await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .connect_with(place.to_read())
            .await
            .map_err(fault)?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            host: host.to_owned(),
            place,
            queue: FairQueue::new(),
            readers: Connections::new(readers),
            gate: Gate::new(READERS as usize),
            clock: Clock::new(),
            changed: Changed::default(),
            known: Remembered::default(),
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
                tokio::time::sleep(MEASURED_EVERY).await;
                clock.clock.set_by_system();
            }
        }));
        Ok(Self { shared, _stop: stop.drop_guard() })
    }

    async fn read(&self, tenant: TenantId) -> Result<Reader<Db>> {
        let permit = self.shared.gate.enter(tenant).await?;
        self.shared.readers.read(permit).await.map_err(fault)
    }

    fn changed(&self) -> &Changed {
        &self.shared.changed
    }

    /// Has something written in the tenant's turn.
    async fn write(&self, tenant: TenantId, work: Work) -> Result<Done> {
        let (reply, answer) = oneshot::channel();
        self.shared.queue.push(tenant, Order { work, reply })?;
        answer.await.unwrap_or_else(|_| Err(away_for("the writer ended without an answer")))
    }

    async fn upkeep(&self, upkeep: Upkeep) -> Result<u64> {
        match self.write(HOST, Work::Upkeep(upkeep)).await? {
            Done::Rows(rows) => Ok(rows),
            Done::Committed(_) | Done::Batch(_) => Err(other_answer()),
        }
    }

    async fn batch(&self, tenant: TenantId, event: EventId, jobs: Vec<Arc<Job>>) -> Result<BatchDone> {
        match self.write(tenant, Work::Batch(tenant, event, jobs)).await? {
            Done::Batch(done) => Ok(BatchDone { verdicts: done.verdicts, objects: done.objects }),
            Done::Committed(_) | Done::Rows(_) => Err(other_answer()),
        }
    }
}

fn other_answer() -> Error {
    Error::internal(anyhow::anyhow!("another write's answer"))
}

impl Shared {
    /// A transaction has committed.
    fn note_written(&self) {
        self.written.fetch_add(1, Ordering::Relaxed);
        self.changed.say();
    }
}

#[async_trait]
impl Store for DbStore {
    async fn commit(&self, changeset: Changeset) -> Result<Committed> {
        match self.write(changeset.tenant, Work::Changeset(Box::new(changeset))).await? {
            Done::Committed(committed) => Ok(committed),
            Done::Rows(_) | Done::Batch(_) => Err(other_answer()),
        }
    }

    async fn recorded(&self, scope: &Scope) -> Result<Option<Recorded>> {
        sql::idempotency::recorded(&mut *self.read(scope.tenant).await?, scope, self.now()).await
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    async fn ping(&self) -> Result<()> {
        let mut conn = self.read(HOST).await?;
        sqlx::query("SELECT 1").execute(&mut *conn).await.map_err(fault)?;
        Ok(())
    }

    async fn lease(&self, name: &str, holder: &str, span: Duration) -> Result<bool> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        Ok(self.upkeep(Upkeep::Lease { name, holder, span }).await? > 0)
    }

    async fn forget_keys(&self, limit: u32) -> Result<u64> {
        self.upkeep(Upkeep::ForgetKeys { now: self.now(), limit }).await
    }

    async fn secret_fingerprint(&self, mine: [u8; 32]) -> Result<[u8; 32]> {
        self.upkeep(Upkeep::Secret { fingerprint: mine }).await?;
        sql::upkeep::secret(&mut *self.read(HOST).await?).await
    }

    async fn close(&self) {
        let given = self.upkeep(Upkeep::GiveBack { holder: self.shared.host.clone() }).await;
        if let Err(error) = given {
            tracing::warn!(?error, "the leases could not be given back; they run out by themselves");
        }
        self.shared.queue.close();
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        self.shared.readers.close().await;
        checkpoint::last(&self.shared.place).await;
        self.shared.place.remove();
    }
}

impl Drop for DbStore {
    /// The writer finishes what waits, and ends.
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}
