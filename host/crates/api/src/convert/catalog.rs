//! Catalogue values for both transports: degrees, counts, and fields that change together.

use tessera_core::catalog::{GeoPoint, TicketType};
use tessera_core::filter::{Op, Operand, Term};
use tessera_core::id::TicketTypeId;
use tessera_core::inventory::HoldRules;
use tessera_core::text::Faults;
use tessera_core::{App, Ctx, ErrorKind, PageRequest, Result};

use crate::state::{etag, etag_with_count};

/// The time zone of a venue that names none.
const UTC: &str = "UTC";

/// The default minimum and maximum of one purchase.
const PER_PURCHASE: (u32, u32) = (1, 10);

/// The point at these degrees; both are given, or none.
pub(crate) fn place(latitude: Option<f64>, longitude: Option<f64>, faults: &mut Faults) -> Option<GeoPoint> {
    let missing = match (latitude, longitude) {
        (None, None) => return None,
        (Some(latitude), Some(longitude)) => {
            let latitude = parts("latitude", latitude, faults);
            let longitude = parts("longitude", longitude, faults);
            return Some(GeoPoint { latitude, longitude });
        }
        (None, Some(_)) => "latitude",
        (Some(_), None) => "longitude",
    };
    faults.add(missing, "is missing: latitude and longitude go together");
    None
}

/// Parts of degrees, from how they are written: exact, and without arithmetic on floats.
fn parts(field: &str, degrees: f64, faults: &mut Faults) -> i64 {
    if degrees.is_nan() {
        faults.add(field, "is not a number");
        return 0;
    }
    let digits = format!("{degrees:.8}").replace('.', "");
    // What does not fit is not on the earth, as the core will say.
    let beyond = if degrees.is_sign_negative() { i64::MIN } else { i64::MAX };
    digits.parse().unwrap_or(beyond)
}

/// Parts of degrees as a number.
#[must_use]
pub(crate) fn degrees(parts: i64) -> f64 {
    let sign = if parts < 0 { "-" } else { "" };
    let whole = tessera_core::catalog::geo::UNITS_PER_DEGREE.unsigned_abs();
    let parts = parts.unsigned_abs();
    format!("{sign}{}.{:08}", parts / whole, parts % whole).parse().unwrap_or_default()
}

/// The time zone that a venue names.
#[must_use]
pub(crate) fn zone_or_utc(named: String) -> String {
    if named.is_empty() { UTC.to_owned() } else { named }
}

/// A number of people or units.
pub(crate) fn count(field: &str, number: Option<i64>, faults: &mut Faults) -> Option<u64> {
    let number = number?;
    let read = u64::try_from(number).ok();
    if read.is_none() {
        faults.add(field, "is negative");
    }
    read
}

/// A small number: seconds, or units of one buyer.
pub(crate) fn small(field: &str, number: Option<i32>, faults: &mut Faults) -> Option<u32> {
    let number = number?;
    let read = u32::try_from(number).ok();
    if read.is_none() {
        faults.add(field, "is negative");
    }
    read
}

/// The least that one purchase may have; 0: the usual.
pub(crate) fn least(number: i32, faults: &mut Faults) -> u32 {
    purchase("min_per_purchase", number, PER_PURCHASE.0, faults)
}

/// The most that one purchase may have; 0: the usual.
pub(crate) fn most(number: i32, faults: &mut Faults) -> u32 {
    purchase("max_per_purchase", number, PER_PURCHASE.1, faults)
}

fn purchase(field: &str, number: i32, usual: u32, faults: &mut Faults) -> u32 {
    small(field, Some(number), faults).filter(|number| *number > 0).unwrap_or(usual)
}

/// Requires a value.
pub(crate) fn required<T>(field: &str, value: Option<T>, faults: &mut Faults) -> Option<T> {
    if value.is_none() {
        faults.add(field, "must be given");
    }
    value
}

/// How long reservations are held: when a client does not say it, the least and the most.
pub(crate) const HOLDS: [&str; 3] = ["hold_seconds", "hold_min_seconds", "hold_max_seconds"];

/// Reads hold rules; the seconds come in the order of [`HOLDS`].
pub(crate) fn holds(seconds: [Option<i32>; 3], faults: &mut Faults) -> HoldRules {
    let [usual, least, most] = [0, 1, 2].map(|at| small(HOLDS[at], seconds[at], faults));
    HoldRules { default: usual, min: least, max: most }
}

/// Whether fields that change together are all named; adds a fault for each missing one.
pub(crate) fn together(fields: &[(&str, bool)], faults: &mut Faults) -> bool {
    if !fields.iter().any(|(_, named)| *named) {
        return false;
    }
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let missing: Vec<_> = fields.iter().filter(|(_, named)| !named).collect();
    for (name, _) in &missing {
        faults.add(name, format_args!("is missing: {} change together", names.join(", ")));
    }
    missing.is_empty()
}

/// The page, of the events that are shown first.
#[must_use]
pub(crate) fn featured(mut page: PageRequest) -> PageRequest {
    let values = vec![Operand::Boolean(true)];
    page.filter.terms.push(Term { negated: false, field: "featured", name: None, op: Op::OneOf, values });
    page
}

/// The entity tag of a ticket type; what is left of it changes without its version.
#[must_use]
pub(crate) fn type_etag(ticket_type: &TicketType, available: Option<u64>) -> String {
    available.map_or_else(
        || etag(ticket_type.version),
        |available| etag_with_count(ticket_type.version, available),
    )
}

/// The available units of a ticket type after a change; `None` where it was deleted meanwhile.
pub(crate) async fn available(app: &App, ctx: &Ctx, id: TicketTypeId) -> Result<Option<u64>> {
    match app.ticket_types.get(ctx, id).await {
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
        let read = place(latitude, longitude, &mut faults);
        faults.into_result().map(|()| read)
    }

    #[test]
    fn degrees_are_read_to_the_nearest_part_and_shown_as_they_were_given() {
        let berlin = read(Some(52.520_006_6), Some(13.404_954)).unwrap().unwrap();
        assert_eq!((berlin.latitude, berlin.longitude), (5_252_000_660, 1_340_495_400));
        for longitude in [52.520_006_6, -0.000_000_01, 0.0, -180.0, 13.1] {
            let place = read(Some(0.0), Some(longitude)).unwrap().unwrap();
            assert_eq!(degrees(place.longitude).to_bits(), longitude.to_bits(), "{longitude}");
        }
        assert_eq!(read(Some(-0.0), Some(0.0)).unwrap(), Some(GeoPoint { latitude: 0, longitude: 0 }));
        assert_eq!(read(None, None).unwrap(), None);
    }

    #[test]
    fn what_is_no_place_is_refused_by_name() {
        for (latitude, longitude, field) in [
            (Some(1.0), None, "longitude"),
            (None, Some(1.0), "latitude"),
            (Some(f64::NAN), Some(1.0), "latitude"),
        ] {
            assert_eq!(read(latitude, longitude).unwrap_err().faults()[0].field, field);
        }
        for far in [90.000_000_01, -91.0, 1e300, f64::INFINITY, f64::NEG_INFINITY] {
            let place = read(Some(far), Some(0.0)).unwrap().unwrap();
            let mut faults = Faults::default();
            place.check(&mut faults);
            assert_eq!(faults.into_result().unwrap_err().faults()[0].field, "latitude", "{far}");
        }
    }

    #[test]
    fn fields_that_change_together_are_all_named_or_none() {
        let outcome = |named: [bool; 2]| {
            let mut faults = Faults::default();
            let all = together(&[("a", named[0]), ("b", named[1])], &mut faults);
            (all, faults.into_result().map_err(|error| error.faults()[0].field.clone()))
        };
        assert!(!outcome([false, false]).0);
        assert!(outcome([true, true]).0 && outcome([true, true]).1.is_ok());
        assert_eq!(outcome([true, false]).1, Err("b".to_owned()));
    }
}
