//! Values of the catalogue: coordinates, counts, and fields that must change together.

use tessera_core::catalog::{GeoPoint, TicketType};
use tessera_core::id::TicketTypeId;
use tessera_core::inventory::HoldRules;
use tessera_core::text::Faults;
use tessera_core::{App, Ctx, ErrorKind, Result};

use crate::state::{etag, etag_with_count};

/// The time zone of a venue that names none.
const UTC: &str = "UTC";

/// The default minimum and maximum of one purchase.
const DEFAULT_PER_PURCHASE: (u32, u32) = (1, 10);

/// Reads a location; both coordinates are given, or none.
pub(crate) fn location(
    latitude: Option<f64>,
    longitude: Option<f64>,
    faults: &mut Faults,
) -> Option<GeoPoint> {
    let missing = match (latitude, longitude) {
        (None, None) => return None,
        (Some(latitude), Some(longitude)) => {
            let latitude = degree_units("latitude", latitude, faults);
            let longitude = degree_units("longitude", longitude, faults);
            return Some(GeoPoint { latitude, longitude });
        }
        (None, Some(_)) => "latitude",
        (Some(_), None) => "longitude",
    };
    faults.add(missing, "must be given: latitude and longitude go together");
    None
}

/// Converts degrees to fixed-point units through their decimal form, without arithmetic on floats.
fn degree_units(field: &str, degrees: f64, faults: &mut Faults) -> i64 {
    if degrees.is_nan() {
        faults.add(field, "is not a number");
        return 0;
    }
    let digits = format!("{degrees:.8}").replace('.', "");
    // The core refuses a value out of range.
    let out_of_range = if degrees.is_sign_negative() { i64::MIN } else { i64::MAX };
    digits.parse().unwrap_or(out_of_range)
}

/// Converts fixed-point units to degrees.
#[must_use]
pub(crate) fn degrees(units: i64) -> f64 {
    let sign = if units < 0 { "-" } else { "" };
    let per_degree = tessera_core::catalog::geo::UNITS_PER_DEGREE.unsigned_abs();
    let units = units.unsigned_abs();
    format!("{sign}{}.{:08}", units / per_degree, units % per_degree).parse().unwrap_or_default()
}

/// Returns the time zone, or UTC if the text is empty.
#[must_use]
pub(crate) fn zone_or_utc(zone: String) -> String {
    if zone.is_empty() { UTC.to_owned() } else { zone }
}

/// Reads a non-negative `int64`.
pub(crate) fn read_u64(field: &str, number: Option<i64>, faults: &mut Faults) -> Option<u64> {
    let number = number?;
    let count = u64::try_from(number).ok();
    if count.is_none() {
        faults.add(field, "is negative");
    }
    count
}

/// Reads a non-negative `int32`.
pub(crate) fn read_u32(field: &str, number: Option<i32>, faults: &mut Faults) -> Option<u32> {
    let number = number?;
    let count = u32::try_from(number).ok();
    if count.is_none() {
        faults.add(field, "is negative");
    }
    count
}

/// Reads the minimum of one purchase; 0: the default.
pub(crate) fn min_per_purchase(number: i32, faults: &mut Faults) -> u32 {
    purchase_limit("min_per_purchase", number, DEFAULT_PER_PURCHASE.0, faults)
}

/// Reads the maximum of one purchase; 0: the default.
pub(crate) fn max_per_purchase(number: i32, faults: &mut Faults) -> u32 {
    purchase_limit("max_per_purchase", number, DEFAULT_PER_PURCHASE.1, faults)
}

fn purchase_limit(field: &str, number: i32, default: u32, faults: &mut Faults) -> u32 {
    read_u32(field, Some(number), faults).filter(|number| *number > 0).unwrap_or(default)
}

/// Requires a value.
pub(crate) fn required<T>(field: &str, value: Option<T>, faults: &mut Faults) -> Option<T> {
    if value.is_none() {
        faults.add(field, "must be given");
    }
    value
}

/// The fields of hold rules: the default, the minimum and the maximum time.
pub(crate) const HOLD_FIELDS: [&str; 3] = ["hold_seconds", "hold_min_seconds", "hold_max_seconds"];

/// Reads hold rules; the seconds are in the order of [`HOLD_FIELDS`].
pub(crate) fn hold_rules(seconds: [Option<i32>; 3], faults: &mut Faults) -> HoldRules {
    let [default, min, max] = [0, 1, 2].map(|index| read_u32(HOLD_FIELDS[index], seconds[index], faults));
    HoldRules { default, min, max }
}

/// Refuses a mask that has some of the fields that change together, but not all.
pub(crate) fn check_group(fields: &[(&str, bool)], faults: &mut Faults) {
    if !fields.iter().any(|(_, is_masked)| *is_masked) {
        return;
    }
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    for (name, _) in fields.iter().filter(|(_, is_masked)| !is_masked) {
        faults.add(name, format_args!("must be given as well: {} change together", names.join(", ")));
    }
}

/// The entity tag of a ticket type; its available units change without its version.
#[must_use]
pub(crate) fn type_etag(ticket_type: &TicketType, available: Option<u64>) -> String {
    available.map_or_else(
        || etag(ticket_type.version),
        |available| etag_with_count(ticket_type.version, available),
    )
}

/// Returns the available units of a ticket type after a change; `None` if it was deleted in the meantime.
pub(crate) async fn available(app: &App, ctx: &Ctx, id: TicketTypeId) -> Result<Option<u64>> {
    match app.ticket_types.get(ctx, id, "").await {
        Ok((_, stock)) => Ok(stock.available),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(latitude: Option<f64>, longitude: Option<f64>) -> Result<Option<GeoPoint>> {
        let mut faults = Faults::default();
        let location = location(latitude, longitude, &mut faults);
        faults.into_result().map(|()| location)
    }

    #[test]
    fn degrees_round_trip() {
        let berlin = read(Some(52.520_006_6), Some(13.404_954)).unwrap().unwrap();
        assert_eq!((berlin.latitude, berlin.longitude), (5_252_000_660, 1_340_495_400));
        for longitude in [52.520_006_6, -0.000_000_01, 0.0, -180.0, 13.1] {
            let point = read(Some(0.0), Some(longitude)).unwrap().unwrap();
            assert_eq!(degrees(point.longitude).to_bits(), longitude.to_bits(), "{longitude}");
        }
        assert_eq!(read(Some(-0.0), Some(0.0)).unwrap(), Some(GeoPoint { latitude: 0, longitude: 0 }));
        assert_eq!(read(None, None).unwrap(), None);
    }

    #[test]
    fn invalid_coordinates_are_refused_by_field() {
        for (latitude, longitude, field) in [
            (Some(1.0), None, "longitude"),
            (None, Some(1.0), "latitude"),
            (Some(f64::NAN), Some(1.0), "latitude"),
        ] {
            assert_eq!(read(latitude, longitude).unwrap_err().faults()[0].field, field);
        }
        for far in [90.000_000_01, -91.0, 1e300, f64::INFINITY, f64::NEG_INFINITY] {
            let point = read(Some(far), Some(0.0)).unwrap().unwrap();
            let mut faults = Faults::default();
            point.check(&mut faults);
            assert_eq!(faults.into_result().unwrap_err().faults()[0].field, "latitude", "{far}");
        }
    }

    #[test]
    fn partially_masked_group_is_refused() {
        let outcome = |masked: [bool; 2]| {
            let mut faults = Faults::default();
            check_group(&[("a", masked[0]), ("b", masked[1])], &mut faults);
            faults.into_result().map_err(|error| error.faults()[0].field.clone())
        };
        assert!(outcome([false, false]).is_ok() && outcome([true, true]).is_ok());
        assert_eq!(outcome([true, false]), Err("b".to_owned()));
    }
}
