//! What single codes give, without a basket.

use std::collections::BTreeSet;

use super::{Quotes, without_details};
use crate::access::Operation;
use crate::catalog::Event;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{EventId, TicketTypeId};
use crate::plugin::{AdjustmentKind, CallShare, PriceCalls};
use crate::pricing::Calculation;
use crate::pricing::code_guesses::Guesses;
use crate::pricing::codes::{AcceptedCode, CheckedCodes, FoundCodes, NOT_VALID, Purchase};
use crate::pricing::line::PricedLine;
use crate::pricing::price_request::{AppliedDiscount, ApplyDiscount, PriceRequest};

/// What a buyer is told of a code that a plugin may have, where plugins cannot be given a basket.
const ASK_FOR_BASKET: &str =
    "the code is not valid without a basket: calculate the price of the basket with it";

impl Quotes {
    /// Returns what a code takes off a price, and counts a code that is not accepted.
    pub async fn apply_discount(&self, ctx: &Ctx, request: &ApplyDiscount) -> Result<AppliedDiscount> {
        ctx.allow(Operation::DiscountApply)?;
        request.check()?;
        self.check_codes_are_on("discount_code")?;
        let event = self.event(ctx, request.event).await?;
        let mut guesses = self.guesses.take(ctx, &request.buyer, 1)?;
        let applied = self.discount_of(ctx, request, &event, &mut guesses).await;
        if let Err(error) = &applied {
            guesses.failed(error);
        }
        if ctx.is_authenticated() { applied } else { applied.map_err(without_details) }
    }

    /// Returns what a code takes off. It is counted already, and given back if it is accepted.
    async fn discount_of(
        &self,
        ctx: &Ctx,
        request: &ApplyDiscount,
        event: &Event,
        guesses: &mut Guesses<'_>,
    ) -> Result<AppliedDiscount> {
        let purchase = Purchase {
            event: event.id,
            now: ctx.now,
            currency: Some(request.original.currency.as_str()),
            lines: vec![(request.ticket_type, request.quantity.max(1))],
        };
        let entered = [request.code.clone()];
        let found = FoundCodes::find(&*self.store, ctx, (&request.buyer, &entered), &purchase).await?;
        let CheckedCodes { mut accepted, mut refused, unknown } = found.check(&purchase);
        guesses.accepted(accepted.len());
        let accepted = accepted.pop();
        // After the code is counted, so that the limit does not tell hidden ticket types from unknown ones.
        if let Some(ticket_type) = request.ticket_type {
            let shown = accepted.as_ref().map(|of| of.promotion.attributes.shows.clone());
            self.check_type(ctx, (event.id, ticket_type), &shown.unwrap_or_default()).await?;
        }
        if !unknown.is_empty() && self.has_plugins(ctx, event.id).await? {
            return self.discount_by_plugins(ctx, (request, unknown), event, guesses).await;
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

    /// Returns whether pricing plugins apply to an event.
    async fn has_plugins(&self, ctx: &Ctx, event: EventId) -> Result<bool> {
        if !self.settings.dynamic {
            return Ok(false);
        }
        let active = self.reads.active_installations(ctx.tenant, 0).await?;
        Ok(active.pricing(event).next().is_some())
    }

    /// Returns what a code that no promotion has takes off by the pricing plugins. They are given one line with the price.
    /// A price without a ticket type, or that its units do not share equally, has no such line. The code stays counted
    /// then: otherwise codes of promotions could be guessed without a limit.
    async fn discount_by_plugins(
        &self,
        ctx: &Ctx,
        (request, unknown): (&ApplyDiscount, Vec<String>),
        event: &Event,
        guesses: &mut Guesses<'_>,
    ) -> Result<AppliedDiscount> {
        let quantity = request.quantity.max(1);
        let units = i64::from(quantity);
        let supply = self.supply(ctx, event.id).await?;
        let ticket_type = supply.types.iter().find(|of| Some(of.id) == request.ticket_type);
        let Some(ticket_type) = ticket_type.filter(|_| request.original.amount % units == 0) else {
            return Ok(AppliedDiscount { amount: 0, reason: ASK_FOR_BASKET.to_owned(), is_valid: false });
        };
        let line = PricedLine {
            ticket_type: ticket_type.id,
            name: ticket_type.attributes.name.clone(),
            category: String::new(),
            quantity,
            unit_price: request.original.amount / units,
            amount: request.original.amount,
        };
        let calculation = Calculation::new(request.original.currency.clone(), vec![line]);
        let basket = PriceRequest {
            event: event.id,
            lines: Vec::new(),
            by_zone: false,
            codes: unknown.clone(),
            buyer: request.buyer.clone(),
            channel: String::new(),
        };
        let codes = CheckedCodes { unknown, ..CheckedCodes::default() };
        let terms = self.terms(ctx, event, (supply, ctx.now)).await?;
        let mut calls = PriceCalls::new(CallShare::of(ctx));
        // The rules have made the price already.
        let mut quote = self.make(ctx, (&basket, codes), &terms, (calculation, &[]), &mut calls).await?;
        guesses.accepted(quote.codes.len());
        if let Some(refused) = quote.refused_codes.pop() {
            return Ok(AppliedDiscount { amount: 0, reason: refused.reason, is_valid: false });
        }
        let steps = quote.adjustments.iter().map(|step| &step.adjustment);
        let mut steps = steps.filter(|step| step.code.as_ref() == Some(&request.code)).peekable();
        let reason = steps.peek().map(|step| step.label.clone()).unwrap_or_default();
        let discounts = steps.filter(|step| step.kind == AdjustmentKind::Discount);
        let amount: i64 = discounts.map(|step| -step.amount).sum();
        // A plugin before may have raised the price.
        let amount = amount.min(request.original.amount);
        Ok(AppliedDiscount { amount, reason, is_valid: true })
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
