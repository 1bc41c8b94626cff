//! Events as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tessera_core::catalog::{ChangeEvent, Event, EventStatus, WriteEvent};
use tessera_core::id::{SeriesId, VenueId};
use tessera_core::text::Faults;
use tessera_core::{Result, Timestamp};
use utoipa::ToSchema;

use crate::catalog::{HOLDS, count, given as needed, small};
use crate::request::etag;
use crate::rest::dto::patch::Patch;
use crate::rest::dto::{given, text as written};

/// A show at a venue that sells admission.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventBody {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it is.
    pub description: String,
    /// Its category.
    pub category: String,
    /// Where it takes place.
    pub venue_id: Option<String>,
    /// The series to which it belongs.
    pub series_id: Option<String>,
    /// When it begins.
    pub start_date: String,
    /// When it ends.
    pub end_date: String,
    /// The name of its time zone.
    pub time_zone: Option<String>,
    /// `draft`, `active`, `cancelled` or `ended`. Only an active event sells.
    pub status: &'static str,
    /// Whether it is shown first.
    pub featured: bool,
    /// A picture.
    pub image_url: Option<String>,
    /// How many it admits in all, whatever its ticket types; null: as many as these say.
    pub max_capacity: Option<u64>,
    /// How many seconds a reservation is held when the client does not say; null: as the tenant has it.
    pub hold_seconds: Option<u32>,
    /// The fewest seconds that a client may ask for; null: as the tenant has it.
    pub hold_min_seconds: Option<u32>,
    /// The most seconds that a reservation is held, extensions included; null: as the tenant has it.
    pub hold_max_seconds: Option<u32>,
    /// The most units that one buyer may hold and have bought; null: no limit.
    pub buyer_limit: Option<u32>,
    /// Whether a ticket that left may come in again.
    pub reentry: bool,
    /// The principal who made it: `key:<id>`.
    pub created_by: String,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Names this version, for `If-Match` and `If-None-Match`.
    pub etag: String,
}

/// What makes an event, or replaces all of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteEventBody {
    /// 1 to 255 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub title: String,
    /// At most 10,000 characters.
    #[serde(default)]
    pub description: String,
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub category: String,
    /// Where it takes place.
    #[serde(default)]
    pub venue_id: Option<String>,
    /// The series to which it belongs.
    #[serde(default)]
    pub series_id: Option<String>,
    /// When it begins.
    #[serde(default)]
    #[schema(required = true, value_type = String)]
    pub start_date: Option<String>,
    /// When it ends.
    #[serde(default)]
    #[schema(required = true, value_type = String)]
    pub end_date: Option<String>,
    /// The name of its time zone, as `Europe/Berlin`; absent: the venue's, or UTC.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// `draft`, `active`, `cancelled` or `ended`; absent: a new event is active, and one that is
    /// replaced stays what it is. What was cancelled or has ended stays so.
    #[serde(default)]
    pub status: String,
    /// Whether it is shown first.
    #[serde(default)]
    pub featured: bool,
    /// A picture's http or https address, at most 500 characters.
    #[serde(default)]
    pub image_url: Option<String>,
    /// How many it admits in all, whatever its ticket types; absent: as many as these say.
    #[serde(default)]
    pub max_capacity: Option<i64>,
    /// How many seconds a reservation is held when the client does not say; absent: as the tenant has it.
    #[serde(default)]
    pub hold_seconds: Option<i32>,
    /// The fewest seconds that a client may ask for; absent: as the tenant has it.
    #[serde(default)]
    pub hold_min_seconds: Option<i32>,
    /// The most seconds that a reservation is held, extensions included; absent: as the tenant has it.
    #[serde(default)]
    pub hold_max_seconds: Option<i32>,
    /// The most units that one buyer may hold and have bought; absent: no limit.
    #[serde(default)]
    pub buyer_limit: Option<i32>,
    /// Whether a ticket that left may come in again.
    #[serde(default)]
    pub reentry: bool,
}

/// What changes an event; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventPatch {
    /// 1 to 255 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub title: Patch<String>,
    /// At most 10,000 characters; null empties it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub category: Patch<String>,
    /// Where it takes place; null: nowhere that is known.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub venue_id: Patch<String>,
    /// The series to which it belongs; null: none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub series_id: Patch<String>,
    /// When it begins.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub start_date: Patch<String>,
    /// When it ends.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub end_date: Patch<String>,
    /// The name of its time zone; null: the venue's, or UTC.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub time_zone: Patch<String>,
    /// `draft`, `active`, `cancelled` or `ended`. What was cancelled or has ended stays so.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub status: Patch<String>,
    /// Whether it is shown first.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub featured: Patch<bool>,
    /// A picture's http or https address; null: none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub image_url: Patch<String>,
    /// How many it admits in all; null: as many as its ticket types say.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub max_capacity: Patch<i64>,
    /// How many seconds a reservation is held when the client does not say; null: as the tenant has it.
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub hold_seconds: Patch<i32>,
    /// The fewest seconds that a client may ask for; null: as the tenant has it.
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub hold_min_seconds: Patch<i32>,
    /// The most seconds that a reservation is held, extensions included; null: as the tenant has it.
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub hold_max_seconds: Patch<i32>,
    /// The most units that one buyer may hold and have bought; null: no limit.
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub buyer_limit: Patch<i32>,
    /// Whether a ticket that left may come in again.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub reentry: Patch<bool>,
}

/// One event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventAnswer {
    /// The event.
    pub event: EventBody,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsPage {
    /// The events.
    pub events: Vec<EventBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// The categories of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct Categories {
    /// The categories, by name.
    pub categories: Vec<CategoryBody>,
}

/// A category of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct CategoryBody {
    /// Its name.
    pub name: String,
    /// How many events there are of it, drafts aside.
    pub events: u64,
}

impl From<Event> for EventBody {
    fn from(event: Event) -> Self {
        let text = event.attributes;
        Self {
            id: event.id.to_string(),
            title: text.title,
            description: text.description,
            category: text.category,
            venue_id: written(text.venue),
            series_id: written(text.series),
            start_date: text.starts_at.to_string(),
            end_date: text.ends_at.to_string(),
            time_zone: text.time_zone,
            status: text.status.name(),
            featured: text.featured,
            image_url: text.image_url,
            max_capacity: text.capacity,
            hold_seconds: text.hold_seconds,
            hold_min_seconds: text.hold_min_seconds,
            hold_max_seconds: text.hold_max_seconds,
            buyer_limit: text.buyer_limit,
            reentry: text.reentry,
            created_by: event.created_by,
            created_at: event.created_at.to_string(),
            updated_at: event.updated_at.to_string(),
            etag: etag(event.version),
        }
    }
}

impl From<BTreeMap<String, u64>> for Categories {
    fn from(found: BTreeMap<String, u64>) -> Self {
        Self { categories: found.into_iter().map(|(name, events)| CategoryBody { name, events }).collect() }
    }
}

impl WriteEventBody {
    /// The command.
    pub fn command(self) -> Result<WriteEvent> {
        let mut faults = Faults::default();
        let [usual, least, most] = HOLDS;
        let command = WriteEvent {
            title: self.title,
            description: self.description,
            category: self.category,
            venue: given(self.venue_id).map(|id| VenueId::parse("venue_id", &id)).transpose()?,
            series: given(self.series_id).map(|id| SeriesId::parse("series_id", &id)).transpose()?,
            starts_at: moment("start_date", self.start_date, &mut faults),
            ends_at: moment("end_date", self.end_date, &mut faults),
            time_zone: given(self.time_zone),
            status: told(&self.status).map(|name| status(name, &mut faults)).unwrap_or_default(),
            featured: self.featured,
            image_url: given(self.image_url),
            capacity: count("max_capacity", self.max_capacity, &mut faults),
            hold_seconds: small(usual, self.hold_seconds, &mut faults),
            hold_min_seconds: small(least, self.hold_min_seconds, &mut faults),
            hold_max_seconds: small(most, self.hold_max_seconds, &mut faults),
            buyer_limit: small("buyer_limit", self.buyer_limit, &mut faults),
            reentry: self.reentry,
        };
        faults.into_result().map(|()| command)
    }
}

impl WriteEventBody {
    /// The command that replaces an event by this.
    pub fn replacement(self) -> Result<ChangeEvent> {
        // A status that nobody named must not put a draft on sale.
        let is_told = told(&self.status).is_some();
        let whole = ChangeEvent::from(self.command()?);
        Ok(ChangeEvent { status: whole.status.filter(|_| is_told), ..whole })
    }
}

impl EventPatch {
    /// The command.
    pub fn command(self) -> Result<ChangeEvent> {
        let mut faults = Faults::default();
        let [usual, least, most] = HOLDS;
        let starts_at = self.start_date.kept("start_date", &mut faults);
        let ends_at = self.end_date.kept("end_date", &mut faults);
        let named = self.status.kept("status", &mut faults);
        let command = ChangeEvent {
            title: self.title.kept("title", &mut faults),
            description: self.description.optional().map(Option::unwrap_or_default),
            category: self.category.kept("category", &mut faults),
            venue: self.venue_id.read(|id| VenueId::parse("venue_id", &id))?.optional(),
            series: self.series_id.read(|id| SeriesId::parse("series_id", &id))?.optional(),
            starts_at: starts_at.map(|at| moment("start_date", Some(at), &mut faults)),
            ends_at: ends_at.map(|at| moment("end_date", Some(at), &mut faults)),
            time_zone: self.time_zone.optional().map(given),
            status: named.map(|name| status(&name, &mut faults)),
            featured: self.featured.kept("featured", &mut faults),
            image_url: self.image_url.optional().map(given),
            capacity: self.max_capacity.optional().map(|held| count("max_capacity", held, &mut faults)),
            hold_seconds: changed(usual, self.hold_seconds, &mut faults),
            hold_min_seconds: changed(least, self.hold_min_seconds, &mut faults),
            hold_max_seconds: changed(most, self.hold_max_seconds, &mut faults),
            buyer_limit: changed("buyer_limit", self.buyer_limit, &mut faults),
            reentry: self.reentry.kept("reentry", &mut faults),
        };
        faults.into_result().map(|()| command)
    }
}

fn changed(field: &str, number: Patch<i32>, faults: &mut Faults) -> Option<Option<u32>> {
    number.optional().map(|held| small(field, held, faults))
}

fn told(name: &str) -> Option<&str> {
    Some(name).filter(|name| !name.is_empty())
}

fn moment(field: &str, at: Option<String>, faults: &mut Faults) -> Timestamp {
    let read = needed(field, at, faults).map(|at| Timestamp::parse(field, &at));
    read.and_then(|read| faults.take(read)).unwrap_or_default()
}

fn status(name: &str, faults: &mut Faults) -> EventStatus {
    faults.take(EventStatus::parse("status", name)).unwrap_or_default()
}
