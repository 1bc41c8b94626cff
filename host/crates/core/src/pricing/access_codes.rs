//! Access codes: codes of promotions that show hidden ticket types to callers without a key.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalog::TicketType;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{EventId, TicketTypeId};
use crate::ports::Store;
use crate::pricing::code_guesses::CodeGuesses;
use crate::pricing::promotion::{Promotion, canonical};
use crate::time::Timestamp;

/// The field of requests with an access code.
const FIELD: &str = "access_code";

/// Looks up which hidden ticket types an access code shows.
#[derive(Clone)]
pub struct AccessCodes {
    store: Arc<dyn Store>,
    guesses: Arc<CodeGuesses>,
    /// Whether codes are accepted on this host.
    enabled: bool,
}

impl AccessCodes {
    /// Creates the look-up.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guesses: Arc<CodeGuesses>, enabled: bool) -> Self {
        Self { store, guesses, enabled }
    }

    /// Returns the hidden ticket types that a code shows to the caller; none for an empty code. Only codes of the event
    /// that show some are accepted; `None`: of any event. For a caller with a key, who sees all of them anyway, the code
    /// is not looked up.
    pub async fn shown(
        &self,
        ctx: &Ctx,
        event: Option<EventId>,
        code: &str,
    ) -> Result<BTreeSet<TicketTypeId>> {
        if code.is_empty() || ctx.is_authenticated() {
            return Ok(BTreeSet::new());
        }
        if !self.enabled {
            let message = "is set, but codes are switched off on this host (DISCOUNT_RULES_ENABLED)";
            return Err(Error::invalid(FIELD, message));
        }
        let mut guess = self.guesses.take(ctx, "", 1)?;
        let found = match canonical(code) {
            Some(code) => {
                let found = self.store.promotion_codes(ctx.tenant, &[code]).await;
                found.inspect_err(|error| guess.failed(error))?
            }
            None => Vec::new(),
        };
        let promotion = found.into_iter().next().map(|(_, promotion)| promotion);
        let shown = shown_by(promotion, event, ctx.now).map_err(|reason| Error::invalid(FIELD, reason))?;
        guess.accepted(1);
        Ok(shown)
    }

    /// Returns the same for a request for one ticket type. One that does not exist is of an event of its own, so that
    /// the refusal of a code does not tell it from one that is hidden.
    pub async fn shown_for(
        &self,
        ctx: &Ctx,
        ticket_type: Option<&TicketType>,
        code: &str,
    ) -> Result<BTreeSet<TicketTypeId>> {
        let event = ticket_type.map_or_else(EventId::generate, |ticket_type| ticket_type.event);
        self.shown(ctx, Some(event), code).await
    }
}

/// Returns the ticket types that the codes of a promotion show now, or why its codes are not accepted. An unknown code
/// is refused like one that is disabled, not valid yet, of another event, or that shows nothing.
fn shown_by(
    promotion: Option<Promotion>,
    event: Option<EventId>,
    now: Timestamp,
) -> Result<BTreeSet<TicketTypeId>, &'static str> {
    let promotion = promotion.map(|promotion| promotion.attributes);
    let is_of_event = |only: EventId| event.is_none_or(|event| event == only);
    let open = promotion.filter(|promotion| {
        promotion.enabled
            && !promotion.shows.is_empty()
            && promotion.event.is_none_or(is_of_event)
            && promotion.valid_from.is_none_or(|from| from <= now)
    });
    match open {
        None => Err("is not valid; leave it out to see the public ticket types"),
        Some(promotion) if promotion.valid_until.is_some_and(|until| until <= now) => {
            Err("has expired; leave it out to see the public ticket types")
        }
        Some(promotion) => Ok(promotion.shows),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id::PromotionId;
    use crate::pricing::promotion::WritePromotion;

    fn promotion(now: Timestamp, shows: BTreeSet<TicketTypeId>) -> Promotion {
        let attributes = WritePromotion {
            name: "Friends".into(),
            event: None,
            ticket_types: BTreeSet::new(),
            discount: None,
            shows,
            min_quantity: None,
            valid_from: None,
            valid_until: None,
            max_uses: None,
            max_uses_per_buyer: None,
            max_uses_per_code: None,
            combinable: false,
            enabled: true,
        };
        Promotion {
            id: PromotionId::generate(),
            attributes,
            codes: 1,
            uses: 0,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    #[test]
    fn code_shows_types_only_while_its_promotion_is_enabled_and_valid() {
        let start = Timestamp::default();
        let at = |seconds| start.plus(Duration::from_secs(seconds));
        let shows = BTreeSet::from([TicketTypeId::generate()]);
        let mut promotion = promotion(start, shows.clone());
        promotion.attributes.valid_from = Some(at(10));
        promotion.attributes.valid_until = Some(at(20));
        let is_refused = |promotion: &Promotion, now, with: &str| {
            shown_by(Some(promotion.clone()), None, now).is_err_and(|reason| reason.starts_with(with))
        };
        assert!(is_refused(&promotion, at(9), "is not valid"));
        assert_eq!(shown_by(Some(promotion.clone()), None, at(10)), Ok(shows.clone()));
        assert_eq!(shown_by(Some(promotion.clone()), None, at(19)), Ok(shows));
        assert!(is_refused(&promotion, at(20), "has expired"));
        promotion.attributes.enabled = false;
        assert!(is_refused(&promotion, at(15), "is not valid"));
        let unknown = shown_by(None, None, at(15));
        assert_eq!(unknown, shown_by(Some(promotion), None, at(15)), "told alike");
    }

    #[test]
    fn code_of_another_event_or_that_shows_nothing_looks_unknown() {
        let now = Timestamp::default();
        let (here, other) = (EventId::generate(), EventId::generate());
        let shows = BTreeSet::from([TicketTypeId::generate()]);
        let of = |event: Option<EventId>, shows: &BTreeSet<TicketTypeId>| {
            let mut promotion = promotion(now, shows.clone());
            promotion.attributes.event = event;
            promotion
        };
        for (promotion, event, is_accepted) in [
            (of(None, &shows), Some(here), true),
            (of(Some(here), &shows), Some(here), true),
            (of(Some(here), &shows), None, true),
            (of(Some(other), &shows), Some(here), false),
            (of(None, &BTreeSet::new()), Some(here), false),
            (of(None, &BTreeSet::new()), None, false),
        ] {
            let expected = if is_accepted { Ok(shows.clone()) } else { shown_by(None, event, now) };
            assert_eq!(shown_by(Some(promotion), event, now), expected);
        }
    }
}
