//! All services, built once and shared by the transports.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::admission::{Codes, Door, Tickets};
use crate::booking::{Bookings, QueueWorker};
use crate::cache::CachedReads;
use crate::catalog::{Events, SeriesService, TicketTypes, Venues};
use crate::command::Commands;
use crate::error::{Error, Result};
use crate::inventory::{
    Availability, AvailabilityStreams, EventBatcher, HoldRulesService, Reservations, Supplies,
};
use crate::outbox::audit::Retention;
use crate::outbox::{Facts, Feed};
use crate::plugin::{ComponentLimits, Hooks, Installations, Invoker, Preloader, Releases, Timers};
use crate::ports::{Cache, Plugins, Store};
use crate::pricing::{
    AccessCodes, CodeGuesses, DisplayedPricing, PricingRules, PricingSettings, Promotions, Quotes,
};
use crate::secret::{Sealer, SecretKey};
use crate::tenancy::key::KeyHasher;
use crate::tenancy::{Authenticator, Keys, Tenants};
use crate::time::Timestamp;
use crate::tracker::{Comments, Issues, Links, Projects, Users};

mod background;
mod readiness;
mod tenant_work;

use self::readiness::Readiness;

/// Limits that an operator sets.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long facts are kept.
    pub retention: Retention,
    /// The sizes of components.
    pub components: ComponentLimits,
    /// How prices are made.
    pub pricing: PricingSettings,
    /// How old displayed prices may be. Zero: each request computes them.
    pub price_interval: Duration,
}

/// All services.
#[derive(Clone)]
pub struct App {
    /// Authentication of callers.
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
    pub series: SeriesService,
    /// Events.
    pub events: Events,
    /// Ticket types.
    pub ticket_types: TicketTypes,
    /// Checks of availability.
    pub availability: Availability,
    /// Streams of availability.
    pub availability_streams: AvailabilityStreams,
    /// Pools, locks and seats.
    pub supplies: Supplies,
    /// Pricing rules.
    pub pricing_rules: PricingRules,
    /// Promotions and their codes.
    pub promotions: Promotions,
    /// Quotes.
    pub quotes: Quotes,
    /// Displayed prices.
    pub displayed_pricing: DisplayedPricing,
    /// Reservations.
    pub reservations: Reservations,
    /// Hold rules of tenants.
    pub hold_rules: HoldRulesService,
    /// Tickets.
    pub tickets: Tickets,
    /// Signing keys and ticket codes.
    pub codes: Codes,
    /// Check-ins.
    pub door: Door,
    /// Bookings and queues.
    pub bookings: Bookings,
    /// Facts.
    pub facts: Facts,
    queue_worker: QueueWorker,
    /// Signalled after each change of a queue.
    queue_changed: Arc<Notify>,
    preloader: Arc<Preloader>,
    readiness: Arc<Readiness>,
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
}

impl App {
    /// Builds the services.
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
        let reads = Arc::new(CachedReads::new(Arc::clone(&store), cache));
        let feed = Feed::open(Arc::clone(&store), Arc::clone(&reads)).await?;
        let invoker = Arc::new(Invoker::new(Arc::clone(&store), Arc::clone(&plugins)));
        let hooks = Hooks::new(Arc::clone(&store), Arc::clone(&reads), Arc::clone(&invoker));
        let commands = Commands::new(Arc::clone(&store), Arc::clone(&feed), hooks);
        let hasher = KeyHasher::new(secret);
        let codes = Codes::new(Arc::clone(&store), commands.clone(), Sealer::new(secret));
        let tickets = Tickets::new(Arc::clone(&store), commands.clone(), codes.clone());
        let guesses = Arc::<CodeGuesses>::default();
        let quotes = Quotes::new(
            Arc::clone(&store),
            Arc::clone(&reads),
            commands.clone(),
            limits.pricing,
            Arc::clone(&guesses),
        );
        let reservations = Reservations::new(
            Arc::clone(&store),
            commands.clone(),
            EventBatcher::new(Arc::clone(&store), Arc::clone(&feed)),
            tickets.clone(),
            quotes.clone(),
        );
        let access_codes = AccessCodes::new(Arc::clone(&store), guesses, limits.pricing.discounts);
        let queue_changed = Arc::new(Notify::new());
        Ok(Self {
            auth: Arc::new(Authenticator::new(Arc::clone(&store), Arc::clone(&reads), hasher.clone())),
            tenants: Tenants::new(Arc::clone(&store), Arc::clone(&reads), commands.clone()),
            keys: Keys::new(Arc::clone(&store), commands.clone(), hasher),
            users: Users::new(Arc::clone(&store), commands.clone()),
            projects: Projects::new(Arc::clone(&store), Arc::clone(&reads), commands.clone()),
            issues: Issues::new(Arc::clone(&store), reads, commands.clone()),
            comments: Comments::new(Arc::clone(&store), commands.clone()),
            links: Links::new(Arc::clone(&store), commands.clone()),
            releases: Releases::new(Arc::clone(&store), plugins, commands.clone(), limits.components),
            installations: Installations::new(Arc::clone(&store), commands.clone(), limits.pricing.dynamic),
            timers: Timers::new(Arc::clone(&store), commands.clone()),
            venues: Venues::new(Arc::clone(&store), commands.clone()),
            series: SeriesService::new(Arc::clone(&store), commands.clone()),
            events: Events::new(Arc::clone(&store), commands.clone()),
            ticket_types: TicketTypes::new(Arc::clone(&store), commands.clone(), access_codes.clone()),
            availability: Availability::new(Arc::clone(&store), access_codes.clone()),
            availability_streams: AvailabilityStreams::new(
                Arc::clone(&store),
                Arc::clone(&feed),
                access_codes.clone(),
            ),
            supplies: Supplies::new(Arc::clone(&store), commands.clone(), access_codes),
            bookings: Bookings::new(Arc::clone(&store), commands.clone(), Arc::clone(&queue_changed)),
            queue_worker: QueueWorker::new(Arc::clone(&store), commands.clone(), reservations.clone()),
            queue_changed,
            pricing_rules: PricingRules::new(Arc::clone(&store), commands.clone(), limits.pricing),
            promotions: Promotions::new(Arc::clone(&store), commands.clone()),
            displayed_pricing: DisplayedPricing::new(
                Arc::clone(&store),
                commands.clone(),
                quotes.clone(),
                limits.price_interval,
            ),
            quotes,
            reservations,
            hold_rules: HoldRulesService::new(Arc::clone(&store), commands.clone()),
            tickets,
            door: Door::new(Arc::clone(&store), commands, codes.clone()),
            codes,
            preloader: Arc::new(Preloader::new(Arc::clone(&store), Arc::clone(&feed), invoker)),
            facts: Facts::new(Arc::clone(&store), Arc::clone(&feed), limits.retention),
            readiness: Arc::default(),
            store,
            feed,
        })
    }

    /// Reads the store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// Returns whether the host can do its work.
    pub async fn is_ready(&self) -> bool {
        self.readiness.check(self.store.ping()).await
    }

    /// Finishes pending writes and closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }
}
