//! The service of promotions and their codes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::{ObjectKind, Operation};
use crate::catalog::EventStatus;
use crate::changeset::{Changeset, Guard, Write};
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::fair::WorkLimiter;
use crate::filter::Filter;
use crate::id::{EventId, PromotionId, TenantId, TicketTypeId};
use crate::inventory::locks::check_lock;
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::pricing::NewCodes;
use crate::pricing::promotion::{
    ChangePromotion, KeptUnits, MAX_CODES, MAX_NEW_CODES, MAX_PROMOTIONS, MAX_TENANT_CODES, Promotion,
    PromotionCode, SPEC, WritePromotion, canonical,
};
use crate::pricing::rules::check_references;
use crate::time::Timestamp;
use crate::value::{Change, Value, diff};

/// How many codes are looked up at once, and how many are listed at once.
const LOOK_UP: usize = 1_000;
const LISTED: u32 = 10_000;

/// How many codes of a tenant have their units freed in one round, and how long each promotion may take. Each code may be
/// for another event, and each event gets a fact.
const MAX_FREED: u32 = 500;
const FREE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many rows of deleted promotions one transaction purges.
const MAX_PURGED: u32 = 1_000;

/// Creates, reads, changes and deletes promotions and their codes.
#[derive(Clone)]
pub struct Promotions {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Promotions {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Creates a promotion with its first codes, if some are named.
    pub async fn create(&self, ctx: &Ctx, command: WritePromotion, codes: Vec<String>) -> Result<Promotion> {
        let codes = NewCodes::named(codes);
        let decide = || async {
            command.check()?;
            let named = if codes.codes.is_empty() { BTreeSet::new() } else { codes.check()? };
            check_references(&*self.store, ctx.tenant, command.event, &command.named_types()).await?;
            self.check_unused(ctx, &named).await?;
            let most = u32::try_from(MAX_PROMOTIONS).unwrap_or(u32::MAX);
            if self.store.count_promotions(ctx.tenant, most).await? >= most {
                let message = format!(
                    "the tenant has {MAX_PROMOTIONS} promotions, with deleted ones that are not purged yet, \
                     and may have no more"
                );
                return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
            }
            let promotion = Promotion {
                id: PromotionId::generate(),
                attributes: command.clone(),
                codes: codes.number(),
                uses: 0,
                created_at: ctx.now,
                updated_at: ctx.now,
                version: 1,
            };
            let fact = fact(ctx, "promotion.created", None, &promotion);
            let changeset = Changeset::new(ctx).guard(Guard::FewerPromotions(MAX_PROMOTIONS)).fact(fact);
            let mut changeset = changeset.insert(promotion.clone());
            if !named.is_empty() {
                self.check_total(ctx, codes.number()).await?;
                changeset = changeset.guard(Guard::CodesAtMost(MAX_TENANT_CODES));
                changeset = changeset.write(create_codes(ctx, promotion.id, named, None));
            }
            Ok(Decision::change(changeset, promotion))
        };
        self.commands.run(ctx, Operation::PromotionCreate, &(&command, &codes), decide).await
    }

    /// Returns a promotion.
    pub async fn get(&self, ctx: &Ctx, id: PromotionId) -> Result<Promotion> {
        ctx.allow(Operation::PromotionGet)?;
        self.found(ctx, id).await
    }

    /// Returns a page of promotions.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Promotion>> {
        ctx.allow(Operation::PromotionList)?;
        self.store.promotion_page(ctx.tenant, page).await
    }

    /// Changes a promotion. The prices of quotes and reservations stay as they are.
    pub async fn update(&self, ctx: &Ctx, id: PromotionId, command: ChangePromotion) -> Result<Promotion> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let attributes = command.clone().apply_to(&before.attributes);
            let mut after = Promotion { attributes, ..before.clone() };
            after.attributes.check()?;
            let (old, new) = (&before.attributes, &after.attributes);
            // A promotion whose ticket type was deleted can still be disabled.
            if (new.event, new.named_types()) != (old.event, old.named_types()) {
                check_references(&*self.store, ctx.tenant, new.event, &new.named_types()).await?;
            }
            if new.event != old.event
                && let Some(event) = new.event
            {
                self.check_kept_in(ctx, id, event).await?;
            }
            if after == before {
                return Ok(Decision::nothing(after));
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let fact = fact(ctx, "promotion.updated", Some(&before), &after);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(after.clone()), after))
        };
        self.commands.run(ctx, Operation::PromotionUpdate, &(id, &command, &ctx.if_version), decide).await
    }

    /// Deletes a promotion with its codes, and frees the units that they keep. Reservations keep their prices. The rows are
    /// purged later, in slices.
    pub async fn delete(&self, ctx: &Ctx, id: PromotionId) -> Result<()> {
        let decide = || async {
            let promotion = self.found(ctx, id).await?;
            ctx.check_version(promotion.version)?;
            let most = u32::try_from(MAX_NEW_CODES).unwrap_or(u32::MAX);
            let kept = self.store.keeping_codes(ctx.tenant, id, most.saturating_add(1)).await?;
            if kept.len() > MAX_NEW_CODES {
                let message = format!(
                    "more than {MAX_NEW_CODES} codes of the promotion keep units; disable it, wait until the \
                     host has freed them, and delete it then"
                );
                return Err(Error::new(ErrorKind::Precondition, "PROMOTION_KEEPS_UNITS", message));
            }
            let object = object(&promotion, promotion.version + 1);
            let fact = NewFact::new(ctx, "promotion.deleted", object.clone(), diff(Some(&promotion), None));
            let changeset = free_units(ctx, Changeset::new(ctx).fact(fact), &object, kept);
            Ok(Decision::change(changeset.delete(promotion), ()))
        };
        self.commands.run(ctx, Operation::PromotionDelete, &(id, &ctx.if_version), decide).await
    }

    /// Creates codes of a promotion. Returns it, and the number of the codes.
    pub async fn create_codes(
        &self,
        ctx: &Ctx,
        id: PromotionId,
        command: NewCodes,
    ) -> Result<(Promotion, u32)> {
        let number = command.number();
        let decide = || async {
            let named = command.check()?;
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let codes = before.codes.saturating_add(number);
            if codes > MAX_CODES {
                let has = before.codes;
                let message =
                    format!("the promotion has {has} codes; with {number} more it would exceed {MAX_CODES}");
                return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
            }
            self.check_total(ctx, number).await?;
            self.check_unused(ctx, &named).await?;
            let texts = if named.is_empty() { command.make_random()? } else { named };
            let after =
                Promotion { codes, updated_at: ctx.now, version: before.version + 1, ..before.clone() };
            let mut fact = fact(ctx, "promotion.codes_created", Some(&before), &after);
            let guard = Guard::CodesAtMost(MAX_TENANT_CODES);
            let (mut changeset, mut kept) = (Changeset::new(ctx).guard(guard), None);
            if let Some(units) = command.kept {
                let (depending, units) = self.keep(ctx, changeset, &before, (units, number)).await?;
                fact = kept_fact(fact, &units);
                (changeset, kept) = (depending, Some(units));
            }
            let changeset = changeset.fact(fact).update(after.clone());
            Ok(Decision::change(changeset.write(create_codes(ctx, id, texts, kept.as_ref())), after))
        };
        let command_key = (id, &command, &ctx.if_version);
        let promotion = self.commands.run(ctx, Operation::PromotionCodeCreate, &command_key, decide).await?;
        Ok((promotion, number))
    }

    /// Returns a page of a promotion's codes.
    pub async fn codes(&self, ctx: &Ctx, id: PromotionId, page: &PageRequest) -> Result<Page<PromotionCode>> {
        ctx.allow(Operation::PromotionCodeList)?;
        self.found(ctx, id).await?;
        self.store.promotion_code_page(ctx.tenant, id, page).await
    }

    /// Deletes a code, in upper or lower case, and frees the units that it keeps.
    pub async fn delete_code(&self, ctx: &Ctx, id: PromotionId, code: &str) -> Result<()> {
        let unknown = || Error::not_found("promotion code");
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let text = canonical(code).ok_or_else(unknown)?;
            let found = self.store.promotion_codes(ctx.tenant, &[text]).await?;
            let code = found.into_iter().map(|(code, _)| code).find(|code| code.promotion == id);
            let code = code.ok_or_else(unknown)?;
            let after = Promotion {
                codes: before.codes.saturating_sub(1),
                updated_at: ctx.now,
                version: before.version + 1,
                ..before.clone()
            };
            let mut fact = fact(ctx, "promotion.code_deleted", Some(&before), &after);
            let text = Value::Text(code.code.clone());
            fact.changes.push(Change { field: "code".into(), before: text, after: Value::None });
            let deletion = Write::DeleteCode(id, code.code.clone());
            let kept = if code.kept.is_some() { vec![code] } else { Vec::new() };
            let changeset = Changeset::new(ctx).fact(fact).update(after.clone());
            let changeset = free_units(ctx, changeset, &object(&after, after.version), kept);
            Ok(Decision::change(changeset.write(deletion), ()))
        };
        self.commands.run(ctx, Operation::PromotionCodeDelete, &(id, code, &ctx.if_version), decide).await
    }

    /// Purges a slice of a tenant's deleted promotions. Returns whether there may be more.
    pub async fn purge(&self, tenant: TenantId, limiter: &WorkLimiter) -> Result<bool> {
        let purge = |limit| async move {
            let purged = self.store.purge_promotions(tenant, limit).await;
            if let Err(error) = &purged {
                tracing::warn!(?error, %tenant, "deleted promotions not purged; retrying");
            }
            purged.is_ok_and(|rows| rows > 0)
        };
        Ok(limiter.for_each(tenant, vec![MAX_PURGED], purge).await > 0)
    }

    /// Frees units that codes of a tenant still keep although their promotion has ended or is disabled, or the event was
    /// cancelled. Returns whether there may be more.
    pub async fn end_kept(&self, tenant: TenantId, limiter: &WorkLimiter) -> Result<bool> {
        let mut codes: BTreeMap<PromotionId, Vec<PromotionCode>> = BTreeMap::new();
        for code in self.store.ended_kept_codes(tenant, MAX_FREED).await? {
            codes.entry(code.promotion).or_default().push(code);
        }
        let free = |(id, codes): (PromotionId, Vec<PromotionCode>)| async move {
            let freed = self.free_ended(&system_ctx(tenant, self.store.now()), id, &codes).await;
            if let Err(error) = &freed {
                tracing::warn!(?error, promotion = %id, "kept units not freed; retrying");
            }
            freed.is_ok()
        };
        Ok(limiter.for_each(tenant, codes.into_iter().collect(), free).await > 0)
    }

    async fn free_ended(&self, ctx: &Ctx, id: PromotionId, codes: &[PromotionCode]) -> Result<()> {
        let decide = || async {
            // A deleted promotion keeps no units.
            let Some(promotion) = self.store.promotion(ctx.tenant, id).await? else {
                return Ok(Decision::nothing(()));
            };
            let mut codes = codes.to_vec();
            if promotion.may_keep_units(ctx.now) {
                // It was enabled meanwhile, or some of its events were cancelled, which is final.
                let cancelled = self.cancelled_events(ctx, &codes).await?;
                codes.retain(|code| code.kept.as_ref().is_some_and(|kept| cancelled.contains(&kept.event)));
            }
            if codes.is_empty() {
                return Ok(Decision::nothing(()));
            }
            let object = object(&promotion, promotion.version);
            let changeset = Changeset::new(ctx).expect(&promotion);
            Ok(Decision::change(free_units(ctx, changeset, &object, codes), ()))
        };
        self.commands.run(ctx, Operation::PromotionUpdate, &id, decide).await
    }

    /// Returns those of the events of which codes keep units that were cancelled.
    async fn cancelled_events(&self, ctx: &Ctx, codes: &[PromotionCode]) -> Result<BTreeSet<EventId>> {
        let kept = codes.iter().filter_map(|code| code.kept.as_ref());
        let mut cancelled = BTreeSet::new();
        for id in kept.map(|kept| kept.event).collect::<BTreeSet<_>>() {
            let event = self.store.event(ctx.tenant, id).await?;
            if event.is_some_and(|event| event.attributes.status == EventStatus::Cancelled) {
                cancelled.insert(id);
            }
        }
        Ok(cancelled)
    }

    /// Returns what each new code of a promotion keeps, and adds what that depends on to the changeset.
    async fn keep(
        &self,
        ctx: &Ctx,
        changeset: Changeset,
        promotion: &Promotion,
        ((id, units), codes): ((TicketTypeId, u32), u32),
    ) -> Result<(Changeset, KeptUnits)> {
        let field = "kept_ticket_type_id";
        if !promotion.may_keep_units(ctx.now) {
            let message =
                "must be absent: the promotion is disabled or has ended, so its codes keep no units";
            return Err(Error::invalid(field, message));
        }
        let attributes = &promotion.attributes;
        let ticket_type = self.store.ticket_type(ctx.tenant, id).await?.filter(|ticket_type| {
            attributes.event.is_none_or(|event| event == ticket_type.event)
                && (attributes.ticket_types.is_empty() || attributes.ticket_types.contains(&id))
        });
        let unknown = || Error::invalid(field, "is not a ticket type that the promotion is for");
        let ticket_type = ticket_type.ok_or_else(unknown)?;
        let event = self.store.event(ctx.tenant, ticket_type.event).await?.ok_or_else(unknown)?;
        if event.attributes.status.is_final() {
            let status = event.attributes.status.name();
            let message =
                format!("is of an event that is {status}; name a ticket type of a draft or active event");
            return Err(Error::invalid(field, message));
        }
        let (pools, all_units) = (ticket_type.all_pools(), u64::from(units) * u64::from(codes));
        for pool in self.store.pools(ctx.tenant, &[event.id]).await? {
            if pools.contains(&pool.id) {
                check_lock(&pool, "kept_units", all_units)?;
            }
        }
        // The units are locked in the pools that the ticket type has now.
        let changeset = changeset.expect(&event).expect(&ticket_type);
        Ok((changeset, KeptUnits { ticket_type: id, event: event.id, pools, units }))
    }

    /// Refuses more codes than a tenant may have.
    async fn check_total(&self, ctx: &Ctx, new: u32) -> Result<()> {
        let has = self.store.count_codes(ctx.tenant).await?;
        if has.saturating_add(new) <= MAX_TENANT_CODES {
            return Ok(());
        }
        let message = format!(
            "the tenant's promotions have {has} codes, with those of deleted promotions that are not purged \
             yet; with {new} more they would exceed {MAX_TENANT_CODES}"
        );
        Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message))
    }

    /// Refuses codes that exist already. One that is created meanwhile makes the commit stale.
    async fn check_unused(&self, ctx: &Ctx, named: &BTreeSet<String>) -> Result<()> {
        let named: Vec<_> = named.iter().cloned().collect();
        for some in named.chunks(LOOK_UP) {
            let existing = self.store.promotion_codes(ctx.tenant, some).await?;
            if let Some((code, _)) = existing.first() {
                let message = format!("the code {:?} exists already; choose another one", code.code);
                return Err(Error::exists("promotion code", message));
            }
        }
        Ok(())
    }

    /// Refuses to move a promotion to an event while its codes keep units of another one: they would be deleted with the
    /// wrong event.
    async fn check_kept_in(&self, ctx: &Ctx, id: PromotionId, event: EventId) -> Result<()> {
        let kept = self.keeping_codes(ctx, id).await?;
        let outside = |code: &&PromotionCode| code.kept.as_ref().is_some_and(|kept| kept.event != event);
        let Some(code) = kept.iter().find(outside) else { return Ok(()) };
        let code = &code.code;
        let message =
            format!("cannot change: the code {code:?} keeps units of another event; delete the code first");
        Err(Error::new(ErrorKind::Precondition, "PROMOTION_KEEPS_UNITS", "").at("event_id", message))
    }

    /// Returns a promotion's codes that keep units, or that do so again when a reservation is released.
    async fn keeping_codes(&self, ctx: &Ctx, id: PromotionId) -> Result<Vec<PromotionCode>> {
        let (filter, order) = (Filter::default(), SPEC.order("")?);
        let mut request = PageRequest { size: LISTED, after: None, filter, order };
        let mut kept = Vec::new();
        loop {
            let Page { items, next } = self.store.promotion_code_page(ctx.tenant, id, &request).await?;
            kept.extend(items.into_iter().filter(|code| code.kept.is_some()));
            if next.is_none() {
                return Ok(kept);
            }
            request.after = next;
        }
    }

    async fn found(&self, ctx: &Ctx, id: PromotionId) -> Result<Promotion> {
        let promotion = self.store.promotion(ctx.tenant, id).await?;
        promotion.ok_or_else(|| Error::not_found("promotion"))
    }
}

/// Creates a context of the host itself.
fn system_ctx(tenant: TenantId, now: Timestamp) -> Ctx {
    let deadline = Instant::now() + FREE_TIMEOUT;
    Ctx::new(tenant, Principal::System, "promotions".into(), (now, deadline), Transport::Internal)
}

fn create_codes(ctx: &Ctx, of: PromotionId, texts: BTreeSet<String>, kept: Option<&KeptUnits>) -> Write {
    let code =
        |code| PromotionCode { code, promotion: of, uses: 0, kept: kept.cloned(), created_at: ctx.now };
    Write::CreateCodes(texts.into_iter().map(code).collect())
}

/// Frees the units that codes keep, with a fact for each of their events.
fn free_units(ctx: &Ctx, mut changeset: Changeset, of: &ObjectRef, codes: Vec<PromotionCode>) -> Changeset {
    if codes.is_empty() {
        return changeset;
    }
    let mut units: BTreeMap<EventId, u64> = BTreeMap::new();
    for kept in codes.iter().filter_map(|code| code.kept.as_ref()).filter(|kept| kept.units > 0) {
        *units.entry(kept.event).or_default() += u64::from(kept.units);
    }
    for (event, units) in units {
        let (before, after) = (Value::count(Some(units)), Value::Integer(0));
        let changes = vec![Change { field: "kept_units".into(), before, after }];
        let fact = NewFact::new(ctx, "promotion.units_freed", of.clone(), changes);
        changeset = changeset.fact(fact.in_event(event));
    }
    changeset.write(Write::FreeKeptUnits(codes))
}

/// Adds what each new code keeps to a fact, which belongs to the event then.
fn kept_fact(mut fact: NewFact, kept: &KeptUnits) -> NewFact {
    let units = Value::count(Some(kept.units.into()));
    for (field, after) in
        [("kept_ticket_type_id", Value::from(Some(kept.ticket_type))), ("kept_units", units)]
    {
        fact.changes.push(Change { field: field.into(), before: Value::None, after });
    }
    fact.in_event(kept.event)
}

fn object(promotion: &Promotion, version: u64) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Promotion, id: promotion.id.to_string(), version }
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Promotion>, after: &Promotion) -> NewFact {
    NewFact::new(ctx, fact_type, object(after, after.version), diff(before, Some(after)))
}
