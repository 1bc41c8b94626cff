//! Venues, and what can be done with them.

use std::sync::Arc;

use super::place::{Place, check_zone, degrees};
use crate::access::{ObjectKind, Operation};
use crate::changeset::{Changeset, Guard};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::filter::{Kind, Spec};
use crate::id::VenueId;
use crate::input::input;
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value, diff};

/// The most people that a venue holds.
pub const MAX_CAPACITY: u64 = 10_000_000;

input! {
    /// What a client writes of a venue.
    WriteVenue,
    /// What changes a venue; what is absent stays.
    ChangeVenue {
        /// Its name.
        name: String,
        /// Street and number.
        address: String,
        /// The city.
        city: String,
        /// The state or region.
        state: Option<String>,
        /// The country.
        country: String,
        /// The postal code.
        postal_code: Option<String>,
        /// Where it is.
        place: Option<Place> as "latitude" | "longitude",
        /// How many people it holds.
        capacity: Option<u64>,
        /// What it offers.
        amenities: Vec<String>,
        /// Its time zone's name.
        time_zone: String,
    }
}

/// A venue.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Venue {
    /// Its id.
    pub id: VenueId,
    /// What clients write.
    pub text: WriteVenue,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub version: u64,
}

/// What venues can be listed by.
pub const SPEC: Spec = Spec {
    fields: &[
        ("name", Kind::Text),
        ("city", Kind::Text),
        ("country", Kind::Text),
        ("created", Kind::Time),
        ("modified", Kind::Time),
    ],
    orders: &["created", "modified", "name"],
};

/// The largest page of venues.
pub const MAX_PAGE: u32 = 200;

impl WriteVenue {
    /// Checks what clients may write.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("name", &self.name, 1, 255);
        faults.text("address", &self.address, 1, 1_000);
        faults.text("city", &self.city, 1, 100);
        faults.text("state", self.state.as_deref().unwrap_or_default(), 0, 100);
        faults.text("country", &self.country, 1, 100);
        faults.text("postal_code", self.postal_code.as_deref().unwrap_or_default(), 0, 20);
        if let Some(place) = self.place {
            place.check(&mut faults);
        }
        if self.capacity.is_some_and(|capacity| capacity > MAX_CAPACITY) {
            faults.add("capacity", format_args!("is more than {MAX_CAPACITY}"));
        }
        if self.amenities.len() > 100 {
            faults.add("amenities", "has more than 100 entries");
        }
        for (index, amenity) in self.amenities.iter().enumerate() {
            faults.text(&format!("amenities[{index}]"), amenity, 1, 100);
        }
        check_zone("time_zone", &self.time_zone, &mut faults);
        faults.into_result()
    }
}

impl Snapshot for Venue {
    fn snapshot(&self) -> Vec<Field> {
        let text = &self.text;
        vec![
            Field::new("name", text.name.as_str()),
            Field::new("address", text.address.as_str()),
            Field::new("city", text.city.as_str()),
            Field::new("state", text.state.clone()),
            Field::new("country", text.country.as_str()),
            Field::new("postal_code", text.postal_code.clone()),
            Field::new("latitude", degrees(text.place.map(|place| place.latitude))),
            Field::new("longitude", degrees(text.place.map(|place| place.longitude))),
            Field::new("capacity", Value::count(text.capacity)),
            Field::new("amenities", Value::Texts(text.amenities.clone())),
            Field::new("time_zone", text.time_zone.as_str()),
        ]
    }
}

/// Carries out what is done with venues.
#[derive(Clone)]
pub struct Venues {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Venues {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Makes a venue.
    pub async fn create(&self, ctx: &Ctx, command: WriteVenue) -> Result<Venue> {
        let decide = || async {
            command.check()?;
            let (id, text) = (VenueId::generate(), command.clone());
            let venue = Venue { id, text, created_at: ctx.now, updated_at: ctx.now, version: 1 };
            let fact = fact(ctx, "venue.created", None, &venue);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).insert(venue.clone()), venue))
        };
        self.commands.run(ctx, Operation::VenueCreate, &command, decide).await
    }

    /// Shows a venue.
    pub async fn get(&self, ctx: &Ctx, id: VenueId) -> Result<Venue> {
        ctx.allow(Operation::VenueGet)?;
        self.found(ctx, id).await
    }

    /// Lists venues.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Venue>> {
        ctx.allow(Operation::VenueList)?;
        self.store.venues(ctx.tenant, page).await
    }

    /// Changes a venue.
    pub async fn update(&self, ctx: &Ctx, id: VenueId, command: ChangeVenue) -> Result<Venue> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let mut after = Venue { text: command.clone().apply_to(&before.text), ..before.clone() };
            after.text.check()?;
            if after == before {
                return Ok(Decision::nothing(after));
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let fact = fact(ctx, "venue.updated", Some(&before), &after);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(after.clone()), after))
        };
        self.commands.run(ctx, Operation::VenueUpdate, &(id, &command, ctx.if_version), decide).await
    }

    /// Removes a venue at which no event is.
    pub async fn delete(&self, ctx: &Ctx, id: VenueId) -> Result<()> {
        let decide = || async {
            let venue = self.found(ctx, id).await?;
            ctx.check_version(venue.version)?;
            if self.store.has_events(ctx.tenant, ObjectKind::Venue, id.0).await? {
                return Err(in_use(
                    "VENUE_IN_USE",
                    "events are held at the venue; move or delete them first",
                ));
            }
            let changes = diff(Some(&venue), None);
            let fact = NewFact::new(ctx, "venue.deleted", object(&venue, venue.version + 1), changes);
            let changeset = Changeset::new(ctx).guard(Guard::HasNoEvents(ObjectKind::Venue, id.0));
            Ok(Decision::change(changeset.fact(fact).delete(venue), ()))
        };
        self.commands.run(ctx, Operation::VenueDelete, &(id, ctx.if_version), decide).await
    }

    async fn found(&self, ctx: &Ctx, id: VenueId) -> Result<Venue> {
        self.store.venue(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("venue"))
    }
}

pub(super) fn in_use(reason: &'static str, message: &str) -> Error {
    Error::new(crate::error::ErrorKind::Precondition, reason, message)
}

fn object(venue: &Venue, version: u64) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Venue, id: venue.id.to_string(), version }
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Venue>, after: &Venue) -> NewFact {
    NewFact::new(ctx, fact_type, object(after, after.version), diff(before, Some(after)))
}
