//! Venues.

use tessera_core::Result;
use tessera_core::catalog::{ChangeVenue, Venue, WriteVenue};
use tessera_core::text::Faults;
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::{check_group, degrees, location, read_u64, zone_or_utc};
use crate::convert::mask::Mask;
use crate::convert::{non_empty, time, to_i64};
use crate::state::etag;

/// Encodes a venue.
#[must_use]
pub(crate) fn venue(venue: Venue) -> pb::Venue {
    let attributes = venue.attributes;
    pb::Venue {
        id: venue.id.to_string(),
        name: attributes.name,
        address: attributes.address,
        city: attributes.city,
        state: attributes.state,
        country: attributes.country,
        postal_code: attributes.postal_code,
        latitude: attributes.location.map(|location| degrees(location.latitude)),
        longitude: attributes.location.map(|location| degrees(location.longitude)),
        capacity: attributes.capacity.map(to_i64),
        amenities: attributes.amenities,
        time_zone: attributes.time_zone,
        created_at: time(venue.created_at),
        updated_at: time(venue.updated_at),
        etag: etag(venue.version),
    }
}

/// Reads the attributes of a venue from either request.
macro_rules! attributes {
    ($request:ident, $faults:ident) => {
        WriteVenue {
            name: $request.name,
            address: $request.address,
            city: $request.city,
            state: non_empty($request.state),
            country: $request.country,
            postal_code: non_empty($request.postal_code),
            location: location($request.latitude, $request.longitude, &mut $faults),
            capacity: read_u64("capacity", $request.capacity, &mut $faults),
            amenities: $request.amenities,
            time_zone: zone_or_utc($request.time_zone),
        }
    };
}

/// Reads a request to create a venue.
pub(crate) fn create(request: pb::CreateVenueRequest) -> Result<WriteVenue> {
    let mut faults = Faults::default();
    let venue = attributes!(request, faults);
    faults.into_result().map(|()| venue)
}

/// Reads an update of a venue; without a mask, every field changes.
pub(crate) fn change(request: pb::UpdateVenueRequest) -> Result<ChangeVenue> {
    let mask = Mask::read(request.update_mask, ChangeVenue::FIELDS, None)?;
    let mut faults = Faults::default();
    let venue = attributes!(request, faults);
    faults.retain(mask.fields());
    let coordinates = ["latitude", "longitude"].map(|path| (path, mask.keep(path, ()).is_some()));
    check_group(&coordinates, &mut faults);
    faults.into_result().map(|()| ChangeVenue::from_write(venue, mask.fields()))
}

#[cfg(test)]
mod tests {
    use prost_types::FieldMask;

    use super::*;

    fn request(paths: &[&str]) -> pb::UpdateVenueRequest {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        pb::UpdateVenueRequest {
            city: "Berlin".to_owned(),
            latitude: Some(52.5),
            longitude: Some(13.4),
            update_mask: Some(FieldMask { paths }),
            ..Default::default()
        }
    }

    #[test]
    fn mask_selects_fields_and_requires_both_coordinates() {
        let read = change(request(&["city", "capacity"])).unwrap();
        assert_eq!((read.city.as_deref(), read.capacity), (Some("Berlin"), Some(None)));
        assert_eq!((read.name, read.location), (None, None));
        assert!(change(request(&["latitude", "longitude"])).unwrap().location.unwrap().is_some());
        assert_eq!(change(request(&["latitude"])).unwrap_err().faults()[0].field, "longitude");
        assert_eq!(change(request(&["venue_id"])).unwrap_err().faults()[0].field, "update_mask");
    }

    #[test]
    fn unmasked_update_replaces_the_venue() {
        let read = change(pb::UpdateVenueRequest { update_mask: None, ..request(&[]) }).unwrap();
        assert_eq!((read.name.as_deref(), read.state), (Some(""), Some(None)));
        assert_eq!(read.time_zone.as_deref(), Some("UTC"));
        let negative = pb::CreateVenueRequest { capacity: Some(-1), ..Default::default() };
        assert_eq!(create(negative).unwrap_err().faults()[0].field, "capacity");
    }
}
