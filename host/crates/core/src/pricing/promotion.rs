//! Promotions: what codes give to the buyers who enter them.

use std::collections::BTreeSet;

use crate::filter::{Kind, Spec};
use crate::id::{EventId, PoolId, PromotionId, ReservationId, TicketTypeId};
use crate::input::input;
use crate::pricing::Percent;
use crate::pricing::rule::Per;
use crate::time::Timestamp;
use crate::value::Money;

/// The most promotions of a tenant.
pub const MAX_PROMOTIONS: usize = 1_000;

/// The most codes of a promotion.
pub const MAX_CODES: u32 = 100_000;

/// The most codes that are created in one call.
pub const MAX_NEW_CODES: usize = 10_000;

/// The longest code, in characters.
pub const MAX_CODE: usize = 40;

/// By how much a promotion reduces the price.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Discount {
    /// A percentage of the price as the rules left it.
    Percent(Percent),
    /// An amount. It reduces a line to zero at most.
    Amount(Money, Per),
}

input! {
    /// The attributes of a promotion that clients write.
    WritePromotion,
    /// A change of a promotion; absent attributes stay as they are.
    ChangePromotion {
        /// The label of its discounts, for buyers.
        name: String,
        /// The event that it is for; `None`: all.
        event: Option<EventId> as "event_id",
        /// The ticket types that it is for; empty: all.
        ticket_types: BTreeSet<TicketTypeId> as "ticket_type_ids",
        /// By how much it reduces the price; `None`: its codes only show ticket types or keep units.
        discount: Option<Discount> as "percent" | "amount" | "per",
        /// The hidden ticket types that its codes show.
        shows: BTreeSet<TicketTypeId> as "shown_ticket_type_ids",
        /// The fewest units of the ticket types that it is for.
        min_quantity: Option<u32>,
        /// When its codes begin to be accepted.
        valid_from: Option<Timestamp>,
        /// When that ends.
        valid_until: Option<Timestamp>,
        /// The most reservations with its codes; `None`: no bound.
        max_uses: Option<u32>,
        /// The most reservations of one buyer with its codes; `None`: no bound.
        max_uses_per_buyer: Option<u32>,
        /// The most reservations with each code; `None`: no bound.
        max_uses_per_code: Option<u32>,
        /// Whether its codes are accepted beside codes of other promotions.
        combinable: bool,
        /// Whether its codes are accepted.
        enabled: bool,
    }
}

/// A promotion.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Promotion {
    /// Its id.
    pub id: PromotionId,
    /// The attributes that clients write.
    pub attributes: WritePromotion,
    /// The number of its codes.
    pub codes: u32,
    /// The number of reservations with its codes that were not released and did not expire. Only batches change it.
    pub uses: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its version, incremented by each change of its attributes or codes.
    pub version: u64,
}

impl Promotion {
    /// Returns whether it is for a ticket type of its events.
    #[must_use]
    pub fn is_for(&self, ticket_type: TicketTypeId) -> bool {
        self.attributes.ticket_types.is_empty() || self.attributes.ticket_types.contains(&ticket_type)
    }
}

/// Units that a code keeps free for its holder. They count as locked units of the pools.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct KeptUnits {
    /// The ticket type.
    pub ticket_type: TicketTypeId,
    /// The event of the ticket type.
    pub event: EventId,
    /// The pools that they are locked in, sorted.
    pub pools: Vec<PoolId>,
    /// The number of units that are kept now.
    pub units: u32,
}

/// A code of a promotion.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PromotionCode {
    /// The code in its canonical form; unique in the tenant.
    pub code: String,
    /// Its promotion.
    pub promotion: PromotionId,
    /// The number of reservations with it that were not released and did not expire.
    pub uses: u32,
    /// Units that it keeps free; `None`: none, ever.
    pub kept: Option<KeptUnits>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A code that a quote was made with: a reservation claims a use of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CodeClaim {
    /// The code in its canonical form.
    pub code: String,
    /// Its promotion.
    pub promotion: PromotionId,
}

/// A use of a code by a reservation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CodeUse {
    /// The code in its canonical form.
    pub code: String,
    /// Its promotion.
    pub promotion: PromotionId,
    /// How many of the reservation's units the code had kept; they are kept again when they are returned.
    pub units: u32,
}

/// The key of a stored use.
pub type UseKey = (String, ReservationId);

/// The filters and orders of lists of promotions.
pub const SPEC: Spec = Spec {
    fields: &[("event", Kind::Id), ("enabled", Kind::Boolean)],
    orders: &["created"],
};

/// Returns the canonical form of a code, in which codes are stored and compared: upper case. `None`: no code of a
/// promotion can be written so.
#[must_use]
pub fn canonical(code: &str) -> Option<String> {
    let code = code.trim();
    let fits = (1..=MAX_CODE).contains(&code.len())
        && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    fits.then(|| code.to_ascii_uppercase())
}

/// Returns a promotion for tests, of everything and without limits.
#[cfg(test)]
pub(super) fn test_promotion(discount: Option<Discount>) -> Promotion {
    let attributes = WritePromotion {
        name: "promotion".into(),
        event: None,
        ticket_types: BTreeSet::new(),
        discount,
        shows: BTreeSet::new(),
        min_quantity: None,
        valid_from: None,
        valid_until: None,
        max_uses: None,
        max_uses_per_buyer: None,
        max_uses_per_code: None,
        combinable: false,
        enabled: true,
    };
    let now = Timestamp::default();
    let id = PromotionId::generate();
    Promotion { id, attributes, codes: 1, uses: 0, created_at: now, updated_at: now, version: 1 }
}
