//! What becomes of the codes that a buyer entered: a promotion accepts or refuses them, or has none of them.

use std::collections::BTreeMap;

use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::{EventId, PromotionId, TicketTypeId};
use crate::ports::Store;
use crate::pricing::promotion::{CodeClaim, Discount, Promotion, PromotionCode, canonical};
use crate::pricing::quote::RefusedCode;
use crate::time::Timestamp;

/// What buyers are told of a code that is unknown, disabled, not valid yet or of another event. It is the same, so that
/// none of these codes can be found out.
pub(super) const NOT_VALID: &str = "the code is not valid";

const EXPIRED: &str = "the code has expired";
const USED_UP: &str = "the code has been used up";
const USED_BY_BUYER: &str = "you have used this promotion as often as is allowed";
const OTHER_BASKET: &str = "the code is not for this basket";
const NOT_COMBINABLE: &str = "the code cannot be combined with another";

/// Entered codes, each with what the store has of it.
pub(super) struct FoundCodes {
    codes: Vec<(String, Option<(PromotionCode, Promotion)>)>,
    /// How often the buyer has used the promotions that limit it.
    buyer_uses: BTreeMap<PromotionId, u32>,
}

/// What codes are checked for.
pub(super) struct Purchase<'a> {
    /// The event.
    pub(super) event: EventId,
    /// The time.
    pub(super) now: Timestamp,
    /// The currency of the prices; `None`: any.
    pub(super) currency: Option<&'a str>,
    /// The units, each with their ticket type; `None`: any type.
    pub(super) lines: Vec<(Option<TicketTypeId>, u32)>,
}

/// A code that a promotion accepts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct AcceptedCode {
    /// The code as it was entered.
    pub(super) entered: String,
    /// Its claim.
    pub(super) claim: CodeClaim,
    /// Its promotion; without the discount if it is accepted only for the ticket types that it shows.
    pub(super) promotion: Promotion,
}

/// Entered codes by what became of them, each list in the order of entry.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct CheckedCodes {
    /// Those that promotions accept.
    pub(super) accepted: Vec<AcceptedCode>,
    /// Those that promotions refuse.
    pub(super) refused: Vec<RefusedCode>,
    /// Those that no promotion has, or that are refused as if none had them. Plugins may accept them.
    pub(super) unknown: Vec<String>,
}

impl FoundCodes {
    /// Looks the codes of a buyer up, all at once.
    pub(super) async fn find(
        store: &dyn Store,
        ctx: &Ctx,
        (buyer, entered): (&str, &[String]),
        purchase: &Purchase<'_>,
    ) -> Result<Self> {
        let canonicals: Vec<String> = entered.iter().filter_map(|code| canonical(code)).collect();
        let found = if canonicals.is_empty() {
            Vec::new()
        } else {
            store.promotion_codes(ctx.tenant, &canonicals).await?
        };
        let mut buyer_uses = BTreeMap::new();
        // Without a key a caller may name any buyer, and would learn what that one has bought.
        if ctx.is_authenticated() && !buyer.is_empty() {
            for (_, promotion) in &found {
                let is_limited = promotion.attributes.max_uses_per_buyer.is_some()
                    && closed(promotion, purchase).is_none();
                if is_limited && !buyer_uses.contains_key(&promotion.id) {
                    let uses = store.count_code_uses(ctx.tenant, promotion.id, buyer).await?;
                    buyer_uses.insert(promotion.id, uses);
                }
            }
        }
        let of = |code: &String| {
            let canonical = canonical(code)?;
            found.iter().find(|(found, _)| found.code == canonical).cloned()
        };
        Ok(Self { codes: entered.iter().map(|code| (code.clone(), of(code))).collect(), buyer_uses })
    }

    /// Decides which codes are accepted, in the order of entry.
    pub(super) fn check(self, purchase: &Purchase<'_>) -> CheckedCodes {
        let mut checked = CheckedCodes::default();
        for (entered, found) in self.codes {
            let Some((code, mut promotion)) = found else {
                checked.unknown.push(entered);
                continue;
            };
            let uses_of_buyer = self.buyer_uses.get(&promotion.id).copied();
            let is_reduced = is_reduced(&promotion, purchase);
            let is_for_basket = is_reduced || shows_a_line(&promotion, purchase);
            let refusal = closed(&promotion, purchase)
                .or_else(|| used_up((&code, &promotion), uses_of_buyer, &checked.accepted))
                .or_else(|| (!is_for_basket).then_some(OTHER_BASKET))
                .or_else(|| clash((&code, &promotion), &checked.accepted));
            match refusal {
                Some(NOT_VALID) => checked.unknown.push(entered),
                Some(reason) => {
                    checked.refused.push(RefusedCode { code: entered, reason: reason.to_owned() });
                }
                None => {
                    if !is_reduced {
                        promotion.attributes.discount = None;
                    }
                    let claim = CodeClaim { code: code.code, promotion: promotion.id };
                    checked.accepted.push(AcceptedCode { entered, claim, promotion });
                }
            }
        }
        checked
    }
}

/// Returns why a promotion's codes are not accepted for the event now.
fn closed(promotion: &Promotion, purchase: &Purchase<'_>) -> Option<&'static str> {
    let attributes = &promotion.attributes;
    let is_open = attributes.enabled
        && attributes.event.is_none_or(|only| only == purchase.event)
        && attributes.valid_from.is_none_or(|from| from <= purchase.now);
    if !is_open {
        Some(NOT_VALID)
    } else if attributes.valid_until.is_some_and(|until| until <= purchase.now) {
        Some(EXPIRED)
    } else {
        None
    }
}

/// Returns which limit of uses is reached, with the codes that were accepted before.
fn used_up(
    (code, promotion): (&PromotionCode, &Promotion),
    uses_of_buyer: Option<u32>,
    accepted: &[AcceptedCode],
) -> Option<&'static str> {
    let attributes = &promotion.attributes;
    let before = accepted.iter().filter(|other| other.promotion.id == promotion.id).count();
    let before = u32::try_from(before).unwrap_or(u32::MAX);
    let is_reached = |limit: Option<u32>, uses: u32| limit.is_some_and(|limit| uses >= limit);
    let of_promotion = is_reached(attributes.max_uses, promotion.uses.saturating_add(before));
    if of_promotion || is_reached(attributes.max_uses_per_code, code.uses) {
        Some(USED_UP)
    } else if is_reached(attributes.max_uses_per_buyer, uses_of_buyer.unwrap_or(0).saturating_add(before)) {
        Some(USED_BY_BUYER)
    } else {
        None
    }
}

/// Returns whether a promotion is for a basket by its ticket types, their number and the currency.
fn is_reduced(promotion: &Promotion, purchase: &Purchase<'_>) -> bool {
    let attributes = &promotion.attributes;
    let lines = purchase.lines.iter();
    let units = lines.filter(|(ticket_type, _)| ticket_type.is_none_or(|id| promotion.is_for(id)));
    let units: u64 = units.map(|(_, units)| u64::from(*units)).sum();
    let is_other_currency = match &attributes.discount {
        Some(Discount::Amount(money, _)) => purchase.currency.is_some_and(|of| of != money.currency),
        Some(Discount::Percent(_)) | None => false,
    };
    units >= attributes.min_quantity.unwrap_or(1).into() && !is_other_currency
}

/// Returns whether a basket has a ticket type that is sold only with codes such as the promotion's.
fn shows_a_line(promotion: &Promotion, purchase: &Purchase<'_>) -> bool {
    let shows = &promotion.attributes.shows;
    purchase.lines.iter().any(|(ticket_type, _)| ticket_type.is_some_and(|id| shows.contains(&id)))
}

/// Returns why a code is not accepted beside those that were accepted before.
fn clash((code, promotion): (&PromotionCode, &Promotion), accepted: &[AcceptedCode]) -> Option<&'static str> {
    let is_combinable = |other: &AcceptedCode| {
        promotion.attributes.combinable
            && other.promotion.attributes.combinable
            // It may be entered twice, in upper and in lower case.
            && other.claim.code != code.code
    };
    (!accepted.iter().all(is_combinable)).then_some(NOT_COMBINABLE)
}

#[cfg(test)]
mod tests;
