//! What single codes give, without a basket.

use std::collections::BTreeSet;

use super::Quotes;
use crate::access::Operation;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{EventId, TicketTypeId};
use crate::pricing::Calculation;
use crate::pricing::codes::{AcceptedCode, CheckedCodes, FoundCodes, NOT_VALID, Purchase};
use crate::pricing::line::PricedLine;
use crate::pricing::price_request::{AppliedDiscount, ApplyDiscount};

impl Quotes {
    /// Returns what a code of a promotion takes off a price.
    pub async fn apply_discount(&self, ctx: &Ctx, request: &ApplyDiscount) -> Result<AppliedDiscount> {
        ctx.allow(Operation::DiscountApply)?;
        request.check()?;
        self.check_codes_are_on("discount_code")?;
        let event = self.event(ctx, request.event).await?;
        let purchase = Purchase {
            event: event.id,
            now: ctx.now,
            currency: Some(request.original.currency.as_str()),
            lines: vec![(request.ticket_type, request.quantity.max(1))],
        };
        let entry = (request.buyer.as_str(), request.code.as_str());
        let CheckedCodes { mut accepted, mut refused, .. } = self.check_code(ctx, entry, &purchase).await?;
        let accepted = accepted.pop();
        // After the code is counted, so that the limit does not tell hidden ticket types from unknown ones.
        if let Some(ticket_type) = request.ticket_type {
            let shown = accepted.as_ref().map(|of| of.promotion.attributes.shows.clone());
            self.check_type(ctx, (event.id, ticket_type), &shown.unwrap_or_default()).await?;
        }
        let Some(AcceptedCode { entered, promotion, .. }) = accepted else {
            let reason = refused.pop().map_or_else(|| NOT_VALID.to_owned(), |refused| refused.reason);
            return Ok(AppliedDiscount { amount: 0, reason, is_valid: false });
        };
        // A price without a ticket type is one of those that the promotion is for.
        let of_promotion = || promotion.attributes.ticket_types.first().copied();
        let price = PricedLine {
            ticket_type: request.ticket_type.or_else(of_promotion).unwrap_or_else(TicketTypeId::generate),
            name: String::new(),
            category: String::new(),
            quantity: request.quantity.max(1),
            unit_price: request.original.amount,
            amount: request.original.amount,
        };
        let mut calculation = Calculation::new(request.original.currency.clone(), vec![price]);
        calculation
            .apply_promotion(&promotion, &entered)
            .map_err(|reason| Error::invalid("original_price", format!("cannot be reduced: {reason}")))?;
        let left: i64 = calculation.lines().iter().map(|line| line.amount).sum();
        let reason = promotion.attributes.name;
        Ok(AppliedDiscount { amount: request.original.amount - left, reason, is_valid: true })
    }

    /// Looks a code up for a buyer, and counts it if it is not accepted.
    async fn check_code(
        &self,
        ctx: &Ctx,
        (buyer, code): (&str, &str),
        purchase: &Purchase<'_>,
    ) -> Result<CheckedCodes> {
        let mut guesses = self.guesses.take(ctx, buyer, 1)?;
        let entered = [code.to_owned()];
        let found = FoundCodes::find(&*self.store, ctx, (buyer, &entered), purchase).await;
        let checked = found.inspect_err(|error| guesses.failed(error))?.check(purchase);
        guesses.accepted(checked.accepted.len());
        Ok(checked)
    }

    /// Refuses a ticket type that the event does not have, or that is hidden from the caller.
    async fn check_type(
        &self,
        ctx: &Ctx,
        (event, id): (EventId, TicketTypeId),
        shown: &BTreeSet<TicketTypeId>,
    ) -> Result<()> {
        let found = self.store.ticket_type(ctx.tenant, id).await?;
        if found.is_some_and(|of| of.event == event && of.is_visible(ctx, shown)) {
            return Ok(());
        }
        let message = format!("is {id}, which is no ticket type of the event");
        Err(Error::not_found("ticket-type").at("ticket_type_id", message))
    }
}
