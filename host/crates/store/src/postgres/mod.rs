//! Store on PostgreSQL: each changeset is a transaction of its own, except for batches of new issues. A sequencer numbers
//! facts after their commit, and hosts wake each other by notifications.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor};
use tessera_core::changeset::{Changeset, Committed};
use tessera_core::fair::Owner;
use tessera_core::id::{EventId, TenantId};
use tessera_core::idempotency::IdempotencyRecord;
use tessera_core::idempotency::Scope;
use tessera_core::inventory::Job;
use tessera_core::ports::{BatchResult, DueWork, Store, TenantPage};
use tessera_core::{Error, Result, Timestamp};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::connections::{Connections, MAX_IDLE, Reader};
use crate::error::{db_error, unavailable, unavailable_because};
use crate::event_cache::EventCache;
use crate::limits::{self, ACQUIRE_TIMEOUT, connection_limiter};
use crate::migrations::POSTGRES_MIGRATOR;
use crate::notifier::Notifier;

use self::dialect::{Conn, Db};
use self::issue_queue::Queues;
use self::shared::Shared;
use self::sql::maintenance::{self, Maintenance};

mod batch;
mod commit;
mod dialect;
mod issue_batch;
mod issue_queue;
mod issue_statement;
mod numbering;
mod sequencer;
mod shared;
#[allow(clippy::duplicate_mod, reason = "the queries are written once and compiled for either driver")]
#[path = "../sql/mod.rs"]
mod sql;
mod statements;
mod tasks;

/// Connections that are reserved for the sequencer, the listener, the notifier and the clock.
const OWN_CONNECTIONS: u32 = 4;

/// Connections that are reserved for the host's own reads and writes: sweeps, leases, readiness.
const HOST_CONNECTIONS: u32 = 2;

/// The least limit of connections: those that are reserved, and one for requests.
pub(crate) const MIN_CONNECTIONS: u32 = OWN_CONNECTIONS + HOST_CONNECTIONS + 1;

/// Timeout of a connection attempt; long enough for a restart of the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Session settings. Timeouts bound waits for locks and for hosts that vanish within a transaction. Plans are generic,
/// because planning often takes longer than execution.
const SESSION: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '30s'; SET plan_cache_mode = force_generic_plan; SET jit = off";

/// The store.
pub(crate) struct DbStore {
    shared: Arc<Shared>,
    /// Stops the tasks if the store is dropped without being closed.
    _stop: DropGuard,
}

/// Migrates the tables, under a lock that all hosts take.
pub(crate) async fn migrate(options: PgConnectOptions) -> Result<()> {
    // Without the pool first, because a pool retries and then hides the cause.
    let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, Conn::connect_with(&options)).await;
    connected.map_err(unavailable)?.map_err(db_error)?.close().await.map_err(db_error)?;
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT).connect_with(options);
    let pool = pool.await.map_err(db_error)?;
    POSTGRES_MIGRATOR.run(&pool).await.map_err(Error::internal)?;
    pool.close().await;
    Ok(())
}

async fn connect(options: PgConnectOptions, connections: u32) -> Result<PgPool> {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        // A ping before each use would cost a round trip; only idle connections are pinged.
        .test_before_acquire(false)
        .before_acquire(|conn, known| {
            Box::pin(async move {
                if known.idle_for > MAX_IDLE {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|conn, _| Box::pin(async move { conn.execute(SESSION).await.map(|_| ()) }));
    pool.connect_with(options).await.map_err(db_error)
}

impl DbStore {
    pub(crate) async fn open(options: PgConnectOptions, max_connections: u32, host: &str) -> Result<Self> {
        let options = options.application_name("tessera");
        migrate(options.clone()).await?;
        let for_requests = max_connections.saturating_sub(OWN_CONNECTIONS + HOST_CONNECTIONS);
        let pool = connect(options, max_connections).await?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            host: host.to_owned(),
            pool: Connections::new(pool),
            limiter: connection_limiter(for_requests, HOST_CONNECTIONS),
            clock: Clock::new(),
            notifier: Notifier::default(),
            cached_events: EventCache::default(),
            issue_queues: Queues::default(),
            committed: Notify::new(),
            uncommunicated: Notify::new(),
            sequencing: AtomicBool::new(false),
            writes: TaskTracker::new(),
            tasks: TaskTracker::new(),
            stop: stop.clone(),
        });
        shared.sync_clock().await?;
        sequencer::spawn(&shared);
        tasks::spawn(&shared);
        Ok(Self { shared, _stop: stop.drop_guard() })
    }

    async fn read(&self, owner: impl Into<Owner>) -> Result<Reader<Db>> {
        let permit = limits::acquire(&self.shared.limiter, owner.into()).await?;
        self.shared.pool.read(permit).await.map_err(db_error)
    }

    fn notifier(&self) -> &Notifier {
        &self.shared.notifier
    }

    async fn batch(&self, tenant: TenantId, event: EventId, jobs: Vec<Arc<Job>>) -> Result<BatchResult> {
        if self.shared.writes.is_closed() {
            return Err(unavailable_because("the store is closed"));
        }
        self.shared.writes.track_future(batch::run(&self.shared, (tenant, event), &jobs)).await
    }

    async fn maintenance(&self, maintenance: Maintenance) -> Result<u64> {
        let shared = Arc::clone(&self.shared);
        let task = self.shared.writes.spawn(async move { shared.maintenance(&maintenance).await });
        task.await.unwrap_or_else(|error| Err(Error::internal(error)))
    }
}

#[async_trait]
impl Store for DbStore {
    async fn commit(&self, changeset: Changeset) -> Result<Committed> {
        if self.shared.writes.is_closed() {
            return Err(unavailable_because("the store is closed"));
        }
        let (reply, answer) = oneshot::channel();
        if let Some(key) = issue_batch::project(&changeset) {
            issue_batch::submit(&self.shared, key, changeset, reply);
        } else {
            let shared = Arc::clone(&self.shared);
            self.shared.writes.spawn(async move { commit::run(&shared, &changeset, reply).await });
        }
        answer.await.unwrap_or_else(|_| Err(unavailable_because("the write's task ended without an answer")))
    }

    async fn recorded(&self, scope: &Scope) -> Result<Option<IdempotencyRecord>> {
        sql::idempotency::recorded(&mut *self.read(scope.tenant).await?, scope, self.now()).await
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    async fn ping(&self) -> Result<()> {
        let _permit = limits::acquire(&self.shared.limiter, Owner::Host).await?;
        let mut conn = self.shared.pool.acquire().await.map_err(db_error)?;
        let ping = sqlx::query("SELECT 1").execute(&mut *conn);
        match tokio::time::timeout(ACQUIRE_TIMEOUT, ping).await {
            Ok(answered) => answered.map(|_| ()).map_err(db_error),
            Err(_) => Err(unavailable_because("the database did not answer in time")),
        }
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
        maintenance::secret(&mut *self.read(Owner::Host).await?).await
    }

    async fn close(&self) {
        self.shared.writes.close();
        self.shared.writes.wait().await;
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        let released =
            self.shared.maintenance(&Maintenance::ReleaseLeases { holder: self.shared.host.clone() }).await;
        if let Err(error) = released {
            tracing::warn!(?error, "release of leases failed; they expire");
        }
        self.shared.pool.close().await;
    }
}
