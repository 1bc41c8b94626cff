//! The price of one unit in given circumstances.

use super::Quotes;
use super::making::Terms;
use crate::catalog::Event;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::TicketTypeId;
use crate::inventory::LineRequest;
use crate::pricing::base_prices::priced_line;
use crate::pricing::codes::CheckedCodes;
use crate::pricing::price_request::{PriceRequest, UnitCircumstances};
use crate::pricing::{Calculation, Percent, Quote};

impl Quotes {
    /// Returns what one unit of an event's ticket type costs without codes, at a time and with a share of the units sold.
    /// Whether the caller may see the event and the ticket type is for the caller of this function to check.
    pub async fn price_unit(
        &self,
        ctx: &Ctx,
        event: &Event,
        ticket_type: TicketTypeId,
        at: UnitCircumstances,
    ) -> Result<Quote> {
        let mut ctx = ctx.clone();
        ctx.now = at.now;
        let supply = self.supply(&ctx, event.id).await?;
        let of_type = supply.types.iter().find(|of| of.id == ticket_type);
        let of_type = of_type.ok_or_else(|| Error::not_found("ticket-type"))?;
        let price = of_type.attributes.price.clone();
        let line = priced_line(of_type, "", 1, price.amount);
        let mut terms = self.terms(&ctx, event, (supply, at.now)).await?;
        if let Some(share) = at.sold {
            set_sold(&mut terms, ticket_type, share);
        }
        let requested = LineRequest { ticket_type, quantity: 1, seats: Vec::new(), category: String::new() };
        let request = PriceRequest {
            event: event.id,
            lines: vec![requested],
            by_zone: false,
            codes: Vec::new(),
            buyer: String::new(),
            channel: String::new(),
        };
        let stored = self.reads.pricing_rules(ctx.tenant).await?;
        let rules = self.rules(event.id, stored.iter());
        let calculation = Calculation::new(price.currency, vec![line]);
        let codes = CheckedCodes::default();
        self.make(&ctx, (&request, codes), &terms, (calculation, &rules[..])).await
    }
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
