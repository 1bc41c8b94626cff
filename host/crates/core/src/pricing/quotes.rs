//! The service of quotes: base prices, rules, pricing plugins, fees and taxes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{ObjectKind, Operation};
use crate::cache::CachedReads;
use crate::catalog::{Event, EventStatus, TicketType, Venue, time_zone};
use crate::changeset::Changeset;
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, QuoteId, TicketTypeId};
use crate::inventory::terms::{TypeTerms, check_lines, check_on_sale, unknown_type};
use crate::inventory::{CreateReservation, LineRequest, Pool, Remaining, reservation_request};
use crate::money;
use crate::outbox::{NewFact, ObjectRef};
use crate::plugin::{
    ActiveInstallations, AdjustmentKind, Basket, BasketLine, Budget, Entity, Installation, PriceAdjustments,
};
use crate::ports::Store;
use crate::pricing::line::PricedLine;
use crate::pricing::rule::Phase;
use crate::pricing::{
    Calculation, Circumstances, Percent, PricingCall, PricingRule, Quote, QuoteAdjustment, RefusedCode,
    Source,
};
use crate::text::Faults;
use crate::value::Field;

/// The most codes of a basket.
pub const MAX_CODES: usize = 10;

/// The most quotes of a tenant that no reservation refers to and that have not ended.
const MAX_OPEN: u32 = 10_000;

/// The most bytes of texts that plugins add to a quote: labels, attributes and reasons.
const MAX_TEXT: usize = 64 << 10;

/// The most categories that an error names.
const MAX_NAMED: usize = 20;

/// The most characters of a label and of a reason.
const MAX_LABEL: usize = 200;

/// The reason of a refusal because a rule cannot be applied.
const RULE_FAILED: &str = "PRICING_RULE_FAILED";

/// How prices are made, as the operator set it.
#[derive(Clone, Copy, Debug)]
pub struct PricingSettings {
    /// Whether surcharges and plugins apply.
    pub dynamic: bool,
    /// Whether discounts apply and codes are accepted.
    pub discounts: bool,
    /// How long the prices of a quote can be reserved.
    pub quote_lifetime: Duration,
}

/// A basket to be priced.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PriceRequest {
    /// The event.
    pub event: EventId,
    /// The lines. Labels of seats are checked, and change no price.
    pub lines: Vec<LineRequest>,
    /// The codes that the buyer entered.
    pub codes: Vec<String>,
    /// The buyer; empty: unknown.
    pub buyer: String,
    /// The sales channel; empty: unknown.
    pub channel: String,
}

impl PriceRequest {
    fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("buyer_id", &self.buyer, 0, 255);
        faults.text("channel", &self.channel, 0, 50);
        if self.codes.len() > MAX_CODES {
            faults.add(
                "codes",
                format_args!("has {} entries; at most {MAX_CODES} are allowed", self.codes.len()),
            );
        }
        for (index, code) in self.codes.iter().enumerate().take(MAX_CODES) {
            let field = format!("codes[{index}]");
            faults.text(&field, code, 1, 50);
            if self.codes.iter().take(index).any(|other| other == code) {
                faults.add(&field, "is named twice");
            }
        }
        reservation_request::check_lines(&self.lines, &mut faults);
        faults.into_result()
    }
}

/// Makes, stores and reads quotes.
#[derive(Clone)]
pub struct Quotes {
    store: Arc<dyn Store>,
    reads: Arc<CachedReads>,
    commands: Commands,
    settings: PricingSettings,
}

impl Quotes {
    /// Creates the service.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        reads: Arc<CachedReads>,
        commands: Commands,
        settings: PricingSettings,
    ) -> Self {
        Self { store, reads, commands, settings }
    }

    /// Returns what a basket costs now.
    pub async fn calculate(&self, ctx: &Ctx, request: &PriceRequest) -> Result<Quote> {
        ctx.allow(Operation::PriceCalculate)?;
        let quote = self.quote(ctx, request, None).await;
        if ctx.is_authenticated() { quote } else { quote.map_err(without_details) }
    }

    /// Returns what a basket would cost now with another rule, which is not stored.
    pub async fn try_rule(&self, ctx: &Ctx, rule: PricingRule, request: &PriceRequest) -> Result<Quote> {
        ctx.allow(Operation::PricingRuleTest)?;
        rule.attributes.check()?;
        self.quote(ctx, request, Some(rule)).await
    }

    /// Returns what a basket costs now, and stores the quote, so that it can be reserved at these prices.
    pub async fn keep(&self, ctx: &Ctx, request: &PriceRequest) -> Result<Quote> {
        let decide = || async {
            if self.store.count_open_quotes(ctx.tenant, MAX_OPEN).await? >= MAX_OPEN {
                let message = format!(
                    "the tenant has {MAX_OPEN} quotes that can still be reserved; reserve some, or try again when \
                     some have ended"
                );
                return Err(Error::new(ErrorKind::Precondition, "TOO_MANY_QUOTES", message));
            }
            let quote = self.quote(ctx, request, None).await?;
            let object = ObjectRef { kind: ObjectKind::Quote, id: quote.id.to_string(), version: 1 };
            let fact = NewFact::new(ctx, "quote.created", object, Vec::new()).in_event(quote.event);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).insert(quote.clone()), quote))
        };
        self.commands.run(ctx, Operation::QuoteCreate, request, decide).await
    }

    /// Returns a stored quote.
    pub async fn get(&self, ctx: &Ctx, id: QuoteId) -> Result<Quote> {
        ctx.allow(Operation::QuoteGet)?;
        self.found(ctx, id).await
    }

    /// Returns a request for a reservation with what it leaves out taken from its quote: the event, the lines, and the
    /// buyer.
    pub(crate) async fn complete(
        &self,
        ctx: &Ctx,
        mut request: CreateReservation,
    ) -> Result<CreateReservation> {
        let is_complete = request.event.is_some() && !request.buyer.is_empty() && !request.lines.is_empty();
        let Some(id) = request.quote.filter(|_| !is_complete) else { return Ok(request) };
        let quote = self.found(ctx, id).await?;
        request.event = request.event.or(Some(quote.event));
        if request.buyer.is_empty() {
            request.buyer = quote.buyer;
        }
        if request.lines.is_empty() {
            let lines = quote.lines.into_iter().map(|line| LineRequest {
                ticket_type: line.ticket_type,
                quantity: line.quantity,
                seats: Vec::new(),
                category: line.category,
            });
            request.lines = lines.collect();
        }
        Ok(request)
    }

    /// Returns the quote that a reservation is made with: the one that it names, or one that is made now. `None`: the
    /// base prices apply.
    pub(crate) async fn for_reservation(
        &self,
        ctx: &Ctx,
        request: &CreateReservation,
    ) -> Result<Option<Quote>> {
        if let Some(id) = request.quote {
            let quote = self.found(ctx, id).await?;
            check_matches(&quote, request)?;
            if quote.expires_at <= ctx.now {
                let message = format!("the quote ended at {}; ask for a new one", quote.expires_at);
                return Err(Error::new(ErrorKind::Gone, "QUOTE_EXPIRED", message));
            }
            return Ok(Some(quote));
        }
        let price_request = PriceRequest {
            event: request.event()?,
            lines: request.lines.clone(),
            codes: request.codes.clone(),
            buyer: request.buyer.clone(),
            channel: request.channel.clone(),
        };
        let quote = self.quote(ctx, &price_request, None).await?;
        if let Some(refused) = quote.refused_codes.first() {
            let message = format!("have {:?}, which is not accepted: {}", refused.code, refused.reason);
            return Err(Error::invalid("codes", message));
        }
        let is_plain = quote.adjustments.is_empty() && quote.calls.is_empty() && names_no_price(request);
        Ok(if is_plain { None } else { Some(quote) })
    }

    /// Returns whether a reservation may cost something else than the base prices.
    pub(crate) async fn may_apply(&self, ctx: &Ctx, request: &CreateReservation) -> Result<bool> {
        if request.quote.is_some() || !names_no_price(request) {
            return Ok(true);
        }
        self.applies(ctx, request.event()?).await
    }

    /// Returns whether rules or plugins may change the prices of an event.
    async fn applies(&self, ctx: &Ctx, event: EventId) -> Result<bool> {
        let rules = self.reads.pricing_rules(ctx.tenant).await?;
        let applies = |rule: &PricingRule| {
            rule.applies_to(event)
                && self.is_switched_on(rule.attributes.kind)
                && rule.attributes.valid_until.is_none_or(|until| ctx.now < until)
        };
        if rules.iter().any(applies) {
            return Ok(true);
        }
        if !self.settings.dynamic {
            return Ok(false);
        }
        let active = self.reads.active_installations(ctx.tenant, 0).await?;
        Ok(active.pricing(event).next().is_some())
    }

    async fn quote(&self, ctx: &Ctx, request: &PriceRequest, extra: Option<PricingRule>) -> Result<Quote> {
        request.check()?;
        if !self.settings.discounts && !request.codes.is_empty() {
            let message = "discount codes are switched off on this host (DISCOUNT_RULES_ENABLED)";
            return Err(Error::invalid("codes", message));
        }
        let event = self.event(ctx, request.event).await?;
        let types = self.store.ticket_types(ctx.tenant, event.id).await?;
        let pools = self.store.pools(ctx.tenant, &[event.id]).await?;
        let remaining = types.iter().map(|ticket_type| {
            (ticket_type.id, Remaining::of(ticket_type.id, &ticket_type.attributes.pools, &pools))
        });
        let remaining: BTreeMap<_, _> = remaining.collect();
        let stored = self.reads.pricing_rules(ctx.tenant).await?;
        let applies =
            |rule: &&PricingRule| rule.applies_to(event.id) && self.is_switched_on(rule.attributes.kind);
        let mut rules: Vec<_> = stored.iter().chain(extra.as_ref()).filter(applies).collect();
        rules.sort_by_key(|rule| rule.rank());
        let (currency, lines) = priced_lines(request, &types, &rules)?;
        let sold =
            types.iter().map(|ticket_type| (ticket_type.id, sold_share(ticket_type, &pools))).collect();
        // They may be large, and plugins may take a while.
        drop((types, pools));
        let venue = match event.attributes.venue {
            Some(id) => self.store.venue(ctx.tenant, id).await?,
            None => None,
        };
        let circumstances = circumstances(ctx, &event, venue.as_ref(), sold)?;
        let mut calculation = Calculation::new(currency.clone(), lines);
        apply(&mut calculation, &rules, &circumstances, |phase| phase == Phase::Prices)?;
        let mut quote = Quote {
            id: QuoteId::generate(),
            event: event.id,
            buyer: request.buyer.clone(),
            channel: request.channel.clone(),
            currency,
            lines: Vec::new(),
            adjustments: Vec::new(),
            codes: Vec::new(),
            refused_codes: Vec::new(),
            calls: Vec::new(),
            basket: None,
            created_by: ctx.principal.to_string(),
            created_at: ctx.now,
            expires_at: ctx.now.plus(self.settings.quote_lifetime),
        };
        if self.settings.dynamic {
            let active = self.reads.active_installations(ctx.tenant, 0).await?;
            if active.pricing(event.id).next().is_some() {
                let place = (&event, venue.as_ref());
                let basket = basket(place, (request, &circumstances, &remaining), &calculation)?;
                self.call_plugins(ctx, (&active, basket), &mut calculation, &mut quote).await?;
            }
        }
        apply(&mut calculation, &rules, &circumstances, |phase| phase != Phase::Prices)?;
        (quote.lines, quote.adjustments) = calculation.into_parts();
        sort_codes(&mut quote, &request.codes);
        Ok(quote)
    }

    fn is_switched_on(&self, kind: AdjustmentKind) -> bool {
        match kind {
            AdjustmentKind::Surcharge => self.settings.dynamic,
            AdjustmentKind::Discount => self.settings.discounts,
            AdjustmentKind::Fee | AdjustmentKind::Tax => true,
        }
    }

    /// Calls the pricing plugins in their order. Each is given the adjustments of the steps before.
    async fn call_plugins(
        &self,
        ctx: &Ctx,
        (active, basket): (&ActiveInstallations, Basket),
        calculation: &mut Calculation,
        quote: &mut Quote,
    ) -> Result<()> {
        let mut budget = Budget::new();
        for installation in active.pricing(quote.event) {
            let applied = calculation.adjustments().iter();
            let applied = applied.map(|step| (step.source.to_string(), step.adjustment.clone())).collect();
            let request = Basket { applied, ..basket.clone() };
            let applied = calculation.adjustments().len();
            // An answer that the contract does not allow leaves the calculation as it was.
            let mut after = (calculation.clone(), quote.refused_codes.clone());
            let check = |reply: &PriceAdjustments| {
                apply_reply(installation, reply, &basket.codes, (&mut after.0, &mut after.1))
            };
            let plugin = (&**installation, &active.limits);
            let answered = self.commands.hooks().price(ctx, plugin, request, (&mut budget, check)).await?;
            if answered {
                (*calculation, quote.refused_codes) = after;
            }
            quote.calls.push(PricingCall {
                installation: installation.id,
                plugin: installation.label(),
                digest: installation.release.digest,
                applied,
                failed: !answered,
            });
        }
        quote.basket = Some(Box::new(basket));
        Ok(())
    }

    /// Returns an event that the caller may see and whose tickets are sold, or will be.
    async fn event(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        let event = self.store.event(ctx.tenant, id).await?;
        let event = event.filter(|event| event.is_public() || ctx.is_authenticated());
        let event = event.ok_or_else(|| Error::not_found("event"))?;
        if event.attributes.status != EventStatus::Draft {
            check_on_sale((event.attributes.status, event.attributes.ends_at), ctx.now)?;
        }
        Ok(event)
    }

    async fn found(&self, ctx: &Ctx, id: QuoteId) -> Result<Quote> {
        self.store.quote(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("quote"))
    }
}

/// Returns whether a request for a reservation names neither codes nor categories, which have prices.
fn names_no_price(request: &CreateReservation) -> bool {
    request.codes.is_empty() && request.lines.iter().all(|line| line.category.is_empty())
}

/// Returns what rules depend on.
fn circumstances(
    ctx: &Ctx,
    event: &Event,
    venue: Option<&Venue>,
    sold: BTreeMap<TicketTypeId, Percent>,
) -> Result<Circumstances> {
    let of_venue = venue.map(|venue| venue.attributes.time_zone.as_str());
    let zone = event.attributes.time_zone.as_deref().or(of_venue).unwrap_or("UTC");
    let starts_at = event.attributes.starts_at;
    Ok(Circumstances {
        event: event.id,
        now: ctx.now,
        starts_at,
        offset_now: time_zone::offset(zone, ctx.now)?,
        offset_start: time_zone::offset(zone, starts_at)?,
        sold,
    })
}

/// Returns the largest share of held and sold units among the pools of a ticket type.
fn sold_share(ticket_type: &TicketType, pools: &[Pool]) -> Percent {
    let used = ticket_type.all_pools();
    let shares = pools.iter().filter(|pool| used.contains(&pool.id)).map(|pool| {
        let sold = pool.counts.held.saturating_add(pool.counts.sold);
        pool.capacity.map_or(Percent::share(0, 1), |capacity| Percent::share(sold, capacity))
    });
    shares.max().unwrap_or(Percent::share(0, 1))
}

/// Returns the basket as plugins see it, without adjustments.
fn basket(
    (event, venue): (&Event, Option<&Venue>),
    (request, circumstances, remaining): (&PriceRequest, &Circumstances, &BTreeMap<TicketTypeId, Remaining>),
    calculation: &Calculation,
) -> Result<Basket> {
    let mut fields = Entity::event(event).fields;
    // It is long, and every quote would keep it.
    fields.retain(|field| field.name != "description");
    if let Some(venue) = venue {
        fields.push(Field::new("venue_name", venue.attributes.name.as_str()));
        fields.push(Field::new("venue_city", venue.attributes.city.as_str()));
        fields.push(Field::new("venue_country", venue.attributes.country.as_str()));
    }
    let bounded = |units: Option<u64>| units.and_then(|units| u32::try_from(units).ok()).unwrap_or(u32::MAX);
    let lines = calculation.lines().iter().map(|line| {
        let of_type = remaining.get(&line.ticket_type);
        let category = (!line.category.is_empty()).then(|| Field::new("category", line.category.as_str()));
        BasketLine {
            ticket_type: line.ticket_type.to_string(),
            name: line.name.clone(),
            quantity: line.quantity,
            unit_price: line.unit_price,
            available: bounded(of_type.and_then(|of_type| of_type.available)),
            capacity: bounded(of_type.and_then(|of_type| of_type.quantity)),
            attributes: category.into_iter().collect(),
        }
    });
    let offset = |minutes: i32| i16::try_from(minutes).map_err(Error::internal);
    let buyer = (!request.buyer.is_empty()).then(|| Field::new("id", request.buyer.as_str()));
    let currency = calculation.currency().to_owned();
    Ok(Basket {
        event: fields,
        starts_at: Some(event.attributes.starts_at),
        offset_now: offset(circumstances.offset_now)?,
        offset_start: offset(circumstances.offset_start)?,
        currency_exponent: money::exponent(&currency).unwrap_or_default(),
        currency,
        lines: lines.collect(),
        codes: request.codes.clone(),
        channel: request.channel.clone(),
        buyer: buyer.into_iter().collect(),
        applied: Vec::new(),
    })
}

/// Returns the error without what only the tenant is to know: its rules and plugins.
fn without_details(error: Error) -> Error {
    match error.kind() {
        ErrorKind::PluginFailed => {
            Error::new(ErrorKind::PluginFailed, "PLUGIN_FAILED", "the price cannot be computed at the moment")
        }
        ErrorKind::Precondition if error.reason() == RULE_FAILED => {
            Error::new(ErrorKind::Precondition, RULE_FAILED, "the price cannot be computed at the moment")
        }
        _ => error,
    }
}

/// Applies the rules of a phase. A rule that cannot be applied refuses the quote by its name.
fn apply(
    calculation: &mut Calculation,
    rules: &[&PricingRule],
    circumstances: &Circumstances,
    in_phase: impl Fn(Phase) -> bool,
) -> Result<()> {
    for rule in rules.iter().filter(|rule| in_phase(rule.rank().0)) {
        calculation.apply_rule(rule, circumstances).map_err(|reason| {
            let message = format!("the pricing rule {:?} cannot be applied: {reason}", rule.attributes.name);
            Error::new(ErrorKind::Precondition, RULE_FAILED, message)
        })?;
    }
    Ok(())
}

/// Adds the adjustments of a plugin, and the codes that it refuses. The error says what the contract does not allow.
fn apply_reply(
    installation: &Installation,
    reply: &PriceAdjustments,
    entered: &[String],
    (calculation, refused): (&mut Calculation, &mut Vec<RefusedCode>),
) -> Result<(), String> {
    let codes = reply.adjustments.iter().filter_map(|adjustment| adjustment.code.as_ref());
    let mut codes = codes.chain(reply.refused_codes.iter().map(|(code, _)| code));
    if let Some(code) = codes.find(|code| !entered.contains(code)) {
        return Err(format!("it names the code {code:?}, which was not entered"));
    }
    let labels = reply.adjustments.iter().map(|adjustment| ("label", &adjustment.label));
    let reasons = reply.refused_codes.iter().map(|(_, reason)| ("reason", reason));
    for (what, text) in labels.chain(reasons) {
        if text.is_empty() || text.chars().count() > MAX_LABEL || text.chars().any(char::is_control) {
            return Err(format!("a {what} must have 1 to {MAX_LABEL} characters, and no control characters"));
        }
    }
    let source = Source::Plugin(installation.id, installation.release.digest);
    for adjustment in &reply.adjustments {
        calculation.add(source, adjustment.clone())?;
    }
    for (code, reason) in &reply.refused_codes {
        if !refused.iter().any(|refused| refused.code == *code) {
            refused.push(RefusedCode { code: code.clone(), reason: reason.clone() });
        }
    }
    let size = |step: &QuoteAdjustment| {
        let attributes = step.adjustment.attributes.iter().map(|field| field.name.len() + field.value.size());
        step.adjustment.label.len() + attributes.sum::<usize>()
    };
    // The labels of rules do not count: no plugin can help them.
    let by_plugins = calculation.adjustments().iter();
    let by_plugins = by_plugins.filter(|step| matches!(step.source, Source::Plugin(..)));
    if by_plugins.map(size).sum::<usize>() > MAX_TEXT {
        return Err(format!("the labels and attributes of plugins have more than {MAX_TEXT} bytes"));
    }
    Ok(())
}

/// Sorts the codes that were entered into those that an adjustment belongs to and those that are refused.
fn sort_codes(quote: &mut Quote, entered: &[String]) {
    let used =
        |code: &String| quote.adjustments.iter().any(|step| step.adjustment.code.as_ref() == Some(code));
    let (codes, others): (Vec<_>, Vec<_>) = entered.iter().cloned().partition(used);
    let mut refused = std::mem::take(&mut quote.refused_codes);
    refused.retain(|refused| !codes.contains(&refused.code));
    for code in others {
        if !refused.iter().any(|refused| refused.code == code) {
            refused.push(RefusedCode { code, reason: "the code is not valid for this basket".to_owned() });
        }
    }
    (quote.codes, quote.refused_codes) = (codes, refused);
}

/// Returns the lines at their base prices, and their currency.
fn priced_lines(
    request: &PriceRequest,
    types: &[TicketType],
    rules: &[&PricingRule],
) -> Result<(String, Vec<PricedLine>)> {
    let terms: BTreeMap<_, _> =
        types.iter().map(|ticket_type| (ticket_type.id, TypeTerms::of(ticket_type))).collect();
    let requested = request.lines.iter();
    check_lines(&terms, requested.map(|line| (line.ticket_type, line.quantity as usize, &line.seats[..])))?;
    let mut currency = String::new();
    let mut lines = Vec::with_capacity(request.lines.len());
    for (index, line) in request.lines.iter().enumerate() {
        let ticket_type = types.iter().find(|ticket_type| ticket_type.id == line.ticket_type);
        let attributes = &ticket_type.ok_or_else(|| unknown_type(index, line.ticket_type))?.attributes;
        let unit_price = match attributes.category_prices.get(&line.category) {
            Some(amount) => *amount,
            None if line.category.is_empty() => attributes.price.amount,
            None => {
                check_category(index, &line.category, rules, attributes.category_prices.keys())?;
                attributes.price.amount
            }
        };
        currency.clone_from(&attributes.price.currency);
        lines.push(PricedLine {
            ticket_type: line.ticket_type,
            name: attributes.name.clone(),
            category: line.category.clone(),
            quantity: line.quantity,
            unit_price,
            amount: unit_price.saturating_mul(line.quantity.into()),
        });
    }
    Ok((currency, lines))
}

/// Refuses a category that neither the ticket type nor a rule prices.
fn check_category<'a>(
    index: usize,
    category: &str,
    rules: &'a [&PricingRule],
    of_type: impl Iterator<Item = &'a String>,
) -> Result<()> {
    let of_rules = rules.iter().flat_map(|rule| &rule.attributes.categories);
    let mut known: Vec<_> = of_type.chain(of_rules).collect();
    known.sort_unstable();
    known.dedup();
    if known.iter().any(|known| *known == category) {
        return Ok(());
    }
    let known = known.into_iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let expected = if known.is_empty() {
        "no category has a price".to_owned()
    } else {
        format!("one of {known} is expected")
    };
    Err(Error::invalid(&format!("lines[{index}].pricing_category"), format!("is {category:?}; {expected}")))
}

/// Refuses a reservation that differs from the quote that it names.
fn check_matches(quote: &Quote, request: &CreateReservation) -> Result<()> {
    if request.event != Some(quote.event) {
        return Err(Error::invalid("quote_id", "is of another event"));
    }
    if !quote.buyer.is_empty() && quote.buyer != request.buyer {
        return Err(Error::invalid("quote_id", "was made for another buyer"));
    }
    let quoted = quote.lines.iter().map(|line| (line.ticket_type, line.quantity, line.category.as_str()));
    let requested =
        request.lines.iter().map(|line| (line.ticket_type, line.quantity, line.category.as_str()));
    if !quoted.eq(requested) {
        return Err(Error::invalid("quote_id", "is for other lines; reserve the lines that were quoted"));
    }
    Ok(())
}
