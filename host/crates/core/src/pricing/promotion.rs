//! Promotions: what codes give to the buyers who enter them.

use std::collections::BTreeSet;

use crate::catalog::ticket_type::MAX_PURCHASE;
use crate::error::Result;
use crate::filter::{Kind, Spec};
use crate::id::{EventId, PoolId, PromotionId, ReservationId, TicketTypeId};
use crate::input::input;
use crate::money;
use crate::pricing::Percent;
use crate::pricing::rule::Per;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Money, Snapshot, Value};

/// The most promotions of a tenant.
pub const MAX_PROMOTIONS: usize = 1_000;

/// The most codes of a promotion.
pub const MAX_CODES: u32 = 100_000;

/// The most codes of a tenant.
pub const MAX_TENANT_CODES: u32 = 500_000;

/// The most codes that are created in one call.
pub const MAX_NEW_CODES: usize = 10_000;

/// The longest code, in characters.
pub const MAX_CODE: usize = 40;

/// The most ticket types that a promotion is for, and the most that it shows.
const MAX_TYPES: usize = 50;

/// The highest bound of uses.
const MAX_USES: u32 = 1_000_000_000;

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

impl WritePromotion {
    /// Checks what clients may write.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("name", &self.name, 1, 100);
        match &self.discount {
            Some(Discount::Percent(percent)) if *percent > Percent::HUNDRED => {
                faults.add("percent", "is more than 100, which no discount can be");
            }
            Some(Discount::Amount(amount, _)) => money::check("amount", amount, &mut faults),
            Some(Discount::Percent(_)) | None => {}
        }
        for (field, types) in self.named_types() {
            if types.len() > MAX_TYPES {
                let message = format_args!("has {} entries; at most {MAX_TYPES} are allowed", types.len());
                faults.add(field, message);
            }
        }
        if let (Some(from), Some(until)) = (self.valid_from, self.valid_until)
            && until <= from
        {
            faults.add("valid_until", "is not after valid_from");
        }
        for (field, number, most) in [
            ("min_quantity", self.min_quantity, MAX_PURCHASE),
            ("max_uses", self.max_uses, MAX_USES),
            ("max_uses_per_buyer", self.max_uses_per_buyer, MAX_USES),
            ("max_uses_per_code", self.max_uses_per_code, MAX_USES),
        ] {
            if let Some(number) = number
                && !(1..=most).contains(&number)
            {
                faults.add(field, format_args!("is {number}; 1 to {most} are allowed"));
            }
        }
        faults.into_result()
    }

    /// Returns the ticket types that it names, with the fields.
    pub(super) fn named_types(&self) -> [(&'static str, &BTreeSet<TicketTypeId>); 2] {
        [("ticket_type_ids", &self.ticket_types), ("shown_ticket_type_ids", &self.shows)]
    }
}

impl Promotion {
    /// Returns whether its codes may keep units: it is enabled and has not ended.
    #[must_use]
    pub fn may_keep_units(&self, now: Timestamp) -> bool {
        self.attributes.enabled && self.attributes.valid_until.is_none_or(|until| now < until)
    }

    /// Returns whether it is for a ticket type of its events.
    #[must_use]
    pub fn is_for(&self, ticket_type: TicketTypeId) -> bool {
        self.attributes.ticket_types.is_empty() || self.attributes.ticket_types.contains(&ticket_type)
    }
}

impl Snapshot for Promotion {
    fn snapshot(&self) -> Vec<Field> {
        let WritePromotion {
            name,
            event,
            ticket_types,
            discount,
            shows,
            min_quantity,
            valid_from,
            valid_until,
            max_uses,
            max_uses_per_buyer,
            max_uses_per_code,
            combinable,
            enabled,
        } = &self.attributes;
        let time = |at: &Option<Timestamp>| at.map_or(Value::None, Value::Time);
        let number = |number: &Option<u32>| Value::count(number.map(u64::from));
        let ids = |ids: &BTreeSet<TicketTypeId>| Value::Texts(ids.iter().map(ToString::to_string).collect());
        let (percent, amount, per) = match discount {
            Some(Discount::Percent(of)) => (Some(of.to_string()), Value::None, None),
            Some(Discount::Amount(of, per)) => (None, Value::Money(of.clone()), Some(per.name())),
            None => (None, Value::None, None),
        };
        vec![
            Field::new("name", name.as_str()),
            Field::new("event_id", Value::from(*event)),
            Field::new("ticket_type_ids", ids(ticket_types)),
            Field::new("percent", Value::from(percent)),
            Field::new("amount", amount),
            Field::new("per", Value::from(per)),
            Field::new("shown_ticket_type_ids", ids(shows)),
            Field::new("min_quantity", number(min_quantity)),
            Field::new("valid_from", time(valid_from)),
            Field::new("valid_until", time(valid_until)),
            Field::new("max_uses", number(max_uses)),
            Field::new("max_uses_per_buyer", number(max_uses_per_buyer)),
            Field::new("max_uses_per_code", number(max_uses_per_code)),
            Field::new("combinable", *combinable),
            Field::new("enabled", *enabled),
            Field::new("code_count", Value::count(Some(self.codes.into()))),
        ]
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
    /// When the code was created: a code that was deleted and created again is another one.
    pub created_at: Timestamp,
}

/// The key of a stored use.
pub type UseKey = (String, ReservationId);

/// The filters and orders of lists of promotions.
pub const SPEC: Spec =
    Spec { fields: &[("event", Kind::Id), ("enabled", Kind::Boolean)], orders: &["created"] };

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn attributes() -> WritePromotion {
        test_promotion(Some(Discount::Percent(Percent::HUNDRED))).attributes
    }

    #[test]
    fn faulty_promotion_is_refused_with_each_fault() {
        attributes().check().unwrap();
        let types: BTreeSet<_> = (0..=MAX_TYPES).map(|_| TicketTypeId::generate()).collect();
        let faulty = WritePromotion {
            name: String::new(),
            ticket_types: types.clone(),
            discount: Some(Discount::Percent(Percent::MAX)),
            shows: types,
            min_quantity: Some(MAX_PURCHASE + 1),
            valid_from: Some(Timestamp::default()),
            valid_until: Some(Timestamp::default()),
            max_uses: Some(0),
            max_uses_per_buyer: Some(0),
            max_uses_per_code: Some(MAX_USES + 1),
            ..attributes()
        };
        let error = faulty.check().unwrap_err();
        let fields: Vec<_> = error.faults().iter().map(|fault| fault.field.as_str()).collect();
        let expected = [
            "name",
            "percent",
            "ticket_type_ids",
            "shown_ticket_type_ids",
            "valid_until",
            "min_quantity",
            "max_uses",
            "max_uses_per_buyer",
            "max_uses_per_code",
        ];
        assert_eq!(fields, expected);
        let amount = Discount::Amount(Money { amount: -1, currency: "XXX".into() }, Per::Order);
        let faulty = WritePromotion { discount: Some(amount), ..attributes() };
        assert_eq!(faulty.check().unwrap_err().faults().len(), 2);
    }

    #[test]
    fn codes_keep_units_until_the_promotion_ends_or_is_disabled() {
        let now = Timestamp::default();
        let promotion = |enabled, valid_until| Promotion {
            id: PromotionId::generate(),
            attributes: WritePromotion { enabled, valid_until, ..attributes() },
            codes: 0,
            uses: 0,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let later = now.plus(Duration::from_secs(1));
        assert!(promotion(true, None).may_keep_units(now));
        assert!(promotion(true, Some(later)).may_keep_units(now));
        assert!(!promotion(true, Some(now)).may_keep_units(now));
        assert!(!promotion(false, None).may_keep_units(now));
    }

    #[test]
    fn codes_are_compared_in_upper_case() {
        let longest = "a".repeat(MAX_CODE);
        for (code, expected) in
            [("abc-1_X", "ABC-1_X"), (" Abc ", "ABC"), (&*longest, &*longest.to_uppercase())]
        {
            assert_eq!(canonical(code).as_deref(), Some(expected));
        }
        for bad in ["", " ", "a b", "caf\u{e9}", "a\0", &*"a".repeat(MAX_CODE + 1)] {
            assert_eq!(canonical(bad), None, "{bad:?}");
        }
    }
}
