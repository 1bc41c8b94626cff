//! Ticket types as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tessera_core::catalog::{ChangeTicketType, TicketType, TypeStatus, WriteTicketType};
use tessera_core::id::PoolId;
use tessera_core::text::Faults;
use tessera_core::value::Money;
use tessera_core::{Result, Timestamp};
use utoipa::ToSchema;

use crate::catalog::{count, least, most, type_etag};
use crate::rest::dto::patch::Patch;
use crate::rest::dto::{given, text as written};

/// An amount of money.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoneyBody {
    /// Minor units of the currency: 1250 are 12.50 EUR.
    #[serde(default)]
    #[schema(required = true)]
    pub amount: i64,
    /// ISO 4217.
    #[serde(default)]
    #[schema(required = true)]
    pub currency: String,
}

/// What can be bought for an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketTypeBody {
    /// Its id.
    pub id: String,
    /// Its event.
    pub event_id: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// The price of one.
    pub price: MoneyBody,
    /// How many there are of it; null: as many as the other pools that it draws on have.
    pub quantity: Option<u64>,
    /// How many can still be reserved, by all pools that it draws on; null: no pool sets a bound.
    pub available_quantity: Option<u64>,
    /// The most that one purchase may have of it.
    pub max_per_purchase: u32,
    /// The least that one purchase may have of it.
    pub min_per_purchase: u32,
    /// When its sale begins; null: it has begun.
    pub valid_from: Option<String>,
    /// When its sale ends; null: with the event.
    pub valid_until: Option<String>,
    /// `active` or `inactive`; what is inactive is not sold.
    pub status: &'static str,
    /// Whatever else, by name.
    pub metadata: BTreeMap<String, String>,
    /// The ids of shared pools that it draws on as well as on its own and the event's.
    pub pools: Vec<String>,
    /// Whether its units have seats.
    pub seated: bool,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Names this version and what is left, for `If-Match` and `If-None-Match`.
    pub etag: String,
}

/// What makes a ticket type, or replaces all of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteTicketTypeBody {
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub name: String,
    /// At most 10,000 characters.
    #[serde(default)]
    pub description: String,
    /// The price of one.
    #[serde(default)]
    #[schema(required = true)]
    pub price: MoneyBody,
    /// How many there are of it; absent: as many as the other pools that it draws on have.
    #[serde(default)]
    pub quantity: Option<i64>,
    /// The most that one purchase may have of it, at most 1,000; absent or 0: 10.
    #[serde(default)]
    pub max_per_purchase: i32,
    /// The least that one purchase may have of it; absent or 0: 1.
    #[serde(default)]
    pub min_per_purchase: i32,
    /// When its sale begins; absent: at once.
    #[serde(default)]
    pub valid_from: Option<String>,
    /// When its sale ends; absent: with the event.
    #[serde(default)]
    pub valid_until: Option<String>,
    /// `active` (the default) or `inactive`.
    #[serde(default)]
    pub status: String,
    /// Whatever else, by name: at most 50 texts.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// The ids of shared pools that it draws on as well as on its own and the event's.
    #[serde(default)]
    pub pools: Vec<String>,
}

/// What changes a ticket type; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketTypePatch {
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// At most 10,000 characters; null empties it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
    /// The price of one, whole.
    #[serde(default)]
    #[schema(value_type = Option<MoneyBody>)]
    pub price: Patch<MoneyBody>,
    /// How many there are of it; null: as many as the other pools that it draws on have.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub quantity: Patch<i64>,
    /// The most that one purchase may have of it, at most 1,000; null: 10.
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub max_per_purchase: Patch<i32>,
    /// The least that one purchase may have of it; null: 1.
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub min_per_purchase: Patch<i32>,
    /// When its sale begins; null: at once.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub valid_from: Patch<String>,
    /// When its sale ends; null: with the event.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub valid_until: Patch<String>,
    /// `active` or `inactive`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub status: Patch<String>,
    /// Whatever else, whole; null: nothing.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub metadata: Patch<BTreeMap<String, String>>,
    /// The ids of shared pools, whole; null: none.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub pools: Patch<Vec<String>>,
}

/// One ticket type.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketTypeAnswer {
    /// The ticket type.
    pub ticket_type: TicketTypeBody,
}

/// The ticket types of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketTypes {
    /// The ticket types, oldest first.
    pub ticket_types: Vec<TicketTypeBody>,
}

impl TicketTypeBody {
    /// A ticket type with what is left of it.
    #[must_use]
    pub fn new(held: TicketType, available: Option<u64>) -> Self {
        let etag = type_etag(&held, available);
        let text = held.attributes;
        Self {
            id: held.id.to_string(),
            event_id: held.event.to_string(),
            name: text.name,
            description: text.description,
            price: MoneyBody { amount: text.price.amount, currency: text.price.currency },
            quantity: text.quantity,
            available_quantity: available,
            max_per_purchase: text.max_per_purchase,
            min_per_purchase: text.min_per_purchase,
            valid_from: written(text.valid_from),
            valid_until: written(text.valid_until),
            status: text.status.name(),
            metadata: text.metadata,
            pools: text.pools.iter().map(ToString::to_string).collect(),
            seated: held.seated,
            created_at: held.created_at.to_string(),
            updated_at: held.updated_at.to_string(),
            etag,
        }
    }
}

impl From<MoneyBody> for Money {
    fn from(body: MoneyBody) -> Self {
        Self { amount: body.amount, currency: body.currency }
    }
}

impl WriteTicketTypeBody {
    /// The command.
    pub fn command(self) -> Result<WriteTicketType> {
        let mut faults = Faults::default();
        let command = WriteTicketType {
            name: self.name,
            description: self.description,
            price: self.price.into(),
            min_per_purchase: least(self.min_per_purchase, &mut faults),
            max_per_purchase: most(self.max_per_purchase, &mut faults),
            valid_from: moment("valid_from", self.valid_from, &mut faults),
            valid_until: moment("valid_until", self.valid_until, &mut faults),
            status: status(&self.status, &mut faults),
            metadata: self.metadata,
            quantity: count("quantity", self.quantity, &mut faults),
            pools: pools(&self.pools)?,
        };
        faults.into_result().map(|()| command)
    }
}

impl TicketTypePatch {
    /// The command.
    pub fn command(self) -> Result<ChangeTicketType> {
        let mut faults = Faults::default();
        let told = self.status.kept("status", &mut faults);
        let (fewest, greatest) = (self.min_per_purchase.optional(), self.max_per_purchase.optional());
        let (from, until) = (self.valid_from.optional(), self.valid_until.optional());
        let command = ChangeTicketType {
            name: self.name.kept("name", &mut faults),
            description: self.description.optional().map(Option::unwrap_or_default),
            price: self.price.kept("price", &mut faults).map(Into::into),
            min_per_purchase: fewest.map(|asked| least(asked.unwrap_or_default(), &mut faults)),
            max_per_purchase: greatest.map(|asked| most(asked.unwrap_or_default(), &mut faults)),
            valid_from: from.map(|at| moment("valid_from", at, &mut faults)),
            valid_until: until.map(|at| moment("valid_until", at, &mut faults)),
            status: told.map(|name| status(&name, &mut faults)),
            metadata: self.metadata.optional().map(Option::unwrap_or_default),
            quantity: self.quantity.optional().map(|held| count("quantity", held, &mut faults)),
            pools: self.pools.optional().map(|ids| pools(&ids.unwrap_or_default())).transpose()?,
        };
        faults.into_result().map(|()| command)
    }
}

fn moment(field: &str, at: Option<String>, faults: &mut Faults) -> Option<Timestamp> {
    let read = given(at).map(|at| Timestamp::parse(field, &at));
    read.and_then(|read| faults.take(read))
}

fn status(name: &str, faults: &mut Faults) -> TypeStatus {
    if name.is_empty() {
        return TypeStatus::default();
    }
    faults.take(TypeStatus::parse("status", name)).unwrap_or_default()
}

fn pools(ids: &[String]) -> Result<Vec<PoolId>> {
    let read = |(at, id): (usize, &String)| PoolId::parse(&format!("pools[{at}]"), id);
    ids.iter().enumerate().map(read).collect()
}
