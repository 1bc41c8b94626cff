//! An event with ticket types to reserve from, and the invariants of its rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tessera_core::admission::{Ticket, ticket};
use tessera_core::catalog::{Event, EventStatus, TicketType, TypeStatus, WriteEvent, WriteTicketType};
use tessera_core::id::{EventId, PoolId, ReservationId, SeatId, TenantId, TicketId, TicketTypeId};
use tessera_core::inventory::HoldRules;
use tessera_core::inventory::job::{Reserve, ReserveLine};
use tessera_core::inventory::reservation::{MAX_PAGE, SPEC};
use tessera_core::inventory::{
    Command, Counts, Job, JobOutcome, Pool, PoolSort, Reservation, ReservationState, Seat,
};
use tessera_core::value::Money;
use tessera_core::{IfVersion, Result};

use crate::world::{World, all, page};

/// An event on sale.
#[derive(Clone)]
pub(crate) struct BoxOffice {
    pub(crate) world: World,
    pub(crate) tenant: TenantId,
    pub(crate) event: Event,
}

/// Sets the hold rules of an event.
pub(crate) fn hold(text: &mut WriteEvent, rules: HoldRules) {
    (text.hold_seconds, text.hold_min_seconds, text.hold_max_seconds) = (rules.default, rules.min, rules.max);
}

impl BoxOffice {
    pub(crate) async fn open(
        world: World,
        capacity: Option<u64>,
        change: impl FnOnce(&mut WriteEvent),
    ) -> Self {
        let tenant = world.tenant(&format!("acme-{}", TenantId::generate())).await;
        let now = world.store.now();
        let mut text = WriteEvent {
            title: "A night".into(),
            description: String::new(),
            category: "music".into(),
            venue: None,
            series: None,
            starts_at: now.plus(Duration::from_secs(86_400)),
            ends_at: now.plus(Duration::from_secs(90_000)),
            time_zone: Some("UTC".into()),
            status: EventStatus::Active,
            featured: false,
            image_url: None,
            capacity,
            hold_seconds: None,
            hold_min_seconds: None,
            hold_max_seconds: None,
            buyer_limit: None,
            reentry: false,
        };
        change(&mut text);
        let event = Event {
            id: EventId::generate(),
            attributes: text,
            reentry_switches: Vec::new(),
            used: 0,
            created_by: "system".into(),
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let pool =
            Pool::new(event.id, (PoolSort::Event, event.id.into()), "event", now).with_capacity(capacity);
        let fact = world.fact(tenant, "event.created", &event).in_event(event.id);
        world.store(world.change(tenant).insert(event.clone()).insert(pool).fact(fact)).await;
        Self { world, tenant, event }
    }

    /// Creates a pool that several ticket types share.
    pub(crate) async fn shared(&self, capacity: u64) -> PoolId {
        let pool = Pool::new(
            self.event.id,
            (PoolSort::Shared, PoolId::generate()),
            "shared",
            self.world.store.now(),
        );
        let id = pool.id;
        let fact = self.world.fact(self.tenant, "pool.created", &pool);
        let changeset = self.world.change(self.tenant).insert(pool.with_capacity(Some(capacity))).fact(fact);
        self.world.store(changeset).await;
        id
    }

    pub(crate) async fn ticket_type(&self, quantity: Option<u64>, pools: &[PoolId]) -> TicketTypeId {
        self.ticket_type_with(quantity, pools, false).await
    }

    pub(crate) async fn ticket_type_with(
        &self,
        quantity: Option<u64>,
        pools: &[PoolId],
        seated: bool,
    ) -> TicketTypeId {
        let now = self.world.store.now();
        let ticket_type = TicketType {
            id: TicketTypeId::generate(),
            event: self.event.id,
            attributes: WriteTicketType {
                name: "standing".into(),
                description: String::new(),
                price: Money { amount: 1_250, currency: "EUR".into() },
                category_prices: BTreeMap::new(),
                min_per_purchase: 1,
                max_per_purchase: 50,
                valid_from: None,
                valid_until: None,
                status: TypeStatus::Active,
                metadata: BTreeMap::new(),
                quantity,
                pools: pools.to_vec(),
                hidden: false,
            },
            seated,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let pool = Pool::new(self.event.id, (PoolSort::Type, ticket_type.id.into()), "standing", now);
        let fact = self.world.fact(self.tenant, "ticket_type.created", &ticket_type);
        let changeset =
            self.world.change(self.tenant).insert(ticket_type.clone()).insert(pool.with_capacity(quantity));
        self.world.store(changeset.fact(fact)).await;
        ticket_type.id
    }

    pub(crate) fn job(&self, command: Command) -> Arc<Job> {
        Arc::new(Job::new(&self.world.ctx(self.tenant), command, None))
    }

    pub(crate) fn reserve(&self, buyer: &str, lines: &[(TicketTypeId, usize)]) -> Arc<Job> {
        self.job(reserve(buyer, lines, None))
    }

    pub(crate) async fn batch(&self, jobs: &[Arc<Job>]) -> Vec<Result<JobOutcome>> {
        self.world.store.run_batch(self.tenant, self.event.id, jobs).await.unwrap().outcomes
    }

    pub(crate) async fn run(&self, job: Arc<Job>) -> Result<Reservation> {
        done(self.batch(&[job]).await.pop().unwrap())
    }

    pub(crate) async fn confirm(&self, id: ReservationId) -> Result<Reservation> {
        let command =
            Command::Confirm { id, payment_reference: "paid".into(), if_version: IfVersion::default() };
        self.run(self.job(command)).await
    }

    pub(crate) async fn release(&self, id: ReservationId, units: &[TicketId]) -> Result<Reservation> {
        self.run(self.job(Command::Release { id, units: units.to_vec(), if_version: IfVersion::default() }))
            .await
    }

    pub(crate) async fn extend(&self, id: ReservationId, seconds: Option<u32>) -> Result<Reservation> {
        self.run(self.job(Command::Extend { id, seconds, if_version: IfVersion::default() })).await
    }

    /// Waits until a hold has expired by the clocks of the store and of the database, which differ by less than the margin.
    pub(crate) async fn wait_for_end(&self, reservation: &Reservation) {
        self.world.wait_until(reservation.expires_at.plus(Duration::from_millis(250))).await;
    }

    /// Returns the counts of a pool.
    pub(crate) async fn counts(&self, pool: impl Into<PoolId>) -> Counts {
        self.world.store.pool(self.tenant, self.event.id, pool.into()).await.unwrap().unwrap().counts
    }

    pub(crate) async fn reservations(&self) -> Vec<Reservation> {
        all(page(&SPEC, MAX_PAGE, ""), |request| {
            let (store, tenant) = (self.world.store.clone(), self.tenant);
            async move { store.reservations(tenant, &request).await }
        })
        .await
    }

    /// Returns all valid tickets.
    pub(crate) async fn tickets(&self) -> Vec<Ticket> {
        let mut request = page(&ticket::SPEC, ticket::MAX_PAGE, "");
        request.filter = self.world.filter(self.tenant, &ticket::SPEC, "state:valid");
        all(request, |request| {
            let (store, tenant) = (self.world.store.clone(), self.tenant);
            async move { store.tickets(tenant, &request).await }
        })
        .await
    }

    /// Asserts that every pool counts the held and sold units of the reservations, within its capacity.
    pub(crate) async fn check(&self) {
        let mut expected: BTreeMap<PoolId, Counts> = BTreeMap::new();
        for reservation in self.reservations().await {
            for unit in &reservation.units {
                for pool in &reservation.lines[unit.line].pools {
                    let counts = expected.entry(*pool).or_default();
                    match reservation.state {
                        ReservationState::Held => counts.held += 1,
                        ReservationState::Confirmed => counts.sold += 1,
                        state => panic!("a reservation that is {} has units", state.name()),
                    }
                }
            }
        }
        let mut admitted: Vec<_> = self.tickets().await.into_iter().map(|ticket| ticket.id).collect();
        let confirmed = |reservation: &&Reservation| reservation.state == ReservationState::Confirmed;
        let reservations = self.reservations().await;
        let units = reservations.iter().filter(confirmed).flat_map(|reservation| &reservation.units);
        let mut sold: Vec<_> = units.map(|unit| unit.id).collect();
        admitted.sort_unstable();
        sold.sort_unstable();
        assert_eq!(admitted, sold, "one ticket for each sold unit");
        for pool in self.world.store.pools(self.tenant, &[self.event.id]).await.unwrap() {
            let counts = Counts { locked: 0, ..pool.counts };
            assert_eq!(counts, expected.get(&pool.id).copied().unwrap_or_default(), "{pool:?}");
            assert!(pool.capacity.is_none_or(|capacity| pool.counts.used() <= capacity), "{pool:?}");
        }
    }
}

pub(crate) fn reserve(buyer: &str, lines: &[(TicketTypeId, usize)], seconds: Option<u32>) -> Command {
    let line = |(ticket_type, units): &(TicketTypeId, usize)| ReserveLine {
        ticket_type: *ticket_type,
        units: (0..*units).map(|_| TicketId::generate()).collect(),
        seats: Vec::new(),
        category: String::new(),
    };
    let lines = lines.iter().map(line).collect();
    let id = ReservationId::generate();
    let buyer = buyer.into();
    Command::Reserve(Reserve { id, buyer, lines, seconds, quote: None, quote_is_stored: false })
}

pub(crate) fn done(verdict: Result<JobOutcome>) -> Result<Reservation> {
    match verdict? {
        JobOutcome::Done(reservation) => Ok(*reservation),
        other => panic!("{other:?}"),
    }
}

/// Creates a row of seats.
pub(crate) fn seats(event: EventId, ticket_type: TicketTypeId, row: &str, count: u32) -> Vec<Seat> {
    let seat = |number| Seat {
        id: SeatId::generate(),
        event,
        ticket_type,
        row: row.into(),
        number,
        label: format!("{row}{number}"),
        unit: None,
    };
    (1..=count).map(seat).collect()
}
