//! Venues.

use super::geo::{GeoPoint, degrees};
use super::time_zone::check_time_zone;
use crate::error::Result;
use crate::filter::{Kind, Spec};
use crate::id::VenueId;
use crate::input::input;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// The largest capacity of a venue.
pub const MAX_CAPACITY: u64 = 10_000_000;

input! {
    /// The attributes of a venue that clients write.
    WriteVenue,
    /// A change of a venue; absent attributes stay as they are.
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
        /// Its coordinates.
        location: Option<GeoPoint> as "latitude" | "longitude",
        /// The number of people that it holds.
        capacity: Option<u64>,
        /// Its amenities.
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
    /// The attributes that clients write.
    pub attributes: WriteVenue,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its version, incremented by each change.
    pub version: u64,
}

/// The filters and orders of lists of venues.
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
        if let Some(location) = self.location {
            location.check(&mut faults);
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
        check_time_zone("time_zone", &self.time_zone, &mut faults);
        faults.into_result()
    }
}

impl Snapshot for Venue {
    fn snapshot(&self) -> Vec<Field> {
        let attributes = &self.attributes;
        vec![
            Field::new("name", attributes.name.as_str()),
            Field::new("address", attributes.address.as_str()),
            Field::new("city", attributes.city.as_str()),
            Field::new("state", attributes.state.clone()),
            Field::new("country", attributes.country.as_str()),
            Field::new("postal_code", attributes.postal_code.clone()),
            Field::new("latitude", degrees(attributes.location.map(|location| location.latitude))),
            Field::new("longitude", degrees(attributes.location.map(|location| location.longitude))),
            Field::new("capacity", Value::count(attributes.capacity)),
            Field::new("amenities", Value::Texts(attributes.amenities.clone())),
            Field::new("time_zone", attributes.time_zone.as_str()),
        ]
    }
}
