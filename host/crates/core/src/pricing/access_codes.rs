//! Access codes: codes of promotions that show hidden ticket types to callers without a key.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::TicketTypeId;
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

    /// Returns the hidden ticket types that a code shows to the caller; none for an empty code. For a caller with a key,
    /// who sees all of them anyway, the code is not looked up.
    pub async fn shown(&self, ctx: &Ctx, code: &str) -> Result<BTreeSet<TicketTypeId>> {
        if code.is_empty() || ctx.is_authenticated() {
            return Ok(BTreeSet::new());
        }
        if !self.enabled {
            let message = "is set, but codes are switched off on this host (DISCOUNT_RULES_ENABLED)";
            return Err(Error::invalid(FIELD, message));
        }
        let mut guess = self.guesses.take(ctx, "", 1)?;
        let found = match canonical(code) {
            Some(code) => self.store.promotion_codes(ctx.tenant, &[code]).await?,
            None => Vec::new(),
        };
        let promotion = found.into_iter().next().map(|(_, promotion)| promotion);
        let shown = shown_by(promotion, ctx.now).map_err(|reason| Error::invalid(FIELD, reason))?;
        guess.accepted(1);
        Ok(shown)
    }
}

/// Returns the ticket types that the codes of a promotion show now, or why its codes are not accepted. An unknown code
/// is refused like one that is disabled or not valid yet.
fn shown_by(promotion: Option<Promotion>, now: Timestamp) -> Result<BTreeSet<TicketTypeId>, &'static str> {
    let promotion = promotion.map(|promotion| promotion.attributes);
    let begun = promotion
        .filter(|promotion| promotion.enabled && promotion.valid_from.is_none_or(|from| from <= now));
    match begun {
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
            shown_by(Some(promotion.clone()), now).is_err_and(|reason| reason.starts_with(with))
        };
        assert!(is_refused(&promotion, at(9), "is not valid"));
        assert_eq!(shown_by(Some(promotion.clone()), at(10)), Ok(shows.clone()));
        assert_eq!(shown_by(Some(promotion.clone()), at(19)), Ok(shows));
        assert!(is_refused(&promotion, at(20), "has expired"));
        promotion.attributes.enabled = false;
        assert!(is_refused(&promotion, at(15), "is not valid"));
        assert_eq!(shown_by(None, at(15)), shown_by(Some(promotion), at(15)), "told alike");
    }
}
