//! A store for each test.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tessera_core::access::ObjectKind;
use tessera_core::changeset::{Changeset, Committed, Versioned};
use tessera_core::ctx::{Principal, Transport};
use tessera_core::fair::WorkLimiter;
use tessera_core::filter::{Filter, Spec};
use tessera_core::id::{IssueId, TenantId};
use tessera_core::outbox::{Fact, NewFact, ObjectRef};
use tessera_core::page::{Page, PageRequest};
use tessera_core::ports::{DueWork, Store};
use tessera_core::tracker::Purger;
use tessera_core::{Ctx, Result, Timestamp};
use tessera_store::{PostgresConfig, StoreConfig, open};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Kind of store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Sqlite,
    Memory,
    Postgres,
}

/// A store and its location.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    place: Place,
}

#[derive(Clone)]
enum Place {
    File(PathBuf),
    Memory,
    Database { server: String, name: String },
}

/// Runs a test on a new store, which is removed whatever the result.
pub(crate) async fn run<F>(kind: Kind, test: fn(World) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    ended(World::make(kind).await, test).await;
}

async fn ended<F>(world: World, test: fn(World) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let patience = Duration::from_secs(if is_long_trial() { 1_800 } else { 120 });
    let ended = tokio::time::timeout(patience, tokio::spawn(test(world.clone()))).await;
    world.store.close().await;
    world.place.remove().await;
    match ended.unwrap_or_else(|_| panic!("the test takes more than {patience:?}")) {
        Ok(()) => {}
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// Returns whether `cargo xtask trials` runs the trials at full size.
pub(crate) fn is_long_trial() -> bool {
    setting("TESSERA_TRIALS").is_some_and(|size| size == "long")
}

#[allow(clippy::disallowed_methods, reason = "tests have no other way to get settings")]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Place {
    async fn make(kind: Kind) -> Self {
        let name = format!("tessera_suite_{}", Uuid::now_v7().simple());
        match kind {
            Kind::Sqlite => Self::File(std::env::temp_dir().join(name).join("tessera.db")),
            Kind::Memory => Self::Memory,
            Kind::Postgres => {
                let server = server();
                let mut conn = PgConnection::connect(&server).await.expect("TESSERA_TEST_POSTGRES answers");
                conn.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
                Self::Database { server, name }
            }
        }
    }

    fn config(&self) -> StoreConfig {
        match self {
            Self::File(path) => StoreConfig::Sqlite { path: path.clone() },
            Self::Memory => StoreConfig::Memory,
            Self::Database { server, name } => {
                let (base, query) =
                    server.split_once('?').map_or((&**server, ""), |(base, query)| (base, query));
                let base = base.trim_end_matches('/');
                let cut = base.find("://").map_or(0, |at| at + 3);
                let head = base.rfind('/').filter(|slash| *slash > cut).map_or(base, |slash| &base[..slash]);
                let url = format!("{head}/{name}?{query}");
                StoreConfig::Postgres(PostgresConfig::from_url(&url, false, 16).unwrap())
            }
        }
    }

    async fn remove(&self) {
        match self {
            Self::File(path) => {
                let _ = std::fs::remove_dir_all(path.parent().unwrap());
            }
            Self::Memory => {}
            Self::Database { server, name } => {
                let mut conn = PgConnection::connect(server).await.unwrap();
                conn.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
            }
        }
    }
}

fn server() -> String {
    setting("TESSERA_TEST_POSTGRES").expect(
        "TESSERA_TEST_POSTGRES must be the URL of a PostgreSQL server on which databases can be made, \
         as postgres://postgres@127.0.0.1:5432/postgres; `cargo xtask test` sets it",
    )
}

impl World {
    async fn make(kind: Kind) -> Self {
        let place = Place::make(kind).await;
        let store = open(place.config(), "host-1").await.unwrap();
        Self { store, place }
    }

    /// Opens another host's store on the same database; a store in memory has none.
    pub(crate) async fn other_host(&self, host: &str) -> Self {
        let store = open(self.place.config(), host).await.unwrap();
        Self { store, ..self.clone() }
    }

    /// Opens another host's store on the same database, by another port.
    pub(crate) async fn other_host_at(&self, host: &str, port: u16) -> Self {
        let (_, present) = self.server_address();
        let Place::Database { server, name } = &self.place else { panic!("only PostgreSQL has a port") };
        let server = server.replace(&format!(":{present}"), &format!(":{port}"));
        let place = Place::Database { server, name: name.clone() };
        let store = open(place.config(), host).await.unwrap();
        Self { store, place }
    }

    /// Returns the server's address.
    pub(crate) fn server_address(&self) -> (String, u16) {
        let Place::Database { server, .. } = &self.place else { panic!("only PostgreSQL has a server") };
        let options: PgConnectOptions = server.parse().unwrap();
        (options.get_host().to_owned(), options.get_port())
    }

    /// Opens a connection to the PostgreSQL database, past the store.
    pub(crate) async fn raw(&self) -> PgConnection {
        let Place::Database { server, name } = &self.place else { panic!("only PostgreSQL has a server") };
        let options: PgConnectOptions = server.parse().unwrap();
        PgConnection::connect_with(&options.database(name)).await.unwrap()
    }

    /// Executes a statement on the store's database, past the store.
    pub(crate) async fn execute(&self, statement: &'static str) {
        match &self.place {
            Place::File(path) => {
                let options = SqliteConnectOptions::new().filename(path);
                let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
                conn.execute(statement).await.unwrap();
                conn.close().await.unwrap();
            }
            Place::Memory => panic!("a store in memory has no address"),
            Place::Database { .. } => {
                let mut conn = self.raw().await;
                conn.execute(statement).await.unwrap();
                conn.close().await.unwrap();
            }
        }
    }

    /// Returns the configuration of the store.
    pub(crate) fn config(&self) -> StoreConfig {
        self.place.config()
    }

    pub(crate) fn ctx(&self, tenant: TenantId) -> Ctx {
        let deadline = Instant::now() + Duration::from_secs(60);
        let now = (self.store.now(), deadline);
        Ctx::new(tenant, Principal::System, "request".into(), now, Transport::Internal)
    }

    pub(crate) fn change(&self, tenant: TenantId) -> Changeset {
        Changeset::new(&self.ctx(tenant))
    }

    pub(crate) async fn commit(&self, changeset: Changeset) -> Result<Committed> {
        self.store.commit(changeset).await
    }

    /// Commits a changeset that must be stored.
    pub(crate) async fn store(&self, changeset: Changeset) {
        assert_eq!(self.commit(changeset).await.unwrap(), Committed::Stored);
    }

    /// Creates a fact about an object at its version.
    pub(crate) fn fact(&self, tenant: TenantId, what: &'static str, of: &impl Versioned) -> NewFact {
        let row = of.expect();
        let object = ObjectRef { kind: row.kind, id: row.id, version: row.version };
        NewFact::new(&self.ctx(tenant), what, object, Vec::new())
    }

    /// Purges everything that is deleted in a tenant.
    pub(crate) async fn purge(&self, tenant: TenantId) {
        let purger = Purger::new(Arc::clone(&self.store));
        let limiter = WorkLimiter::new(1, 1, CancellationToken::new());
        while purger.purge(tenant, &limiter).await.unwrap() {}
        assert_eq!(self.tenants_with(DueWork::Purges).await, []);
    }

    /// Lists the tenants with work of a kind, one in a page.
    pub(crate) async fn tenants_with(&self, work: DueWork) -> Vec<TenantId> {
        let (mut tenants, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.tenants_with(work, after, 1).await.unwrap();
            tenants.extend(page.tenants);
            after = page.next;
            if after.is_none() {
                return tenants;
            }
        }
    }

    /// Waits for `count` numbered facts and returns them.
    pub(crate) async fn numbered(&self, count: usize) -> Vec<Fact> {
        let read = || async { self.store.facts_after(0, 100_000, usize::MAX).await.unwrap() };
        self.wait_for(&format!("{count} numbered facts"), || async { read().await.len() >= count }).await;
        let facts = read().await;
        assert_eq!(facts.len(), count);
        facts
    }

    /// Waits until the store's clock has reached a time.
    pub(crate) async fn wait_until(&self, at: Timestamp) {
        self.wait_for("the store's clock", || async { self.store.now() >= at }).await;
    }

    /// Waits until a condition holds.
    pub(crate) async fn wait_for<F>(&self, what: &str, condition: impl Fn() -> F)
    where
        F: Future<Output = bool>,
    {
        let patience = Instant::now() + Duration::from_secs(20);
        while !condition().await {
            assert!(Instant::now() < patience, "waited in vain for {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn history(&self, tenant: TenantId, issue: IssueId) -> Vec<Fact> {
        let object = (ObjectKind::Issue, &*issue.to_string());
        let request = page(&tessera_core::outbox::fact::SPEC, 1_000, "");
        self.store.history(tenant, object, &request).await.unwrap().items
    }

    pub(crate) fn filter(&self, tenant: TenantId, spec: &Spec, text: &str) -> Filter {
        spec.filter(&self.ctx(tenant), text).unwrap()
    }
}

/// Requests the first page of a list in an order.
pub(crate) fn page(spec: &Spec, size: u32, order: &str) -> PageRequest {
    PageRequest { size, after: None, filter: Filter::default(), order: spec.order(order).unwrap() }
}

/// Reads all rows of a list, page by page.
pub(crate) async fn all<T, F>(mut request: PageRequest, read: impl Fn(PageRequest) -> F) -> Vec<T>
where
    F: Future<Output = Result<Page<T>>>,
{
    let mut items = Vec::new();
    loop {
        let page = read(request.clone()).await.unwrap();
        assert!(page.items.len() <= request.size as usize);
        items.extend(page.items);
        match page.next {
            Some(next) => request.after = Some(next),
            None => return items,
        }
    }
}
