//! Ticket types: what can be bought for an event, at what price and from which supply.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::id::{EventId, PoolId, TicketTypeId};
use crate::input::input;
use crate::inventory::pool::MAX_CAPACITY;
use crate::money;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Money, Snapshot, Value};

/// The most units that one purchase may have of a type.
pub const MAX_PURCHASE: u32 = 1_000;

/// The most entries of its metadata.
const MAX_METADATA: usize = 50;

/// Whether a type is sold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TypeStatus {
    /// It is, within its window of sale.
    #[default]
    Active,
    /// It is not.
    Inactive,
}

impl TypeStatus {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Active, Self::Inactive];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }

    /// The status with that name.
    pub fn parse(field: &str, name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == name)
            .ok_or_else(|| Error::invalid(field, format!("is {name:?}; active or inactive is expected")))
    }
}

input! {
    /// What a client writes of a ticket type.
    WriteTicketType,
    /// What changes a ticket type; what is absent stays.
    ChangeTicketType {
        /// Its name.
        name: String,
        /// What it is.
        description: String,
        /// The price of one.
        price: Money,
        /// The least that one purchase may have of it.
        min_per_purchase: u32,
        /// The most.
        max_per_purchase: u32,
        /// When its sale begins.
        valid_from: Option<Timestamp>,
        /// When its sale ends.
        valid_until: Option<Timestamp>,
        /// Whether it is sold.
        status: TypeStatus,
        /// Whatever else, by name.
        metadata: BTreeMap<String, String>,
        /// How many there are of it; none: as many as the pools say.
        quantity: Option<u64>,
        /// Shared pools that it draws on as well.
        pools: Vec<PoolId>,
    }
}

/// A ticket type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TicketType {
    /// Its id.
    pub id: TicketTypeId,
    /// Its event.
    pub event: EventId,
    /// What clients write. Its quantity is that of a pool.
    pub text: WriteTicketType,
    /// Whether its units have seats.
    pub seated: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
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
        self.check_metadata(&mut faults);
        let mut pools = self.pools.clone();
        pools.sort_unstable();
        pools.dedup();
        if pools.len() != self.pools.len() {
            faults.add("pools", "names a pool twice");
        }
        faults.into_result()
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
    /// Whether it is sold at that moment.
    #[must_use]
    pub fn is_on_sale(&self, now: Timestamp) -> bool {
        let text = &self.text;
        text.status == TypeStatus::Active
            && text.valid_from.is_none_or(|from| from <= now)
            && text.valid_until.is_none_or(|until| now < until)
    }

    /// All pools that a unit of it is taken from, in the order in which they are locked.
    #[must_use]
    pub fn draws_on(&self) -> Vec<PoolId> {
        let mut pools = self.text.pools.clone();
        pools.extend([PoolId::from(self.event), PoolId::from(self.id)]);
        pools.sort_unstable();
        pools
    }
}

impl Snapshot for TicketType {
    fn snapshot(&self) -> Vec<Field> {
        let text = &self.text;
        let time = |at: Option<Timestamp>| at.map_or(Value::None, Value::Time);
        let mut fields = vec![
            Field::new("event_id", Value::from(Some(self.event))),
            Field::new("name", text.name.as_str()),
            Field::new("description", text.description.as_str()),
            Field::new("price", Value::Money(text.price.clone())),
            Field::new("min_per_purchase", Value::count(Some(text.min_per_purchase.into()))),
            Field::new("max_per_purchase", Value::count(Some(text.max_per_purchase.into()))),
            Field::new("valid_from", time(text.valid_from)),
            Field::new("valid_until", time(text.valid_until)),
            Field::new("status", text.status.name()),
            Field::new("quantity", Value::count(text.quantity)),
            Field::new("pools", Value::Texts(text.pools.iter().map(ToString::to_string).collect())),
            Field::new("seated", self.seated),
        ];
        let metadata = text.metadata.iter();
        fields.extend(metadata.map(|(name, held)| Field::new(format!("metadata.{name}"), held.as_str())));
        fields
    }
}
