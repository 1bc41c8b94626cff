//! The service of quotes: base prices, rules, promotions, pricing plugins, fees and taxes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::access::{ObjectKind, Operation};
use crate::cache::CachedReads;
use crate::catalog::{Event, EventStatus};
use crate::changeset::{Changeset, Guard};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, QuoteId};
use crate::inventory::terms::check_on_sale;
use crate::outbox::{NewFact, ObjectRef};
use crate::plugin::AdjustmentKind;
use crate::ports::Store;
use crate::pricing::code_guesses::CodeGuesses;
use crate::pricing::price_request::PriceRequest;
use crate::pricing::{PricingRule, Quote, WriteRule};

mod discount;
mod making;
mod reserving;
mod unit_price;

pub(super) use unit_price::UnitPrices;

/// The most quotes of a tenant that no reservation refers to and that have not ended.
const MAX_OPEN: u32 = 10_000;

/// The reason of a refusal because a rule or a promotion cannot be applied.
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

impl PricingSettings {
    /// Returns whether rules of a kind apply.
    pub(super) fn applies(self, kind: AdjustmentKind) -> bool {
        self.switch(kind).is_none_or(|(_, is_on)| is_on)
    }

    /// Returns the operator's setting that switches rules of a kind on or off, and whether they are on.
    fn switch(self, kind: AdjustmentKind) -> Option<(&'static str, bool)> {
        match kind {
            AdjustmentKind::Surcharge => Some(("DYNAMIC_PRICING_ENABLED", self.dynamic)),
            AdjustmentKind::Discount => Some(("DISCOUNT_RULES_ENABLED", self.discounts)),
            AdjustmentKind::Fee | AdjustmentKind::Tax => None,
        }
    }

    /// Refuses an enabled rule that would not apply, because the operator has switched its kind off.
    pub(super) fn check_applies(self, rule: &WriteRule) -> Result<()> {
        match self.switch(rule.kind) {
            Some((setting, false)) if rule.enabled => {
                let kind = rule.kind.name();
                let message = format!(
                    "is {kind}, and such rules are switched off on this host ({setting}); they can only be disabled"
                );
                Err(Error::invalid("kind", message))
            }
            _ => Ok(()),
        }
    }
}

/// Makes, stores and reads quotes.
#[derive(Clone)]
pub struct Quotes {
    store: Arc<dyn Store>,
    reads: Arc<CachedReads>,
    commands: Commands,
    settings: PricingSettings,
    guesses: Arc<CodeGuesses>,
}

impl Quotes {
    /// Creates the service.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        reads: Arc<CachedReads>,
        commands: Commands,
        settings: PricingSettings,
        guesses: Arc<CodeGuesses>,
    ) -> Self {
        Self { store, reads, commands, settings, guesses }
    }

    /// Returns what a basket costs now.
    pub async fn calculate(&self, ctx: &Ctx, request: &PriceRequest) -> Result<Quote> {
        ctx.allow(Operation::PriceCalculate)?;
        let quote = self.quote(ctx, request, None, true).await;
        if ctx.is_authenticated() { quote } else { quote.map_err(without_details) }
    }

    /// Returns what a basket would cost now with another rule, which is not stored. Faults of the rule are named
    /// `rule.name` and the like.
    pub async fn try_rule(&self, ctx: &Ctx, rule: PricingRule, request: &PriceRequest) -> Result<Quote> {
        ctx.allow(Operation::PricingRuleTest)?;
        let of_rule = |error: Error| error.renamed(|field| Some(format!("rule.{field}")));
        rule.attributes.check().map_err(of_rule)?;
        self.settings.check_applies(&rule.attributes).map_err(of_rule)?;
        self.quote(ctx, request, Some(rule), true).await
    }

    /// Returns what a basket costs now, and stores the quote, so that it can be reserved at these prices.
    pub async fn keep(&self, ctx: &Ctx, request: &PriceRequest) -> Result<Quote> {
        // A quote that is made again, because something changed meanwhile, has the same codes.
        let are_codes_counted = AtomicBool::new(false);
        let decide = || async {
            if self.store.count_open_quotes(ctx.tenant, MAX_OPEN).await? >= MAX_OPEN {
                let message = format!(
                    "the tenant has {MAX_OPEN} quotes that can still be reserved; reserve some, or try again when \
                     some have ended"
                );
                return Err(Error::new(ErrorKind::Precondition, "TOO_MANY_QUOTES", message));
            }
            let counts_codes = !are_codes_counted.swap(true, Ordering::Relaxed);
            let quote = self.quote(ctx, request, None, counts_codes).await?;
            let object = ObjectRef { kind: ObjectKind::Quote, id: quote.id.to_string(), version: 1 };
            let fact = NewFact::new(ctx, "quote.created", object, Vec::new()).in_event(quote.event);
            let changeset = Changeset::new(ctx).guard(Guard::FewerOpenQuotes(MAX_OPEN, ctx.now)).fact(fact);
            Ok(Decision::change(changeset.insert(quote.clone()), quote))
        };
        self.commands.run(ctx, Operation::QuoteCreate, request, decide).await
    }

    /// Returns a stored quote. Callers who may not read installations get it without the settings of plugins.
    pub async fn get(&self, ctx: &Ctx, id: QuoteId) -> Result<Quote> {
        ctx.allow(Operation::QuoteGet)?;
        let mut quote = self.found(ctx, id).await?;
        if !ctx.allows(Operation::InstallationGet) {
            for call in &mut quote.calls {
                call.settings = "".into();
            }
        }
        Ok(quote)
    }

    /// Refuses codes where the operator has switched them off.
    fn check_codes_are_on(&self, field: &str) -> Result<()> {
        if self.settings.discounts {
            return Ok(());
        }
        let message = "discount codes are switched off on this host (DISCOUNT_RULES_ENABLED)";
        Err(Error::invalid(field, message))
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
