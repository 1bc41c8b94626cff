//! The store on PostgreSQL: each changeset is its own transaction, but for issues that are made at once; a sequencer
//! numbers the facts after they have committed, and hosts wake each other by notifications.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor};
use tessera_core::changeset::{Changeset, Committed, Recorded};
use tessera_core::id::{EventId, TenantId};
use tessera_core::idempotency::Scope;
use tessera_core::inventory::Job;
use tessera_core::ports::{BatchDone, Store};
use tessera_core::{Error, Result, Timestamp};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::connections::{Connections, IDLE, Reader};
use crate::error::{away, away_for, fault};
use crate::fair::{Gate, HOST, PATIENCE};
use crate::remembered::Remembered;
use crate::signal::Changed;

use self::dialect::{Conn, Db, Ts};
use self::sql::inventory::Known;
use self::sql::upkeep::{self, Upkeep};

mod batch;
mod commit;
mod dialect;
mod made;
mod numbering;
mod sequencer;
#[allow(clippy::duplicate_mod, reason = "the queries are written once and compiled for either driver")]
#[path = "../sql/mod.rs"]
mod sql;
mod tasks;

static MIGRATOR: Migrator = sqlx::migrate!("../../../migrations/postgres");

/// Connections that no request gets: for the sequencer, the listener, the notifier and the clock.
const OWN_CONNECTIONS: u32 = 4;

/// How long a connection may take. A server that starts again is back by then, and one that is away is told of.
const CONNECTING: Duration = Duration::from_secs(2);

/// Nothing waits for ever, neither for a lock nor for a host that vanished in the midst of a transaction.
/// Statements are written for one plan each: planning them anew would often take longer than they do.
const LIMITS: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '30s'; SET plan_cache_mode = force_generic_plan; SET jit = off";

/// The store.
pub(crate) struct DbStore {
    shared: Arc<Shared>,
    /// Ends the tasks when the store is dropped without having been closed.
    _stop: DropGuard,
}

/// What the store and its tasks share.
struct Shared {
    host: String,
    pool: Connections<Db>,
    gate: Arc<Gate>,
    clock: Clock,
    changed: Changed,
    /// What is remembered of events from one batch to the next.
    known: Remembered<Known>,
    /// New issues that wait to be written together.
    made: made::Queues,
    /// Wakes the sequencer.
    committed: Notify,
    /// Wakes the notifier.
    untold: Notify,
    /// Whether this host is the sequencer.
    sequencing: AtomicBool,
    /// Write transactions in flight.
    writes: TaskTracker,
    /// The host's own tasks.
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Brings the tables up to date, under a lock that all hosts take.
pub(crate) async fn migrate(options: PgConnectOptions) -> Result<()> {
    // First by hand, for a pool keeps trying and then does not say what is wrong.
    let connected = tokio::time::timeout(PATIENCE, Conn::connect_with(&options)).await;
    connected.map_err(away)?.map_err(fault)?.close().await.map_err(fault)?;
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_with(options);
    let pool = pool.await.map_err(fault)?;
    MIGRATOR.run(&pool).await.map_err(Error::internal)?;
    pool.close().await;
    Ok(())
}

async fn connect(options: PgConnectOptions, connections: u32) -> Result<PgPool> {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECTING)
        // A question before each use would cost a round trip; only one that has been idle is asked.
        .test_before_acquire(false)
        .before_acquire(|conn, known| {
            Box::pin(async move {
                if known.idle_for > IDLE {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|conn, _| Box::pin(async move { conn.execute(LIMITS).await.map(|_| ()) }));
    pool.connect_with(options).await.map_err(fault)
}

impl DbStore {
    pub(crate) async fn open(options: PgConnectOptions, max_connections: u32, host: &str) -> Result<Self> {
        let options = options.application_name("tessera");
        migrate(options.clone()).await?;
        let for_requests = max_connections.saturating_sub(OWN_CONNECTIONS).max(1);
        let pool = connect(options, for_requests + OWN_CONNECTIONS).await?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            host: host.to_owned(),
            pool: Connections::new(pool),
            gate: Gate::new(for_requests as usize),
            clock: Clock::new(),
            changed: Changed::default(),
            known: Remembered::default(),
            made: made::Queues::default(),
            committed: Notify::new(),
            untold: Notify::new(),
            sequencing: AtomicBool::new(false),
            writes: TaskTracker::new(),
            tasks: TaskTracker::new(),
            stop: stop.clone(),
        });
        shared.measure().await?;
        sequencer::spawn(&shared);
        tasks::spawn(&shared);
        Ok(Self { shared, _stop: stop.drop_guard() })
    }

    async fn read(&self, tenant: TenantId) -> Result<Reader<Db>> {
        let permit = self.shared.gate.enter(tenant).await?;
        self.shared.pool.read(permit).await.map_err(fault)
    }

    fn changed(&self) -> &Changed {
        &self.shared.changed
    }

    async fn batch(&self, tenant: TenantId, event: EventId, jobs: Vec<Arc<Job>>) -> Result<BatchDone> {
        if self.shared.writes.is_closed() {
            return Err(away_for("the store is closed"));
        }
        self.shared.writes.track_future(batch::run(&self.shared, (tenant, event), &jobs)).await
    }

    async fn upkeep(&self, upkeep: Upkeep) -> Result<u64> {
        let shared = Arc::clone(&self.shared);
        let task = self.shared.writes.spawn(async move { shared.upkeep(&upkeep).await });
        task.await.unwrap_or_else(|error| Err(Error::internal(error)))
    }
}

impl Shared {
    async fn upkeep(&self, upkeep: &Upkeep) -> Result<u64> {
        let mut conn = self.pool.acquire().await.map_err(fault)?;
        upkeep::run(&mut conn, upkeep).await
    }

    /// Sets the clock by the server's, half of the round trip ago.
    async fn measure(&self) -> Result<()> {
        let mut conn = self.pool.acquire().await.map_err(fault)?;
        let asked = Instant::now();
        let query = sqlx::query_scalar("SELECT clock_timestamp()");
        let Ts(shown) = query.fetch_one(&mut *conn).await.map_err(fault)?;
        self.clock.set(shown, asked + asked.elapsed() / 2);
        Ok(())
    }

    fn is_sequencer(&self) -> bool {
        self.sequencing.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Store for DbStore {
    async fn commit(&self, changeset: Changeset) -> Result<Committed> {
        if self.shared.writes.is_closed() {
            return Err(away_for("the store is closed"));
        }
        let (reply, answer) = oneshot::channel();
        if made::is_creation(&changeset) {
            made::submit(&self.shared, changeset, reply);
        } else {
            let shared = Arc::clone(&self.shared);
            self.shared.writes.spawn(async move { commit::run(&shared, &changeset, reply).await });
        }
        answer.await.unwrap_or_else(|_| Err(away_for("the write's task ended without an answer")))
    }

    async fn recorded(&self, scope: &Scope) -> Result<Option<Recorded>> {
        sql::idempotency::recorded(&mut *self.read(scope.tenant).await?, scope, self.now()).await
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    async fn ping(&self) -> Result<()> {
        let mut conn = self.shared.pool.acquire().await.map_err(fault)?;
        let asked = sqlx::query("SELECT 1").execute(&mut *conn);
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answered) => answered.map(|_| ()).map_err(fault),
            Err(_) => Err(away_for("the database did not answer in time")),
        }
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
        upkeep::secret(&mut *self.read(HOST).await?).await
    }

    async fn close(&self) {
        self.shared.writes.close();
        self.shared.writes.wait().await;
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        let given = self.shared.upkeep(&Upkeep::GiveBack { holder: self.shared.host.clone() }).await;
        if let Err(error) = given {
            tracing::warn!(?error, "the leases could not be given back; they run out by themselves");
        }
        self.shared.pool.close().await;
    }
}
