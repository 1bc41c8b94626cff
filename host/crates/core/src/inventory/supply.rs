//! What admins do with supply: pools, their capacities, units that are out of sale, seats.
//!
//! Each is one changeset that takes the pool's lock itself: they are rare, and need not wait in the event's queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::access::{ObjectKind, Operation};
use crate::catalog::TicketType;
use crate::catalog::ticket_types::resized;
use crate::changeset::{Changeset, Write};
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, LockId, PoolId, SeatId, TenantId, TicketTypeId};
use crate::inventory::pool::{MAX_CAPACITY, MAX_POOLS};
use crate::inventory::seat::MAX_SEATS;
use crate::inventory::{Lock, Pool, PoolSort, Seat};
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Change, Value, diff};

/// The most seats of one import.
pub const MAX_IMPORT: usize = 5_000;

/// The largest page of seats.
pub const MAX_PAGE: u32 = 1_000;

/// How many locks are ended at once.
const LOCKS: u32 = 100;

/// How long the end of a lock may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// What makes a shared pool.
#[derive(Clone, Hash, Debug)]
pub struct CreatePool {
    /// Its name.
    pub name: String,
    /// How many units it has.
    pub capacity: u64,
}

/// Units that are to be taken out of sale.
#[derive(Clone, Hash, Debug)]
pub struct CreateLock {
    /// The pool.
    pub pool: PoolId,
    /// How many units.
    pub quantity: u64,
    /// Why.
    pub reason: String,
    /// When they come back by themselves; none: when somebody gives them back.
    pub until: Option<Timestamp>,
}

/// A seat that is to be made.
#[derive(Clone, Hash, Debug)]
pub struct CreateSeat {
    /// The row in which it stands.
    pub row: String,
    /// Its number in the row.
    pub number: u32,
    /// What it says on it; none: row and number.
    pub label: Option<String>,
}

/// Carries out what is done with supply.
#[derive(Clone)]
pub struct Supplies {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Supplies {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// How much of each pool of an event is held, sold, locked and free.
    pub async fn levels(&self, ctx: &Ctx, event: EventId) -> Result<Vec<Pool>> {
        ctx.allow(Operation::InventoryGet)?;
        self.check_event(ctx, event).await?;
        self.store.pools(ctx.tenant, event).await
    }

    /// Makes a pool that several ticket types may draw on.
    pub async fn create_pool(&self, ctx: &Ctx, event: EventId, command: CreatePool) -> Result<Pool> {
        let decide = || async {
            let held = self.store.event(ctx.tenant, event).await?;
            let held = held.ok_or_else(|| Error::not_found("event"))?;
            let shared = self.store.pools(ctx.tenant, event).await?;
            if shared.iter().filter(|pool| pool.sort == PoolSort::Shared).count() >= MAX_POOLS {
                let message = format!("the event has {MAX_POOLS} shared pools, and may have no more");
                return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
            }
            let id = (PoolSort::Shared, PoolId::generate());
            let pool = Pool::new(event, id, &command.name, ctx.now).holding(Some(command.capacity));
            let mut faults = Faults::default();
            pool.check(&mut faults);
            faults.into_result()?;
            let fact = pool_fact(ctx, "pool.created", None, &pool);
            Ok(Decision::change(Changeset::new(ctx).expect(&held).fact(fact).insert(pool.clone()), pool))
        };
        self.commands.run(ctx, Operation::PoolCreate, &(event, &command), decide).await
    }

    /// Gives pools other capacities, all or none, never below what is held, sold and locked. The capacity of an
    /// event's and of a type's own pool is changed here, too.
    pub async fn update(
        &self,
        ctx: &Ctx,
        event: EventId,
        capacities: BTreeMap<PoolId, Option<u64>>,
    ) -> Result<Vec<Pool>> {
        if capacities.is_empty() {
            return Err(Error::invalid("pools", "is empty; name at least one"));
        }
        let decide = || async {
            self.check_event(ctx, event).await?;
            let mut changeset = Changeset::new(ctx);
            for (id, capacity) in &capacities {
                let pool = self.pool(ctx, event, *id).await?;
                if pool.sort == PoolSort::Type {
                    self.check_unseated(ctx, *id).await?;
                }
                if pool.sort == PoolSort::Shared && capacity.is_none() {
                    return Err(Error::invalid("capacity", "must be given for a shared pool"));
                }
                let mut faults = Faults::default();
                pool.clone().holding(*capacity).check(&mut faults);
                faults.into_result()?;
                if pool.capacity != *capacity {
                    changeset = resized(ctx, changeset, pool, ("capacity", *capacity))?;
                }
            }
            if changeset.is_empty() {
                return Ok(Decision::nothing(()));
            }
            Ok(Decision::change(changeset, ()))
        };
        self.commands.run(ctx, Operation::InventoryUpdate, &(event, &capacities), decide).await?;
        self.store.pools(ctx.tenant, event).await
    }

    /// Removes a shared pool that no ticket type draws on and from which nothing is taken.
    pub async fn delete_pool(&self, ctx: &Ctx, event: EventId, id: PoolId) -> Result<()> {
        let decide = || async {
            let pool = self.pool(ctx, event, id).await?;
            ctx.check_version(pool.version)?;
            if pool.sort != PoolSort::Shared {
                return Err(Error::invalid(
                    "pool_id",
                    "is an event's or a type's own pool, which goes with it",
                ));
            }
            pool.check_unused("POOL_IN_USE")?;
            let types = self.store.ticket_types(ctx.tenant, event).await?;
            if let Some(held) = types.iter().find(|held| held.text.pools.contains(&id)) {
                let message = format!("the ticket type {:?} draws on the pool", held.text.name);
                return Err(Error::new(ErrorKind::Precondition, "POOL_IN_USE", message));
            }
            let object = ObjectRef { kind: ObjectKind::Pool, id: id.to_string(), version: pool.version + 1 };
            let fact = NewFact::new(ctx, "pool.deleted", object, diff(Some(&pool), None)).in_event(event);
            // Types that are made or changed meanwhile depend on the pool, and fail.
            Ok(Decision::change(Changeset::new(ctx).fact(fact).delete(pool), ()))
        };
        self.commands.run(ctx, Operation::PoolDelete, &(event, id, ctx.if_version), decide).await
    }

    /// Takes units out of sale.
    pub async fn lock(&self, ctx: &Ctx, event: EventId, command: CreateLock) -> Result<Lock> {
        let decide = || async {
            self.check_event(ctx, event).await?;
            let mut faults = Faults::default();
            faults.text("reason", &command.reason, 0, 500);
            if command.quantity == 0 || command.quantity > MAX_CAPACITY {
                let quantity = command.quantity;
                faults.add("quantity", format_args!("is {quantity}; 1 to {MAX_CAPACITY} are allowed"));
            }
            if command.until.is_some_and(|until| until <= ctx.now) {
                faults.add("until", "has passed already");
            }
            faults.into_result()?;
            let pool = self.pool(ctx, event, command.pool).await?;
            if let Some(free) = pool.free()
                && free < command.quantity
            {
                let message = format!(
                    "{} units of {:?} are to be locked, and {free} are left",
                    command.quantity, pool.name
                );
                return Err(Error::new(ErrorKind::Precondition, "INVENTORY_EXHAUSTED", message));
            }
            check_locked(&pool, command.quantity)?;
            let lock = Lock {
                id: LockId::generate(),
                event,
                pool: command.pool,
                quantity: command.quantity,
                reason: command.reason.clone(),
                until: command.until,
                created_at: ctx.now,
                version: 1,
            };
            let fact = NewFact::new(ctx, "inventory.locked", lock_ref(&lock, 1), diff(None, Some(&lock)));
            let changeset = Changeset::new(ctx).fact(fact.in_event(event));
            Ok(Decision::change(changeset.insert(lock.clone()), lock))
        };
        self.commands.run(ctx, Operation::InventoryLock, &(event, &command), decide).await
    }

    /// Gives units back into sale.
    pub async fn unlock(&self, ctx: &Ctx, id: LockId) -> Result<()> {
        let decide = || async {
            let lock = self.store.lock(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("lock"))?;
            let fact = NewFact::new(ctx, "inventory.unlocked", lock_ref(&lock, 2), diff(Some(&lock), None));
            Ok(Decision::change(Changeset::new(ctx).fact(fact.in_event(lock.event)).delete(lock), ()))
        };
        self.commands.run(ctx, Operation::InventoryUnlock, &id, decide).await
    }

    /// Lists an event's units that are out of sale.
    pub async fn locks(&self, ctx: &Ctx, event: EventId) -> Result<Vec<Lock>> {
        ctx.allow(Operation::InventoryLocks)?;
        self.check_event(ctx, event).await?;
        self.store.locks(ctx.tenant, event).await
    }

    /// Gives back what was locked until now; how many locks there were.
    pub async fn end_locks(&self) -> Result<usize> {
        let due = self.store.due_locks(LOCKS).await?;
        for (tenant, lock) in &due {
            match self.unlock(&self.host(*tenant), lock.id).await {
                Ok(()) => {}
                // Somebody gave it back meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(due.len())
    }

    /// Adds seats to a ticket type of which nothing was sold without one; their number is its quantity.
    pub async fn import_seats(
        &self,
        ctx: &Ctx,
        id: TicketTypeId,
        command: Vec<CreateSeat>,
    ) -> Result<TicketType> {
        let decide = || async {
            check_seats(&command)?;
            let before = self.ticket_type(ctx, id).await?;
            ctx.check_version(before.version)?;
            let pool = self.pool(ctx, before.event, PoolId::from(id)).await?;
            if !before.seated {
                pool.check_unused("TICKET_TYPE_HAS_SALES")?;
            }
            let has = if before.seated { pool.capacity.unwrap_or_default() } else { 0 };
            let total = has + command.len() as u64;
            if total > MAX_SEATS as u64 {
                let message = format!("the type would have {total} seats; {MAX_SEATS} are allowed");
                return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
            }
            let seats = command.iter().map(|seat| made(&before, seat)).collect();
            let changeset = Changeset::new(ctx).write(Write::PutSeats(seats));
            self.reseated(ctx, changeset, &before, pool, total)
        };
        self.commands.run(ctx, Operation::SeatImport, &(id, &command, ctx.if_version), decide).await
    }

    /// Removes seats that are free.
    pub async fn delete_seats(&self, ctx: &Ctx, id: TicketTypeId, labels: Vec<String>) -> Result<TicketType> {
        let decide = || async {
            if labels.is_empty() || labels.len() > MAX_IMPORT {
                return Err(Error::invalid(
                    "seats",
                    format!("are {}; 1 to {MAX_IMPORT} are allowed", labels.len()),
                ));
            }
            let before = self.ticket_type(ctx, id).await?;
            ctx.check_version(before.version)?;
            let pool = self.pool(ctx, before.event, PoolId::from(id)).await?;
            let found = self.store.seats_named(ctx.tenant, id, &labels).await?;
            for label in &labels {
                let seat = found.iter().find(|seat| seat.label == *label);
                let seat = seat
                    .ok_or_else(|| Error::invalid("seats", format!("names {label:?}, which is no seat")))?;
                if seat.unit.is_some() {
                    let message = format!("the seat {label:?} is taken");
                    return Err(Error::new(ErrorKind::Precondition, "SEAT_TAKEN", message));
                }
            }
            let total = pool.capacity.unwrap_or_default().saturating_sub(found.len() as u64);
            let ids: Vec<SeatId> = found.iter().map(|seat| seat.id).collect();
            let changeset = Changeset::new(ctx).write(Write::DropSeats(id, ids));
            self.reseated(ctx, changeset, &before, pool, total)
        };
        self.commands.run(ctx, Operation::SeatDelete, &(id, &labels, ctx.if_version), decide).await
    }

    /// Lists a ticket type's seats by row and number; whether each is free is seen.
    pub async fn seats(&self, ctx: &Ctx, id: TicketTypeId, page: &PageRequest) -> Result<Page<Seat>> {
        ctx.allow(Operation::SeatList)?;
        let held = self.store.ticket_type(ctx.tenant, id).await?;
        let held = held.ok_or_else(|| Error::not_found("ticket-type"))?;
        let event = self.store.event(ctx.tenant, held.event).await?;
        if !event.is_some_and(|event| event.is_public() || ctx.is_known()) {
            return Err(Error::not_found("ticket-type"));
        }
        self.store.seats(ctx.tenant, id, page).await
    }

    /// A type whose seats changed, with its pool.
    fn reseated(
        &self,
        ctx: &Ctx,
        changeset: Changeset,
        before: &TicketType,
        pool: Pool,
        total: u64,
    ) -> Result<Decision<TicketType>> {
        let mut after = TicketType { seated: true, version: before.version + 1, ..before.clone() };
        after.text.quantity = Some(total);
        after.updated_at = ctx.now;
        let changes: Vec<Change> = diff(Some(before), Some(&after));
        let object =
            ObjectRef { kind: ObjectKind::TicketType, id: after.id.to_string(), version: after.version };
        let fact = NewFact::new(ctx, "ticket_type.seats_changed", object, changes).in_event(after.event);
        let changeset = resized(ctx, changeset.fact(fact), pool, ("quantity", Some(total)))?;
        Ok(Decision::change(changeset.update(after.clone()), after))
    }

    async fn check_event(&self, ctx: &Ctx, id: EventId) -> Result<()> {
        self.store.event(ctx.tenant, id).await?.map(drop).ok_or_else(|| Error::not_found("event"))
    }

    async fn check_unseated(&self, ctx: &Ctx, id: PoolId) -> Result<()> {
        match self.store.ticket_type(ctx.tenant, TicketTypeId(id.0)).await? {
            Some(held) if held.seated => Err(Error::invalid(
                "capacity",
                "is the number of the type's seats; add or remove seats instead",
            )),
            _ => Ok(()),
        }
    }

    async fn pool(&self, ctx: &Ctx, event: EventId, id: PoolId) -> Result<Pool> {
        self.store.pool(ctx.tenant, event, id).await?.ok_or_else(|| Error::not_found("pool"))
    }

    async fn ticket_type(&self, ctx: &Ctx, id: TicketTypeId) -> Result<TicketType> {
        self.store.ticket_type(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("ticket-type"))
    }

    /// The host itself, in a tenant.
    fn host(&self, tenant: TenantId) -> Ctx {
        let until = std::time::Instant::now() + PATIENCE;
        Ctx::new(tenant, Principal::System, "locks".into(), (self.store.now(), until), Transport::Internal)
    }
}

/// A pool without a capacity has no bound of its own, but what is counted of it has one.
fn check_locked(pool: &Pool, more: u64) -> Result<()> {
    let left = MAX_CAPACITY.saturating_sub(pool.counts.locked);
    if more <= left {
        return Ok(());
    }
    let message = format!(
        "is {more}; {} units of {:?} are locked already, and {left} more can be",
        pool.counts.locked, pool.name
    );
    Err(Error::invalid("quantity", message))
}

fn check_seats(seats: &[CreateSeat]) -> Result<()> {
    let mut faults = Faults::default();
    if seats.is_empty() || seats.len() > MAX_IMPORT {
        faults.add("seats", format_args!("are {}; 1 to {MAX_IMPORT} are allowed at once", seats.len()));
    }
    let (mut labels, mut places) = (BTreeMap::new(), BTreeMap::new());
    for (index, seat) in seats.iter().take(MAX_IMPORT).enumerate() {
        faults.text(&format!("seats[{index}].row"), &seat.row, 1, 20);
        if let Some(label) = &seat.label {
            faults.text(&format!("seats[{index}].label"), label, 1, 50);
        }
        if seat.number == 0 {
            faults.add(&format!("seats[{index}].number"), "is 0; seats are counted from 1");
        }
        let first = labels.insert(label(seat), index).or(places.insert((&seat.row, seat.number), index));
        if let Some(first) = first {
            faults.add(&format!("seats[{index}]"), format_args!("is the same as seats[{first}]"));
        }
    }
    faults.into_result()
}

fn label(seat: &CreateSeat) -> String {
    seat.label.clone().unwrap_or_else(|| format!("{}{}", seat.row, seat.number))
}

fn made(of: &TicketType, seat: &CreateSeat) -> Seat {
    Seat {
        id: SeatId::generate(),
        event: of.event,
        ticket_type: of.id,
        row: seat.row.clone(),
        number: seat.number,
        label: label(seat),
        unit: None,
    }
}

fn lock_ref(lock: &Lock, version: u64) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Lock, id: lock.id.to_string(), version }
}

fn pool_fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Pool>, after: &Pool) -> NewFact {
    let object = ObjectRef { kind: ObjectKind::Pool, id: after.id.to_string(), version: after.version };
    let mut changes = diff(before, Some(after));
    changes.retain(|change| change.after != Value::None || before.is_some());
    NewFact::new(ctx, fact_type, object, changes).in_event(after.event)
}
