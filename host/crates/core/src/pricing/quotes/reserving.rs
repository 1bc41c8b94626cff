//! Quotes of reservations: one is named, or it is made when units are reserved.

use super::Quotes;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, QuoteId};
use crate::inventory::{CreateReservation, LineRequest};
use crate::pricing::price_request::PriceRequest;
use crate::pricing::{PricingRule, Quote};

impl Quotes {
    /// Returns the quote that a request names, and takes from it what the request leaves out: the event, the lines, and
    /// the buyer. The quote keeps its channel.
    pub(crate) async fn named(
        &self,
        ctx: &Ctx,
        id: QuoteId,
        request: &mut CreateReservation,
    ) -> Result<Quote> {
        let quote = self.found(ctx, id).await?;
        request.event = request.event.or(Some(quote.event));
        if request.buyer.is_empty() {
            request.buyer.clone_from(&quote.buyer);
        }
        if request.lines.is_empty() {
            let lines = quote.lines.iter().map(|line| LineRequest {
                ticket_type: line.ticket_type,
                quantity: line.quantity,
                seats: Vec::new(),
                category: line.category.clone(),
            });
            request.lines = lines.collect();
        }
        check_matches(&quote, request)?;
        if quote.expires_at <= ctx.now {
            let message = format!("the quote ended at {}; ask for a new one", quote.expires_at);
            return Err(Error::new(ErrorKind::Gone, "QUOTE_EXPIRED", message));
        }
        Ok(quote)
    }

    /// Makes the quote of a reservation that names none. `None`: the base prices apply.
    pub(crate) async fn for_reservation(
        &self,
        ctx: &Ctx,
        request: &CreateReservation,
    ) -> Result<Option<Quote>> {
        let price_request = PriceRequest {
            event: request.event()?,
            lines: request.lines.clone(),
            by_zone: false,
            codes: request.codes.clone(),
            buyer: request.buyer.clone(),
            channel: request.channel.clone(),
        };
        let quote = self.quote(ctx, &price_request, None, true).await?;
        if let Some(refused) = quote.refused_codes.first() {
            let message = format!("have {:?}, which is not accepted: {}", refused.code, refused.reason);
            return Err(Error::invalid("codes", message));
        }
        let is_plain = quote.adjustments.is_empty() && quote.calls.is_empty() && names_no_price(request);
        Ok(if is_plain { None } else { Some(quote) })
    }

    /// Returns whether a reservation that names no quote may cost something else than the base prices.
    pub(crate) async fn may_apply(&self, ctx: &Ctx, request: &CreateReservation) -> Result<bool> {
        if names_no_price(request) { self.applies(ctx, request.event()?).await } else { Ok(true) }
    }

    /// Returns whether rules or plugins may change the prices of an event.
    async fn applies(&self, ctx: &Ctx, event: EventId) -> Result<bool> {
        let rules = self.reads.pricing_rules(ctx.tenant).await?;
        let applies = |rule: &PricingRule| {
            rule.applies_to(event)
                && self.settings.applies(rule.attributes.kind)
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
}

/// Returns whether a request for a reservation names neither codes nor categories, which have prices.
fn names_no_price(request: &CreateReservation) -> bool {
    request.codes.is_empty() && request.lines.iter().all(|line| line.category.is_empty())
}

/// Refuses a reservation that differs from the quote that it names.
fn check_matches(quote: &Quote, request: &CreateReservation) -> Result<()> {
    if request.event != Some(quote.event) {
        return Err(Error::invalid("quote_id", "is of another event"));
    }
    if !quote.buyer.is_empty() && quote.buyer != request.buyer {
        return Err(Error::invalid("quote_id", "was made for another buyer"));
    }
    if !request.channel.is_empty() && request.channel != quote.channel {
        let message = if quote.channel.is_empty() {
            "must be absent: the quote was made without a channel".to_owned()
        } else {
            format!("must be absent or {:?}, the channel that the quote was made for", quote.channel)
        };
        return Err(Error::invalid("channel", message));
    }
    let quoted = quote.lines.iter().map(|line| (line.ticket_type, line.quantity, line.category.as_str()));
    let requested =
        request.lines.iter().map(|line| (line.ticket_type, line.quantity, line.category.as_str()));
    if !quoted.eq(requested) {
        return Err(Error::invalid("quote_id", "is for other lines; reserve the lines that were quoted"));
    }
    Ok(())
}
