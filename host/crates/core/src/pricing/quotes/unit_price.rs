//! Prices of single units in given circumstances.

use std::mem;
use std::sync::Arc;

use super::Quotes;
use super::making::Terms;
use crate::catalog::{Event, TicketType};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::TicketTypeId;
use crate::inventory::LineRequest;
use crate::plugin::{CallShare, PriceCalls};
use crate::pricing::base_prices::priced_line;
use crate::pricing::basket::circumstances;
use crate::pricing::codes::CheckedCodes;
use crate::pricing::price_request::{PriceRequest, UnitCircumstances};
use crate::pricing::{Calculation, Percent, PricingRule, Quote};

/// Computes prices of single units of an event. What they depend on is read once, and all plugin calls have one budget.
pub(in crate::pricing) struct UnitPrices<'a> {
    quotes: &'a Quotes,
    ctx: &'a Ctx,
    terms: Terms<'a>,
    rules: Arc<[PricingRule]>,
    calls: PriceCalls,
}

impl Quotes {
    /// Reads what the prices of an event's units depend on, and returns its ticket types that are not hidden. Plugin calls
    /// use a share of the sandbox. Whether the caller may see the event is for the caller of this function to check.
    pub(in crate::pricing) async fn unit_prices<'a>(
        &'a self,
        ctx: &'a Ctx,
        event: &'a Event,
        share: CallShare,
    ) -> Result<(UnitPrices<'a>, Vec<TicketType>)> {
        let supply = self.supply(ctx, event.id).await?;
        let shown: Vec<_> = supply.types.iter().filter(|of| !of.attributes.hidden).cloned().collect();
        let terms = self.terms(ctx, event, (supply, ctx.now)).await?;
        let rules = self.reads.pricing_rules(ctx.tenant).await?;
        Ok((UnitPrices { quotes: self, ctx, terms, rules, calls: PriceCalls::new(share) }, shown))
    }
}

impl UnitPrices<'_> {
    /// Returns the share of a ticket type's units that are held or sold.
    pub(in crate::pricing) fn sold(&self, ticket_type: TicketTypeId) -> Percent {
        self.terms.circumstances.sold(ticket_type)
    }

    /// Returns what one unit of a ticket type costs without codes, at a time and with a share of the units sold.
    pub(in crate::pricing) async fn price(
        &mut self,
        ticket_type: &TicketType,
        at: UnitCircumstances,
    ) -> Result<Quote> {
        let (event, price) = (self.terms.event.id, &ticket_type.attributes.price);
        let line = priced_line(ticket_type, "", 1, price.amount);
        let calculation = Calculation::new(price.currency.clone(), vec![line]);
        let requested = LineRequest {
            ticket_type: ticket_type.id,
            quantity: 1,
            seats: Vec::new(),
            category: String::new(),
        };
        let request = PriceRequest {
            event,
            lines: vec![requested],
            by_zone: false,
            codes: Vec::new(),
            buyer: String::new(),
            channel: String::new(),
        };
        let terms = at_point(&self.terms, ticket_type.id, at)?;
        let rules = self.quotes.rules(event, self.rules.iter());
        let basket = (&request, CheckedCodes::default());
        self.quotes.make(self.ctx, basket, &terms, (calculation, &rules[..]), &mut self.calls).await
    }
}

/// Returns the terms at another time, and with another share of a ticket type's units sold.
fn at_point<'a>(terms: &Terms<'a>, ticket_type: TicketTypeId, at: UnitCircumstances) -> Result<Terms<'a>> {
    let mut terms = terms.clone();
    let sold = mem::take(&mut terms.circumstances.sold);
    terms.circumstances = circumstances(at.now, terms.event, terms.venue.as_ref(), sold)?;
    if let Some(share) = at.sold {
        set_sold(&mut terms, ticket_type, share);
    }
    Ok(terms)
}

/// Sets the share of a ticket type's units that are sold, and with it how many are left.
fn set_sold(terms: &mut Terms<'_>, ticket_type: TicketTypeId, share: Percent) {
    terms.circumstances.sold.insert(ticket_type, share);
    if let Some(remaining) = terms.remaining.get_mut(&ticket_type) {
        remaining.available = remaining.quantity.map(|quantity| {
            let sold = share.of(i64::try_from(quantity).unwrap_or(i64::MAX));
            quantity.saturating_sub(u64::try_from(sold).unwrap_or(0))
        });
    }
}
