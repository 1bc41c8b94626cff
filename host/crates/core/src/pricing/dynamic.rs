//! The service of displayed prices: what one unit costs today, and how its price would be at other times and shares
//! sold. Quotes are always computed anew and do not depend on them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::access::{ObjectKind, Operation};
use crate::catalog::{Event, EventStatus, TicketType};
use crate::changeset::{Changeset, Write};
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::fair::WorkLimiter;
use crate::id::{EventId, TenantId, TicketTypeId};
use crate::inventory::terms::check_on_sale;
use crate::outbox::{NewFact, ObjectRef};
use crate::plugin::CallShare;
use crate::ports::Store;
use crate::pricing::displayed::{shares, times};
use crate::pricing::price_failures::PriceFailures;
use crate::pricing::quotes::UnitPrices;
use crate::pricing::{
    DisplayedPrice, DisplayedPrices, PriceCurves, QuoteAdjustment, Quotes, UnitCircumstances,
};

/// How many events of a tenant are refreshed in one round.
const MAX_REFRESHED: u32 = 50;

/// How long the prices of an event may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes of the adjustments of an event's displayed prices, and what one counts beside its label.
const MAX_BYTES: usize = 1 << 20;
const ADJUSTMENT_BYTES: usize = 256;

/// The events whose prices are being refreshed on this host. Concurrent callers of a share wait for the first one;
/// those with a key do not wait for slow calls that callers without one caused.
type Turns = Arc<Mutex<HashMap<(CallShare, EventId), Arc<tokio::sync::Mutex<()>>>>>;

/// Computes, stores and reads displayed prices.
#[derive(Clone)]
pub struct DisplayedPricing {
    store: Arc<dyn Store>,
    commands: Commands,
    quotes: Quotes,
    interval: Duration,
    turns: Turns,
    failures: Arc<PriceFailures>,
}

impl DisplayedPricing {
    /// Creates the service. Displayed prices are at most `interval` old; with zero, each request computes them.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, quotes: Quotes, interval: Duration) -> Self {
        let (turns, failures) = (Turns::default(), Arc::default());
        Self { store, commands, quotes, interval, turns, failures }
    }

    /// Returns how old displayed prices may be.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns today's prices of an event's ticket types, without the hidden ones.
    pub async fn today(&self, ctx: &Ctx, event: EventId) -> Result<DisplayedPrices> {
        ctx.allow(Operation::PriceDisplay)?;
        let event = self.visible(ctx, event).await?;
        let prices = self.current(ctx, &event).await;
        if ctx.is_authenticated() { prices } else { prices.map_err(without_details) }
    }

    /// Returns the price of a ticket type now, and its curves.
    pub async fn curves(
        &self,
        ctx: &Ctx,
        event: EventId,
        ticket_type: TicketTypeId,
    ) -> Result<(DisplayedPrices, PriceCurves)> {
        ctx.allow(Operation::PriceForecast)?;
        let event = self.visible(ctx, event).await?;
        let (share, ctx) = (CallShare::of(ctx), &self.host_ctx(ctx));
        let (mut units, mut types) = self.quotes.unit_prices(ctx, &event, share).await?;
        types.retain(|shown| shown.id == ticket_type);
        let [ticket_type] = &types[..] else { return Err(Error::not_found("ticket-type")) };
        let prices = displayed((ctx, event.id), &mut units, &types).await?;
        let mut curves = PriceCurves::default();
        for now in times(ctx.now, event.attributes.starts_at) {
            let quote = units.price(ticket_type, UnitCircumstances { now, sold: None }).await?;
            curves.by_time.push((now, quote.total()));
        }
        for sold in shares() {
            let at = UnitCircumstances { now: ctx.now, sold: Some(sold) };
            let quote = units.price(ticket_type, at).await?;
            curves.by_share_sold.push((sold, quote.total()));
        }
        Ok((prices, curves))
    }

    /// Refreshes prices of a tenant that are older than the interval, and forgets those of events that are not on sale.
    /// Returns whether there may be more.
    pub async fn refresh_stale(&self, tenant: TenantId, limiter: &WorkLimiter) -> Result<bool> {
        let oldest = self.store.now().minus(self.interval);
        let events = self.store.stale_displayed_prices(tenant, oldest, MAX_REFRESHED).await?;
        let refresh = |id: EventId| async move {
            let request_id = format!("prices-{id}").into();
            let time = (self.store.now(), Instant::now() + TIMEOUT);
            let ctx = Ctx::new(tenant, Principal::System, request_id, time, Transport::Internal);
            let result = self.refresh_or_forget(&ctx, id).await;
            let report = |error: &Error| {
                if is_of_tenant(error) {
                    // Each round would report it until the tenant has mended its rules and plugins.
                    tracing::debug!(?error, event = %id, "prices not refreshed; retrying");
                } else {
                    tracing::warn!(?error, event = %id, "prices not refreshed; retrying");
                }
            };
            result.inspect_err(report).is_ok()
        };
        Ok(limiter.for_each(tenant, events, refresh).await > 0)
    }

    async fn refresh_or_forget(&self, ctx: &Ctx, id: EventId) -> Result<()> {
        let event = self.store.event(ctx.tenant, id).await?;
        let is_on_sale = |event: &Event| {
            check_on_sale((event.attributes.status, event.attributes.ends_at), ctx.now).is_ok()
        };
        let Some(event) = event.filter(is_on_sale) else {
            return self.store.forget_displayed_prices(ctx.tenant, id).await;
        };
        let result = self.refreshed(ctx, &event).await;
        if result.is_err() {
            // Otherwise they would be the oldest for ever, and keep others from being refreshed. They are kept for the
            // facts of later prices, and at this time they are still too old to be displayed.
            let at = self.store.now().minus(self.interval);
            self.store.postpone_displayed_prices(ctx.tenant, id, at).await?;
        }
        result.map(drop)
    }

    /// Returns the stored prices, refreshed if they are too old. Nothing is stored of an event that is not public.
    async fn current(&self, ctx: &Ctx, event: &Event) -> Result<DisplayedPrices> {
        if self.interval.is_zero() || !event.is_public() {
            let host = self.host_ctx(ctx);
            return Ok(self.computed(&host, CallShare::of(ctx), event).await?.0);
        }
        let stored = self.store.displayed_prices(ctx.tenant, event.id).await?;
        let mut prices = match stored.filter(|stored| stored.is_fresh(ctx.now, self.interval)) {
            Some(stored) => stored,
            None => self.refreshed(ctx, event).await?,
        };
        // A ticket type may have been deleted or hidden since.
        let types = self.shown_types(ctx.tenant, event.id).await?;
        let is_shown = |id: TicketTypeId| types.iter().any(|shown| shown.id == id);
        prices.prices.retain(|price| !price.left_out && is_shown(price.ticket_type));
        Ok(prices)
    }

    /// Computes and stores the prices of an event, unless another caller has just done it, and returns them.
    async fn refreshed(&self, ctx: &Ctx, event: &Event) -> Result<DisplayedPrices> {
        let share = CallShare::of(ctx);
        let turn = turn(&self.turns, (share, event.id));
        let _turn = turn.lock().await;
        let ctx = &self.host_ctx(ctx);
        let decide = || async {
            let before = self.store.displayed_prices(ctx.tenant, event.id).await?;
            if before.as_ref().is_some_and(|before| before.is_fresh(ctx.now, self.interval)) {
                return Ok(Decision::nothing(()));
            }
            let (mut after, types) = self.computed(ctx, share, event).await?;
            let mut changeset = Changeset::new(ctx);
            if let Some(before) = before {
                after.replace(&before, |id| types.iter().any(|shown| shown.id == id));
                changeset = with_facts(ctx, changeset, (&before, &after), &types);
            }
            Ok(Decision::change(changeset.write(Write::PutDisplayedPrices(after)), ()))
        };
        self.commands.run(ctx, Operation::PriceDisplay, &event.id, decide).await?;
        self.store.displayed_prices(ctx.tenant, event.id).await?.ok_or_else(Error::stale)
    }

    /// Computes the prices of an event's ticket types that are not hidden, and returns these as well. If it has just
    /// failed, it is not tried again.
    async fn computed(
        &self,
        ctx: &Ctx,
        share: CallShare,
        event: &Event,
    ) -> Result<(DisplayedPrices, Vec<TicketType>)> {
        let key = (share, event.id);
        if let Some(error) = self.failures.get(key) {
            return Err(error);
        }
        let end = Instant::now() + TIMEOUT;
        let mut ctx = ctx.clone();
        ctx.deadline = ctx.deadline.min(end);
        let computed = async {
            let (mut units, types) = self.quotes.unit_prices(&ctx, event, share).await?;
            let prices = displayed((&ctx, event.id), &mut units, &types).await?;
            Ok::<_, Error>((prices, types))
        };
        let computed = computed.await;
        if let Err(error) = &computed {
            // A caller with an early deadline fails alone.
            let is_late = error.kind() == ErrorKind::DeadlineExceeded && Instant::now() >= end;
            if is_late || is_of_tenant(error) {
                self.failures.add(key, error);
            }
        }
        computed
    }

    /// Returns the ticket types of an event that are not hidden.
    async fn shown_types(&self, tenant: TenantId, event: EventId) -> Result<Vec<TicketType>> {
        let mut types = self.store.ticket_types(tenant, event).await?;
        types.retain(|ticket_type| !ticket_type.attributes.hidden);
        Ok(types)
    }

    /// Returns an event that the caller may see and whose tickets are sold, or will be.
    async fn visible(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        let event = self.store.event(ctx.tenant, id).await?;
        let event = event.filter(|event| event.is_public() || ctx.is_authenticated());
        let event = event.ok_or_else(|| Error::not_found("event"))?;
        if event.attributes.status != EventStatus::Draft {
            check_on_sale((event.attributes.status, event.attributes.ends_at), ctx.now)?;
        }
        Ok(event)
    }

    /// Creates a context of the host itself: displayed prices are the same for all callers.
    fn host_ctx(&self, ctx: &Ctx) -> Ctx {
        let request_id = Arc::clone(&ctx.request_id);
        let time = (self.store.now(), ctx.deadline);
        Ctx::new(ctx.tenant, Principal::System, request_id, time, Transport::Internal)
    }
}

/// Returns the lock of an event's refreshes for a share.
fn turn(turns: &Turns, key: (CallShare, EventId)) -> Arc<tokio::sync::Mutex<()>> {
    let mut turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
    // Drops those that no caller is using.
    turns.retain(|other, turn| *other == key || Arc::strong_count(turn) > 1);
    Arc::clone(turns.entry(key).or_default())
}

/// Computes the price of one unit of each ticket type. One that a plugin does not sell now is left out.
async fn displayed(
    (ctx, event): (&Ctx, EventId),
    units: &mut UnitPrices<'_>,
    types: &[TicketType],
) -> Result<DisplayedPrices> {
    let mut prices = Vec::with_capacity(types.len());
    let mut bytes = 0;
    for ticket_type in types {
        let at = UnitCircumstances { now: ctx.now, sold: None };
        let mut quote = match units.price(ticket_type, at).await {
            Ok(quote) => quote,
            Err(error) if error.kind() == ErrorKind::Refused => continue,
            Err(error) => return Err(error),
        };
        for step in &mut quote.adjustments {
            // Only stored quotes show them.
            step.adjustment.attributes.clear();
        }
        bytes += quote.adjustments.iter().map(size).sum::<usize>();
        if bytes > MAX_BYTES {
            let message = format!(
                "the adjustments of the event's displayed prices have more than {MAX_BYTES} bytes; let fewer rules \
                 and plugins apply to one unit"
            );
            return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
        }
        prices.push(DisplayedPrice {
            ticket_type: ticket_type.id,
            name: ticket_type.attributes.name.clone(),
            base: quote.base(),
            price: quote.total().amount,
            sold: units.sold(ticket_type.id),
            adjustments: quote.adjustments,
            left_out: false,
        });
    }
    Ok(DisplayedPrices { event, prices, computed_at: ctx.now, version: 1 })
}

/// Adds a fact for each ticket type whose price differs. The ticket types must be stored as they were read, so that
/// their facts are in the order of their versions.
fn with_facts(
    ctx: &Ctx,
    mut changeset: Changeset,
    (before, after): (&DisplayedPrices, &DisplayedPrices),
    types: &[TicketType],
) -> Changeset {
    for price in &after.prices {
        let ticket_type = types.iter().find(|ticket_type| ticket_type.id == price.ticket_type);
        let (Some(ticket_type), Some(change)) = (ticket_type, before.change_to(price)) else { continue };
        let (id, version) = (ticket_type.id.to_string(), ticket_type.version);
        let object = ObjectRef { kind: ObjectKind::TicketType, id, version };
        let fact = NewFact::new(ctx, "price.changed", object, vec![change]).in_event(after.event);
        changeset = changeset.expect(ticket_type).fact(fact);
    }
    changeset
}

fn size(step: &QuoteAdjustment) -> usize {
    let code = step.adjustment.code.as_ref().map_or(0, String::len);
    ADJUSTMENT_BYTES + step.adjustment.label.len() + code
}

/// Returns whether the tenant's rules and plugins cause an error, whoever asks for the prices.
fn is_of_tenant(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::PluginFailed | ErrorKind::Precondition | ErrorKind::TooLarge)
}

/// Returns the error without what only the tenant is to know: its rules and plugins.
fn without_details(error: Error) -> Error {
    let reason = match error.kind() {
        ErrorKind::PluginFailed => "PLUGIN_FAILED",
        ErrorKind::Precondition => "PRICING_RULE_FAILED",
        _ => return error,
    };
    Error::new(error.kind(), reason, "the prices cannot be computed at the moment")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_with_a_key_do_not_wait_for_those_without_one() {
        let (turns, event) = (Turns::default(), EventId::generate());
        let own = CallShare::from(TenantId::generate());
        let public = turn(&turns, (CallShare { is_public: true, ..own }, event));
        let _held = public.try_lock().unwrap();
        assert!(turn(&turns, (CallShare { is_public: true, ..own }, event)).try_lock().is_err());
        assert!(turn(&turns, (own, event)).try_lock().is_ok());
    }
}
