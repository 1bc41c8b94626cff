//! Venues as JSON.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::catalog::{ChangeVenue, Venue, WriteVenue};
use tessera_core::text::Faults;
use utoipa::ToSchema;

use crate::catalog::{count, degrees, place, together, zone_or_utc};
use crate::request::etag;
use crate::rest::dto::given;
use crate::rest::dto::patch::Patch;

/// A place where events are held.
#[derive(Debug, Serialize, ToSchema)]
pub struct VenueBody {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Street and number.
    pub address: String,
    /// The city.
    pub city: String,
    /// The state or region.
    pub state: Option<String>,
    /// The country.
    pub country: String,
    /// The postal code.
    pub postal_code: Option<String>,
    /// Degrees north of the equator.
    pub latitude: Option<f64>,
    /// Degrees east of Greenwich.
    pub longitude: Option<f64>,
    /// How many people it holds; null: not known.
    pub capacity: Option<u64>,
    /// What it offers.
    pub amenities: Vec<String>,
    /// The name of its time zone.
    pub time_zone: String,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Names this version, for `If-Match` and `If-None-Match`.
    pub etag: String,
}

/// What makes a venue, or replaces all of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteVenueBody {
    /// 1 to 255 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub name: String,
    /// Street and number: 1 to 1,000 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub address: String,
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub city: String,
    /// At most 100 characters.
    #[serde(default)]
    pub state: Option<String>,
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub country: String,
    /// At most 20 characters.
    #[serde(default)]
    pub postal_code: Option<String>,
    /// Degrees north of the equator; only together with `longitude`.
    #[serde(default)]
    pub latitude: Option<f64>,
    /// Degrees east of Greenwich; only together with `latitude`.
    #[serde(default)]
    pub longitude: Option<f64>,
    /// How many people it holds.
    #[serde(default)]
    pub capacity: Option<i64>,
    /// At most 100 texts of 1 to 100 characters.
    #[serde(default)]
    pub amenities: Vec<String>,
    /// The name of its time zone, as `Europe/Berlin`; absent: UTC.
    #[serde(default)]
    pub time_zone: String,
}

/// What changes a venue; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VenuePatch {
    /// 1 to 255 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// Street and number: 1 to 1,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub address: Patch<String>,
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub city: Patch<String>,
    /// At most 100 characters; null: none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub state: Patch<String>,
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub country: Patch<String>,
    /// At most 20 characters; null: none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub postal_code: Patch<String>,
    /// Degrees north of the equator; only together with `longitude`.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    pub latitude: Patch<f64>,
    /// Degrees east of Greenwich; only together with `latitude`.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    pub longitude: Patch<f64>,
    /// How many people it holds; null: not known.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub capacity: Patch<i64>,
    /// What it offers, whole; null: nothing.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub amenities: Patch<Vec<String>>,
    /// The name of its time zone; null: UTC.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub time_zone: Patch<String>,
}

/// One venue.
#[derive(Debug, Serialize, ToSchema)]
pub struct VenueAnswer {
    /// The venue.
    pub venue: VenueBody,
}

/// A page of venues.
#[derive(Debug, Serialize, ToSchema)]
pub struct VenuesPage {
    /// The venues.
    pub venues: Vec<VenueBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

impl From<Venue> for VenueBody {
    fn from(venue: Venue) -> Self {
        let text = venue.attributes;
        Self {
            id: venue.id.to_string(),
            name: text.name,
            address: text.address,
            city: text.city,
            state: text.state,
            country: text.country,
            postal_code: text.postal_code,
            latitude: text.location.map(|location| degrees(location.latitude)),
            longitude: text.location.map(|location| degrees(location.longitude)),
            capacity: text.capacity,
            amenities: text.amenities,
            time_zone: text.time_zone,
            created_at: venue.created_at.to_string(),
            updated_at: venue.updated_at.to_string(),
            etag: etag(venue.version),
        }
    }
}

impl WriteVenueBody {
    /// The command.
    pub fn command(self) -> Result<WriteVenue> {
        let mut faults = Faults::default();
        let command = WriteVenue {
            name: self.name,
            address: self.address,
            city: self.city,
            state: given(self.state),
            country: self.country,
            postal_code: given(self.postal_code),
            location: place(self.latitude, self.longitude, &mut faults),
            capacity: count("capacity", self.capacity, &mut faults),
            amenities: self.amenities,
            time_zone: zone_or_utc(self.time_zone),
        };
        faults.into_result().map(|()| command)
    }
}

impl VenuePatch {
    /// The command.
    pub fn command(self) -> Result<ChangeVenue> {
        let mut faults = Faults::default();
        let named = [("latitude", self.latitude.is_named()), ("longitude", self.longitude.is_named())];
        let placed = together(&named, &mut faults);
        let (latitude, longitude) = (self.latitude.optional(), self.longitude.optional());
        let command = ChangeVenue {
            name: self.name.kept("name", &mut faults),
            address: self.address.kept("address", &mut faults),
            city: self.city.kept("city", &mut faults),
            state: self.state.optional().map(given),
            country: self.country.kept("country", &mut faults),
            postal_code: self.postal_code.optional().map(given),
            location: placed.then(|| place(latitude.flatten(), longitude.flatten(), &mut faults)),
            capacity: self.capacity.optional().map(|held| count("capacity", held, &mut faults)),
            amenities: self.amenities.optional().map(Option::unwrap_or_default),
            time_zone: self.time_zone.optional().map(|zone| zone_or_utc(zone.unwrap_or_default())),
        };
        faults.into_result().map(|()| command)
    }
}
