//! Promotions: what their rows have as JSON, and recorded answers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tessera_core::id::{EventId, PromotionId, TicketTypeId};
use tessera_core::pricing::promotion::Discount;
use tessera_core::pricing::{Promotion, WritePromotion};
use tessera_core::value::Money;
use tessera_core::{Result, Timestamp};
use uuid::Uuid;

use super::pricing::{per_named, percent};
use super::scalar::moment;

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredPromotion {
    pub(crate) id: Uuid,
    pub(crate) event: Option<Uuid>,
    pub(crate) enabled: bool,
    pub(crate) valid_until: Option<i64>,
    pub(crate) terms: StoredPromotionTerms,
    pub(crate) codes: u32,
    pub(crate) uses: u32,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) version: u64,
}

/// Attributes of a promotion that its row has no columns for.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredPromotionTerms {
    name: String,
    discount: Option<StoredDiscount>,
    ticket_types: BTreeSet<Uuid>,
    shows: BTreeSet<Uuid>,
    min_quantity: Option<u32>,
    valid_from: Option<i64>,
    /// The bounds of uses: in all, of a buyer, of a code.
    max_uses: (Option<u32>, Option<u32>, Option<u32>),
    combinable: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredDiscount {
    Percent(u32),
    Amount { amount: i64, currency: String, per: String },
}

pub(crate) fn stored_promotion(promotion: &Promotion) -> StoredPromotion {
    StoredPromotion {
        id: promotion.id.0,
        event: promotion.attributes.event.map(|event| event.0),
        enabled: promotion.attributes.enabled,
        valid_until: promotion.attributes.valid_until.map(Timestamp::micros),
        terms: stored_promotion_terms(&promotion.attributes),
        codes: promotion.codes,
        uses: promotion.uses,
        created_at: promotion.created_at.micros(),
        updated_at: promotion.updated_at.micros(),
        version: promotion.version,
    }
}

pub(crate) fn promotion(stored: StoredPromotion) -> Result<Promotion> {
    let StoredPromotionTerms {
        name,
        discount: stored_discount,
        ticket_types,
        shows,
        min_quantity,
        valid_from,
        max_uses: (max_uses, max_uses_per_buyer, max_uses_per_code),
        combinable,
    } = stored.terms;
    Ok(Promotion {
        id: PromotionId(stored.id),
        attributes: WritePromotion {
            name,
            event: stored.event.map(EventId),
            ticket_types: ticket_types.into_iter().map(TicketTypeId).collect(),
            discount: stored_discount.map(discount).transpose()?,
            shows: shows.into_iter().map(TicketTypeId).collect(),
            min_quantity,
            valid_from: valid_from.map(moment).transpose()?,
            valid_until: stored.valid_until.map(moment).transpose()?,
            max_uses,
            max_uses_per_buyer,
            max_uses_per_code,
            combinable,
            enabled: stored.enabled,
        },
        codes: stored.codes,
        uses: stored.uses,
        created_at: moment(stored.created_at)?,
        updated_at: moment(stored.updated_at)?,
        version: stored.version,
    })
}

pub(crate) fn stored_promotion_terms(promotion: &WritePromotion) -> StoredPromotionTerms {
    let ids = |types: &BTreeSet<TicketTypeId>| types.iter().map(|ticket_type| ticket_type.0).collect();
    StoredPromotionTerms {
        name: promotion.name.clone(),
        discount: promotion.discount.as_ref().map(stored_discount),
        ticket_types: ids(&promotion.ticket_types),
        shows: ids(&promotion.shows),
        min_quantity: promotion.min_quantity,
        valid_from: promotion.valid_from.map(Timestamp::micros),
        max_uses: (promotion.max_uses, promotion.max_uses_per_buyer, promotion.max_uses_per_code),
        combinable: promotion.combinable,
    }
}

fn stored_discount(discount: &Discount) -> StoredDiscount {
    match discount {
        Discount::Percent(percent) => StoredDiscount::Percent(percent.steps()),
        Discount::Amount(amount, per) => StoredDiscount::Amount {
            amount: amount.amount,
            currency: amount.currency.clone(),
            per: per.name().to_owned(),
        },
    }
}

fn discount(stored: StoredDiscount) -> Result<Discount> {
    Ok(match stored {
        StoredDiscount::Percent(steps) => Discount::Percent(percent(steps)?),
        StoredDiscount::Amount { amount, currency, per } => {
            Discount::Amount(Money { amount, currency }, per_named(&per)?)
        }
    })
}
