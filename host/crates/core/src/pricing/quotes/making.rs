//! How a quote is made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Quotes, RULE_FAILED};
use crate::catalog::{Event, TicketType, Venue};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, QuoteId, TicketTypeId};
use crate::inventory::{Pool, Remaining};
use crate::plugin::{ActiveInstallations, Basket, CallShare, PriceAdjustments, PriceCalls};
use crate::pricing::base_prices::{priced_lines, retain_shown, with_type_of_zone};
use crate::pricing::basket::{basket, circumstances, sold_share};
use crate::pricing::code_guesses::Guesses;
use crate::pricing::codes::{AcceptedCode, CheckedCodes, FoundCodes, NOT_VALID, Purchase};
use crate::pricing::contract::apply_reply;
use crate::pricing::price_request::PriceRequest;
use crate::pricing::quote::MAX_SIZE;
use crate::pricing::rule::Phase;
use crate::pricing::{
    Calculation, Circumstances, Percent, PricingCall, PricingRule, Quote, RefusedCode, Source,
};
use crate::time::Timestamp;
use crate::value::Field;

/// What an event sells, and how much of it is left.
pub(super) struct Supply {
    pub(super) types: Vec<TicketType>,
    pub(super) pools: Vec<Pool>,
}

/// What a price depends on, apart from the lines, the rules and the codes.
#[derive(Clone)]
pub(super) struct Terms<'a> {
    pub(super) event: &'a Event,
    pub(super) venue: Option<Venue>,
    pub(super) circumstances: Circumstances,
    pub(super) remaining: BTreeMap<TicketTypeId, Remaining>,
}

impl Quotes {
    /// Returns what a basket costs, with another rule if there is one. `counts_codes`: whether codes that are not
    /// accepted are counted.
    pub(super) async fn quote(
        &self,
        ctx: &Ctx,
        request: &PriceRequest,
        extra: Option<PricingRule>,
        counts_codes: bool,
    ) -> Result<Quote> {
        request.check()?;
        if !request.codes.is_empty() {
            self.check_codes_are_on("codes")?;
        }
        let event = self.event(ctx, request.event).await?;
        let supply = self.supply(ctx, event.id).await?;
        let of_zone = with_type_of_zone(request, &supply.types, &supply.pools, ctx.now)?;
        let request = of_zone.as_ref().unwrap_or(request);
        let codes = if counts_codes { request.codes.len() } else { 0 };
        let mut guesses = self.guesses.take(ctx, &request.buyer, codes)?;
        let quote = self.quote_of(ctx, (request, extra), (event, supply), &mut guesses).await;
        if let Err(error) = &quote {
            guesses.failed(error);
        }
        quote
    }

    /// Returns what a basket of an event costs. Its codes are counted already; those that are accepted are given back.
    async fn quote_of(
        &self,
        ctx: &Ctx,
        (request, extra): (&PriceRequest, Option<PricingRule>),
        (event, mut supply): (Event, Supply),
        guesses: &mut Guesses<'_>,
    ) -> Result<Quote> {
        let codes = self.check_codes(ctx, request, &supply.types).await?;
        let of_promotions = codes.accepted.len();
        guesses.accepted(of_promotions);
        let shown = codes.accepted.iter().flat_map(|code| &code.promotion.attributes.shows);
        let shown: BTreeSet<_> = shown.copied().collect();
        retain_shown(ctx, &mut supply.types, &request.lines, &shown)?;
        let stored = self.reads.pricing_rules(ctx.tenant).await?;
        let rules = self.rules(event.id, stored.iter().chain(extra.as_ref()));
        let (currency, lines) = priced_lines(ctx, request, &supply.types, &rules)?;
        let terms = self.terms(ctx, &event, (supply, ctx.now)).await?;
        let calculation = Calculation::new(currency, lines);
        let mut calls = PriceCalls::new(CallShare::of(ctx));
        let quote = self.make(ctx, (request, codes), &terms, (calculation, &rules[..]), &mut calls).await?;
        guesses.accepted(quote.codes.len() - of_promotions);
        Ok(quote)
    }

    /// Reads what an event sells.
    pub(super) async fn supply(&self, ctx: &Ctx, event: EventId) -> Result<Supply> {
        let types = self.store.ticket_types(ctx.tenant, event).await?;
        let pools = self.store.pools(ctx.tenant, &[event]).await?;
        Ok(Supply { types, pools })
    }

    /// Returns the terms at a time. The supply is dropped: it may be large, and plugins may take a while.
    pub(super) async fn terms<'a>(
        &self,
        ctx: &Ctx,
        event: &'a Event,
        (supply, now): (Supply, Timestamp),
    ) -> Result<Terms<'a>> {
        let Supply { types, pools } = supply;
        let remaining =
            types.iter().map(|of| (of.id, Remaining::of(of.id, &of.attributes.pools, &pools))).collect();
        let sold: BTreeMap<TicketTypeId, Percent> =
            types.iter().map(|of| (of.id, sold_share(of, &pools))).collect();
        drop((types, pools));
        let venue = match event.attributes.venue {
            Some(id) => self.store.venue(ctx.tenant, id).await?,
            None => None,
        };
        let circumstances = circumstances(now, event, venue.as_ref(), sold)?;
        Ok(Terms { event, venue, circumstances, remaining })
    }

    /// Returns the rules that may apply to an event, in their order.
    pub(super) fn rules<'r>(
        &self,
        event: EventId,
        all: impl Iterator<Item = &'r PricingRule>,
    ) -> Vec<&'r PricingRule> {
        let applies =
            |rule: &&PricingRule| rule.applies_to(event) && self.settings.applies(rule.attributes.kind);
        let mut rules: Vec<_> = all.filter(applies).collect();
        rules.sort_by_key(|rule| rule.rank());
        rules
    }

    async fn check_codes(
        &self,
        ctx: &Ctx,
        request: &PriceRequest,
        types: &[TicketType],
    ) -> Result<CheckedCodes> {
        // All lines have the currency of the first one, or are refused.
        let first = request.lines.first().map(|line| line.ticket_type);
        let priced = types.iter().find(|of| Some(of.id) == first);
        let purchase = Purchase {
            event: request.event,
            now: ctx.now,
            currency: priced.map(|of| of.attributes.price.currency.as_str()),
            lines: request.lines.iter().map(|line| (Some(line.ticket_type), line.quantity)).collect(),
        };
        let entered = (request.buyer.as_str(), &request.codes[..]);
        Ok(FoundCodes::find(&*self.store, ctx, entered, &purchase).await?.check(&purchase))
    }

    /// Makes a quote from base prices: rules, promotions, plugins, fees and taxes.
    pub(super) async fn make(
        &self,
        ctx: &Ctx,
        (request, codes): (&PriceRequest, CheckedCodes),
        terms: &Terms<'_>,
        (mut calculation, rules): (Calculation, &[&PricingRule]),
        calls: &mut PriceCalls,
    ) -> Result<Quote> {
        let circumstances = &terms.circumstances;
        apply(&mut calculation, rules, circumstances, |phase| phase == Phase::Prices)?;
        apply_promotions(&mut calculation, &codes.accepted)?;
        let mut quote = Quote {
            id: QuoteId::generate(),
            event: terms.event.id,
            buyer: request.buyer.clone(),
            channel: request.channel.clone(),
            currency: calculation.currency().to_owned(),
            lines: Vec::new(),
            adjustments: Vec::new(),
            codes: Vec::new(),
            refused_codes: Vec::new(),
            claims: Vec::new(),
            calls: Vec::new(),
            basket: None,
            created_by: ctx.principal.to_string(),
            created_at: ctx.now,
            expires_at: ctx.now.plus(self.settings.quote_lifetime),
        };
        if self.settings.dynamic {
            let active = self.reads.active_installations(ctx.tenant, 0).await?;
            if active.pricing(terms.event.id).next().is_some() {
                let place = (terms.event, terms.venue.as_ref());
                let buyer = (!request.buyer.is_empty()).then(|| Field::new("id", request.buyer.as_str()));
                let basket = Basket {
                    codes: codes.unknown.clone(),
                    channel: request.channel.clone(),
                    buyer: buyer.into_iter().collect(),
                    ..basket(place, (circumstances, &terms.remaining), &calculation)?
                };
                let calls = (calls, circumstances.now);
                self.call_plugins(ctx, (&active, basket), calls, &mut calculation, &mut quote).await?;
            }
        }
        apply(&mut calculation, rules, circumstances, |phase| phase != Phase::Prices)?;
        (quote.lines, quote.adjustments) = calculation.into_parts();
        sort_codes(&mut quote, &request.codes, codes);
        check_size(&quote)?;
        Ok(quote)
    }

    /// Calls the pricing plugins in their order. Each is given the adjustments of the steps before.
    async fn call_plugins(
        &self,
        ctx: &Ctx,
        (active, basket): (&ActiveInstallations, Basket),
        (calls, now): (&mut PriceCalls, Timestamp),
        calculation: &mut Calculation,
        quote: &mut Quote,
    ) -> Result<()> {
        for installation in active.pricing(quote.event) {
            let applied = calculation.adjustments().iter();
            let applied = applied.map(|step| (step.source.to_string(), step.adjustment.clone())).collect();
            let request = Basket { applied, ..basket.clone() };
            let applied = calculation.adjustments().len();
            // An answer that the contract does not allow leaves the calculation as it was.
            let mut after = (calculation.clone(), quote.refused_codes.clone());
            let source = Source::Plugin(installation.id, installation.release.digest);
            let check = |reply: &PriceAdjustments| {
                apply_reply(source, reply, &basket.codes, (&mut after.0, &mut after.1))
            };
            let plugin = (&**installation, &active.limits);
            let how = (&mut *calls, check);
            let answered = self.commands.hooks().price(ctx, plugin, (now, request), how).await?;
            if answered {
                (*calculation, quote.refused_codes) = after;
            }
            quote.calls.push(PricingCall {
                installation: installation.id,
                plugin: installation.label(),
                digest: installation.release.digest,
                version: installation.version,
                settings: Arc::clone(&installation.settings),
                applied,
                failed: !answered,
            });
        }
        quote.basket = Some(Box::new(basket));
        Ok(())
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

/// Applies the discounts of accepted codes, in their order.
fn apply_promotions(calculation: &mut Calculation, accepted: &[AcceptedCode]) -> Result<()> {
    for AcceptedCode { entered, promotion, .. } in accepted {
        calculation.apply_promotion(promotion, entered).map_err(|reason| {
            let name = &promotion.attributes.name;
            let message = format!("the promotion {name:?} cannot be applied: {reason}");
            Error::new(ErrorKind::Precondition, RULE_FAILED, message)
        })?;
    }
    Ok(())
}

/// Sorts the codes that were entered into those that a promotion or a plugin has accepted and those that are refused,
/// both in the order of entry: another order would tell which of them promotions have.
fn sort_codes(quote: &mut Quote, entered: &[String], checked: CheckedCodes) {
    let is_accepted = |code: &String| {
        checked.accepted.iter().any(|accepted| accepted.entered == *code)
            || quote.adjustments.iter().any(|step| step.adjustment.code.as_ref() == Some(code))
    };
    let (codes, others): (Vec<_>, Vec<_>) = entered.iter().cloned().partition(is_accepted);
    let mut refused = checked.refused;
    refused.append(&mut quote.refused_codes);
    let refusal = |code: String| {
        let found = refused.iter().find(|refused| refused.code == code);
        found.cloned().unwrap_or_else(|| RefusedCode { code, reason: NOT_VALID.to_owned() })
    };
    quote.refused_codes = others.into_iter().map(refusal).collect();
    quote.claims = checked.accepted.into_iter().map(|accepted| accepted.claim).collect();
    quote.codes = codes;
}

/// Refuses a quote that is too large to be stored.
fn check_size(quote: &Quote) -> Result<()> {
    let size = quote.size();
    if size <= MAX_SIZE {
        return Ok(());
    }
    let message = format!(
        "the quote has {} lines, {} adjustments and {} calls of plugins, whose settings it keeps, with about {size} \
         bytes; at most {MAX_SIZE} are stored: price fewer lines at once, let fewer rules and plugins adjust each \
         line, or give plugins shorter settings",
        quote.lines.len(),
        quote.adjustments.len(),
        quote.calls.len(),
    );
    Err(Error::new(ErrorKind::TooLarge, "QUOTE_TOO_LARGE", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::promotion::{CodeClaim, test_promotion};

    fn quote() -> Quote {
        Quote {
            id: QuoteId::generate(),
            event: EventId::generate(),
            buyer: String::new(),
            channel: String::new(),
            currency: "EUR".into(),
            lines: Vec::new(),
            adjustments: Vec::new(),
            codes: Vec::new(),
            refused_codes: Vec::new(),
            claims: Vec::new(),
            calls: Vec::new(),
            basket: None,
            created_by: "system".into(),
            created_at: Timestamp::default(),
            expires_at: Timestamp::default(),
        }
    }

    fn refused(code: &str, reason: &str) -> RefusedCode {
        RefusedCode { code: code.into(), reason: reason.into() }
    }

    #[test]
    fn every_entered_code_is_accepted_or_refused() {
        let promotion = test_promotion(None);
        let claim = CodeClaim { code: "VIP".into(), promotion: promotion.id };
        let accepted = vec![AcceptedCode { entered: "vip".into(), claim: claim.clone(), promotion }];
        let unknown = ["a", "b", "c"].map(str::to_owned).into();
        let checked = CheckedCodes { accepted, refused: vec![refused("old", "expired")], unknown };
        let entered = ["a", "vip", "b", "old", "c"].map(str::to_owned);
        let by_plugins = vec![refused("c", "not here"), refused("b", "not today")];
        let mut quote = Quote { refused_codes: by_plugins, ..quote() };
        sort_codes(&mut quote, &entered, checked);
        assert_eq!((quote.codes, quote.claims), (vec!["vip".to_owned()], vec![claim]));
        let expected = [
            refused("a", NOT_VALID),
            refused("b", "not today"),
            refused("old", "expired"),
            refused("c", "not here"),
        ];
        assert_eq!(quote.refused_codes, expected);
    }

    #[test]
    fn quote_that_is_too_large_is_refused() {
        let codes = |bytes: usize| Quote { codes: vec!["x".repeat(bytes)], ..quote() };
        assert!(check_size(&codes(MAX_SIZE / 2 - 2)).is_ok());
        let error = check_size(&codes(MAX_SIZE / 2 - 1)).unwrap_err();
        assert_eq!((error.kind(), error.reason()), (ErrorKind::TooLarge, "QUOTE_TOO_LARGE"));
    }
}
