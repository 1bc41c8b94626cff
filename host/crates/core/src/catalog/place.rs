//! Where something is: coordinates and time zones.

use jiff::tz::TimeZone;

use crate::error::{Error, Result};
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Decimal, Value};

/// How many parts a degree has in [`Place`].
pub const PARTS: i64 = 100_000_000;

/// A point on the earth, in 10⁻⁸ degrees.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// North of the equator.
    pub latitude: i64,
    /// East of Greenwich.
    pub longitude: i64,
}

impl Place {
    /// Checks that the point is on the earth.
    pub fn check(self, faults: &mut Faults) {
        if !(-90 * PARTS..=90 * PARTS).contains(&self.latitude) {
            faults.add("latitude", "is not within -90 to 90 degrees");
        }
        if !(-180 * PARTS..=180 * PARTS).contains(&self.longitude) {
            faults.add("longitude", "is not within -180 to 180 degrees");
        }
    }
}

/// Degrees as an exact value.
pub(super) fn degrees(parts: Option<i64>) -> Value {
    let Some(parts) = parts else { return Value::None };
    let (sign, parts) = if parts < 0 { ("-", parts.unsigned_abs()) } else { ("", parts.unsigned_abs()) };
    let whole = PARTS.unsigned_abs();
    let text = format!("{sign}{}.{:08}", parts / whole, parts % whole);
    Decimal::parse("degrees", &text).map_or(Value::None, Value::Decimal)
}

fn zone(name: &str) -> Option<TimeZone> {
    // POSIX rules are time zones too, but no names.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    if name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    TimeZone::get(name).ok()
}

/// Checks the name of a time zone.
pub(super) fn check_zone(field: &str, name: &str, faults: &mut Faults) {
    if zone(name).is_none() {
        faults.add(
            field,
            format_args!("is {name:?}; the name of a time zone such as Europe/Berlin is expected"),
        );
    }
}

/// Minutes that a zone's clocks are ahead of UTC at a moment.
pub fn offset(name: &str, at: Timestamp) -> Result<i32> {
    let zone = zone(name).ok_or_else(|| Error::invalid("time_zone", "is not the name of a time zone"))?;
    let at = jiff::Timestamp::from_microsecond(at.micros()).map_err(Error::internal)?;
    Ok(zone.to_offset(at).seconds() / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_are_exact() {
        let said = |parts| degrees(Some(parts));
        assert_eq!(said(-1), Value::Decimal(Decimal::parse("d", "-0.00000001").unwrap()));
        assert_eq!(said(52 * PARTS + 5), Value::Decimal(Decimal::parse("d", "52.00000005").unwrap()));
    }

    #[test]
    fn zones_are_known_by_name_with_their_summer_time() {
        let at = |text| Timestamp::parse("t", text).unwrap();
        assert_eq!(offset("Europe/Berlin", at("2026-01-31")).unwrap(), 60);
        assert_eq!(offset("Europe/Berlin", at("2026-07-31")).unwrap(), 120);
        assert_eq!(offset("Asia/Kolkata", at("2026-07-31")).unwrap(), 330);
        assert_eq!(offset("UTC", at("2026-07-31")).unwrap(), 0);
        for bad in ["", "Nowhere/At_All", "EST5EDT,M3.2.0,M11.1.0", "../etc/passwd"] {
            assert!(offset(bad, at("2026-07-31")).is_err(), "{bad}");
        }
    }
}
