//! All services, put together once and shared by the transports.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::admission::{Codes, Door, Tickets};
use crate::booking::{Bookings, Turns};
use crate::cache::Reads;
use crate::catalog::series::AllSeries;
use crate::catalog::venue::Venues;
use crate::catalog::{Events, TicketTypes};
use crate::command::Commands;
use crate::error::{Error, Result};
use crate::inventory::{Availability, Combiner, Holding, Reservations, Supplies, Watches};
use crate::outbox::audit::Retention;
use crate::outbox::{Facts, Feed};
use crate::plugin::{Hooks, Installations, Invoker, Preloader, Releases, Timers};
use crate::ports::{Cache, Plugins, Store};
use crate::secret::{Sealer, SecretKey};
use crate::tenancy::key::KeyHasher;
use crate::tenancy::{Authenticator, Keys, Tenants};
use crate::time::Timestamp;
use crate::tracker::{Comments, Issues, Links, Projects, Purger, Users};

/// How often a host looks whether there is something to sweep.
const SWEEP: Duration = Duration::from_secs(5);

/// How often a host looks whether a timer is due.
const TIMERS: Duration = Duration::from_secs(1);

/// How often a host looks whether a hold is due, and how long its lease on that holds: a hold ends at most two
/// seconds late, also when the host that ends holds is gone.
const HOLDS: Duration = Duration::from_millis(400);
const HOLDS_LEASE: Duration = Duration::from_millis(1_200);

/// How often a host looks whose turn it is in queues, and how long its lease on that holds.
const TURNS: Duration = Duration::from_millis(400);
const TURNS_LEASE: Duration = Duration::from_millis(1_200);

/// How many rows of deleted events are purged at once.
const PURGED: u32 = 1_000;

/// How long a lease on the sweeps holds.
const LEASE: Duration = Duration::from_secs(15);

/// How many idempotency records are forgotten at once.
const KEYS: u32 = 1_000;

/// What an operator bounds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long facts are kept.
    pub retention: Retention,
    /// The most bytes of a plugin's component.
    pub max_component: u64,
}

/// All services.
#[derive(Clone)]
pub struct App {
    /// Who is asking.
    pub auth: Arc<Authenticator>,
    /// Tenants.
    pub tenants: Tenants,
    /// API keys.
    pub keys: Keys,
    /// Users.
    pub users: Users,
    /// Projects.
    pub projects: Projects,
    /// Issues.
    pub issues: Issues,
    /// Comments and watchers.
    pub comments: Comments,
    /// Links.
    pub links: Links,
    /// Releases of plugins.
    pub releases: Releases,
    /// Installations of plugins.
    pub installations: Installations,
    /// Timers that plugins have set.
    pub timers: Timers,
    /// Venues.
    pub venues: Venues,
    /// Series of events.
    pub series: AllSeries,
    /// Events.
    pub events: Events,
    /// Ticket types.
    pub ticket_types: TicketTypes,
    /// What can still be had.
    pub availability: Availability,
    /// What is left of events, as it changes.
    pub watches: Watches,
    /// Pools, locks and seats.
    pub supplies: Supplies,
    /// Reservations.
    pub reservations: Reservations,
    /// How long tenants' reservations are held.
    pub holding: Holding,
    /// Tickets.
    pub tickets: Tickets,
    /// The keys of ticket codes.
    pub codes: Codes,
    /// The door.
    pub door: Door,
    /// Queues, and who is in them.
    pub bookings: Bookings,
    /// Facts.
    pub facts: Facts,
    turns: Turns,
    /// Told when somebody comes into a queue or leaves it.
    queue_news: Arc<Notify>,
    preloader: Arc<Preloader>,
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
}

impl App {
    /// Puts the services together.
    pub async fn new(
        store: Arc<dyn Store>,
        cache: Arc<dyn Cache>,
        plugins: Arc<dyn Plugins>,
        secret: &SecretKey,
        limits: Limits,
    ) -> Result<Self> {
        let fingerprint = secret.derive("fingerprint");
        if store.secret_fingerprint(fingerprint).await? != fingerprint {
            let expected =
                "is not the secret that this database was first used with; all its hosts need the same";
            return Err(Error::invalid("TESSERA_SECRET_KEY", expected));
        }
        let reads = Arc::new(Reads::new(Arc::clone(&store), cache));
        let feed = Feed::open(Arc::clone(&store), Arc::clone(&reads)).await?;
        let invoker = Arc::new(Invoker::new(Arc::clone(&store), Arc::clone(&plugins)));
        let hooks = Hooks::new(Arc::clone(&store), Arc::clone(&reads), Arc::clone(&invoker));
        let commands = Commands::new(Arc::clone(&store), Arc::clone(&feed), hooks);
        let hasher = KeyHasher::new(secret);
        let codes = Codes::new(Arc::clone(&store), commands.clone(), Sealer::new(secret));
        let tickets = Tickets::new(Arc::clone(&store), commands.clone(), codes.clone());
        let reservations = Reservations::new(
            Arc::clone(&store),
            commands.clone(),
            Combiner::new(Arc::clone(&store), Arc::clone(&feed)),
            tickets.clone(),
        );
        let queue_news = Arc::new(Notify::new());
        Ok(Self {
            auth: Arc::new(Authenticator::new(Arc::clone(&store), Arc::clone(&reads), hasher.clone())),
            tenants: Tenants::new(Arc::clone(&store), Arc::clone(&reads), commands.clone()),
            keys: Keys::new(Arc::clone(&store), commands.clone(), hasher),
            users: Users::new(Arc::clone(&store), commands.clone()),
            projects: Projects::new(Arc::clone(&store), Arc::clone(&reads), commands.clone()),
            issues: Issues::new(Arc::clone(&store), reads, commands.clone()),
            comments: Comments::new(Arc::clone(&store), commands.clone()),
            links: Links::new(Arc::clone(&store), commands.clone()),
            releases: Releases::new(Arc::clone(&store), plugins, commands.clone(), limits.max_component),
            installations: Installations::new(Arc::clone(&store), commands.clone()),
            timers: Timers::new(Arc::clone(&store), commands.clone()),
            venues: Venues::new(Arc::clone(&store), commands.clone()),
            series: AllSeries::new(Arc::clone(&store), commands.clone()),
            events: Events::new(Arc::clone(&store), commands.clone()),
            ticket_types: TicketTypes::new(Arc::clone(&store), commands.clone()),
            availability: Availability::new(Arc::clone(&store)),
            watches: Watches::new(Arc::clone(&store), Arc::clone(&feed)),
            supplies: Supplies::new(Arc::clone(&store), commands.clone()),
            bookings: Bookings::new(Arc::clone(&store), commands.clone(), Arc::clone(&queue_news)),
            turns: Turns::new(Arc::clone(&store), commands.clone(), reservations.clone()),
            queue_news,
            reservations,
            holding: Holding::new(Arc::clone(&store), commands.clone()),
            tickets,
            door: Door::new(Arc::clone(&store), commands, codes.clone()),
            codes,
            preloader: Arc::new(Preloader::new(Arc::clone(&store), Arc::clone(&feed), invoker)),
            facts: Facts::new(Arc::clone(&store), Arc::clone(&feed), limits.retention),
            store,
            feed,
        })
    }

    /// The store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// Whether the host can do its work.
    pub async fn ready(&self) -> Result<()> {
        self.store.ping().await
    }

    /// Follows the facts of the store until cancelled.
    pub async fn follow(&self, stop: CancellationToken) {
        Arc::clone(&self.feed).follow(stop).await;
    }

    /// Makes ready all that is installed, before the host is.
    pub async fn prepare_plugins(&self) -> Result<()> {
        self.preloader.prepare().await
    }

    /// Keeps up with what is installed until cancelled.
    pub async fn keep_plugins(&self, host: &str, stop: CancellationToken) {
        self.preloader.run(host, stop).await;
    }

    /// Fires timers that are due until cancelled.
    pub async fn fire_timers(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.timers.run().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(?error, "timers could not be fired; they are tried again"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TIMERS) => {}
            }
        }
    }

    /// Ends holds that are due, on one host at a time, until cancelled.
    pub async fn sweep_holds(&self, host: &str, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.sweep_holds_once(host).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(?error, "holds could not be ended; it is tried again"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(HOLDS) => {}
            }
        }
    }

    async fn sweep_holds_once(&self, host: &str) -> Result<bool> {
        let due = self.reservations.due().await?;
        // The lease is only taken for work: a host at rest writes nothing.
        if due.is_empty() || !self.store.lease("holds", host, HOLDS_LEASE).await? {
            return Ok(false);
        }
        self.reservations.sweep(due).await
    }

    /// Lets the next in queues have their turn, on one host at a time, until cancelled.
    pub async fn take_turns(&self, host: &str, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.take_turns_once(host).await {
                // Whoever was served made room for the next.
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(?error, "queues could not be moved on; it is tried again"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.queue_news.notified() => {}
                () = tokio::time::sleep(TURNS) => {}
            }
        }
    }

    async fn take_turns_once(&self, host: &str) -> Result<bool> {
        let due = self.turns.due().await?;
        if due.is_empty() || !self.store.lease("queues", host, TURNS_LEASE).await? {
            return Ok(false);
        }
        self.turns.advance(due).await
    }

    /// Purges and forgets what is due, on one host at a time, until cancelled.
    pub async fn sweep(&self, host: &str, stop: CancellationToken) {
        let purger = Purger::new(Arc::clone(&self.store));
        while !stop.is_cancelled() {
            if let Err(error) = self.sweep_once(host, &purger).await {
                tracing::warn!(?error, "a sweep failed; it is tried again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SWEEP) => {}
            }
        }
    }

    async fn sweep_once(&self, host: &str, purger: &Purger) -> Result<()> {
        if !self.store.lease("sweeps", host, LEASE).await? {
            return Ok(());
        }
        purger.run().await?;
        self.facts.trim().await?;
        self.store.forget_keys(KEYS).await?;
        self.store.purge_events(PURGED).await?;
        self.supplies.end_locks().await?;
        self.events.end_over().await?;
        Ok(())
    }

    /// Finishes what is being written and closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }
}
