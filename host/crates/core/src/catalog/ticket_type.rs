//! Ticket types: the kinds of admission that an event sells, with prices and pools.

use std::collections::{BTreeMap, BTreeSet};

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{EventId, PoolId, TicketTypeId};
use crate::input::input;
use crate::inventory::pool::{MAX_CAPACITY, MAX_POOLS};
use crate::money;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Money, Snapshot, Value};

/// The most units of a type in one purchase.
pub const MAX_PURCHASE: u32 = 1_000;

/// The largest page of ticket types, which holds all those of an event.
pub const MAX_PAGE: u32 = 100;
const _: () = assert!(MAX_PAGE as usize >= MAX_POOLS, "an event's ticket types fit in one page");

/// The most categories of buyers with a price.
const MAX_CATEGORIES: usize = 20;

/// The longest name of a category of buyers, in characters.
pub const MAX_CATEGORY: usize = 50;

/// The most entries of metadata.
const MAX_METADATA: usize = 50;

/// The status of a ticket type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TypeStatus {
    /// On sale, within its sales window.
    #[default]
    Active,
    /// Not on sale.
    Inactive,
}

impl TypeStatus {
    /// All statuses.
    pub const ALL: [Self; 2] = [Self::Active, Self::Inactive];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }

    /// Reads a status that a client sent in `field`.
    pub fn parse(field: &str, name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == name)
            .ok_or_else(|| Error::invalid(field, format!("is {name:?}; active or inactive is expected")))
    }
}

input! {
    /// The attributes of a ticket type that clients write.
    WriteTicketType,
    /// A change of a ticket type; absent attributes stay as they are.
    ChangeTicketType {
        /// Its name.
        name: String,
        /// Its description.
        description: String,
        /// The price of one unit.
        price: Money,
        /// The price of one unit for categories of buyers, in minor units of the price's currency.
        category_prices: BTreeMap<String, i64>,
        /// The fewest units in one purchase.
        min_per_purchase: u32,
        /// The most units in one purchase.
        max_per_purchase: u32,
        /// The begin of its sales window.
        valid_from: Option<Timestamp>,
        /// The end of its sales window.
        valid_until: Option<Timestamp>,
        /// Its status.
        status: TypeStatus,
        /// Further texts of the client, by name.
        metadata: BTreeMap<String, String>,
        /// The number of its units; `None` for no bound of its own.
        quantity: Option<u64>,
        /// Shared pools that its units are taken from, too.
        pools: Vec<PoolId>,
        /// Whether callers without a key see it only with an access code.
        hidden: bool,
    }
}

/// A ticket type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TicketType {
    /// Its id.
    pub id: TicketTypeId,
    /// Its event.
    pub event: EventId,
    /// The attributes that clients write. The quantity is stored in a pool.
    pub attributes: WriteTicketType,
    /// Whether its units have seats.
    pub seated: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its version, incremented by each change.
    pub version: u64,
}

impl WriteTicketType {
    /// Checks what clients may write.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("name", &self.name, 1, 100);
        faults.text("description", &self.description, 0, 10_000);
        money::check("price", &self.price, &mut faults);
        if self.min_per_purchase == 0 || self.min_per_purchase > MAX_PURCHASE {
            faults.add("min_per_purchase", format_args!("is not within 1 to {MAX_PURCHASE}"));
        }
        if self.max_per_purchase < self.min_per_purchase || self.max_per_purchase > MAX_PURCHASE {
            faults.add("max_per_purchase", format_args!("is not within min_per_purchase to {MAX_PURCHASE}"));
        }
        if let (Some(from), Some(until)) = (self.valid_from, self.valid_until)
            && until <= from
        {
            faults.add("valid_until", "is not after valid_from");
        }
        if self.quantity.is_some_and(|quantity| quantity > MAX_CAPACITY) {
            faults.add("quantity", format_args!("is more than {MAX_CAPACITY}"));
        }
        self.check_category_prices(&mut faults);
        self.check_metadata(&mut faults);
        let mut pools = self.pools.clone();
        pools.sort_unstable();
        pools.dedup();
        if pools.len() != self.pools.len() {
            faults.add("pools", "names a pool twice");
        }
        faults.into_result()
    }

    fn check_category_prices(&self, faults: &mut Faults) {
        if self.category_prices.len() > MAX_CATEGORIES {
            faults.add("category_prices", format_args!("has more than {MAX_CATEGORIES} entries"));
        }
        for (category, amount) in self.category_prices.iter().take(MAX_CATEGORIES) {
            let field = format!("category_prices.{category}");
            faults.text(&field, category, 1, MAX_CATEGORY);
            if !(0..=money::MAX_AMOUNT).contains(amount) {
                faults.add(&field, format_args!("is not within 0 to {} minor units", money::MAX_AMOUNT));
            }
        }
    }

    fn check_metadata(&self, faults: &mut Faults) {
        if self.metadata.len() > MAX_METADATA {
            faults.add("metadata", format_args!("has more than {MAX_METADATA} entries"));
        }
        for (name, text) in self.metadata.iter().take(MAX_METADATA) {
            faults.text(&format!("metadata.{name}"), name, 1, 100);
            faults.text(&format!("metadata.{name}"), text, 0, 1_000);
        }
    }
}

impl TicketType {
    /// Returns whether it is on sale at a moment.
    #[must_use]
    pub fn is_on_sale(&self, now: Timestamp) -> bool {
        let attributes = &self.attributes;
        attributes.status == TypeStatus::Active
            && attributes.valid_from.is_none_or(|from| from <= now)
            && attributes.valid_until.is_none_or(|until| now < until)
    }

    /// Returns whether the caller sees it: it is not hidden, the caller has a key, or an access code shows it.
    #[must_use]
    pub fn is_visible(&self, ctx: &Ctx, shown: &BTreeSet<TicketTypeId>) -> bool {
        !self.attributes.hidden || ctx.is_authenticated() || shown.contains(&self.id)
    }

    /// Returns all pools that a unit is taken from, in the order in which they are locked.
    #[must_use]
    pub fn all_pools(&self) -> Vec<PoolId> {
        let mut pools = self.attributes.pools.clone();
        pools.extend([PoolId::from(self.event), PoolId::from(self.id)]);
        pools.sort_unstable();
        pools
    }
}

impl Snapshot for TicketType {
    fn snapshot(&self) -> Vec<Field> {
        let attributes = &self.attributes;
        let time = |at: Option<Timestamp>| at.map_or(Value::None, Value::Time);
        let mut fields = vec![
            Field::new("event_id", Value::from(Some(self.event))),
            Field::new("name", attributes.name.as_str()),
            Field::new("description", attributes.description.as_str()),
            Field::new("price", Value::Money(attributes.price.clone())),
            Field::new("min_per_purchase", Value::count(Some(attributes.min_per_purchase.into()))),
            Field::new("max_per_purchase", Value::count(Some(attributes.max_per_purchase.into()))),
            Field::new("valid_from", time(attributes.valid_from)),
            Field::new("valid_until", time(attributes.valid_until)),
            Field::new("status", attributes.status.name()),
            Field::new("quantity", Value::count(attributes.quantity)),
            Field::new("pools", Value::Texts(attributes.pools.iter().map(ToString::to_string).collect())),
            Field::new("seated", self.seated),
            Field::new("hidden", attributes.hidden),
        ];
        let prices = attributes.category_prices.iter();
        fields.extend(prices.map(|(category, amount)| {
            let price = Money { amount: *amount, currency: attributes.price.currency.clone() };
            Field::new(format!("category_prices.{category}"), Value::Money(price))
        }));
        let metadata = attributes.metadata.iter();
        fields.extend(metadata.map(|(name, value)| Field::new(format!("metadata.{name}"), value.as_str())));
        fields
    }
}
