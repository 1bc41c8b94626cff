//! Coordinates.

use crate::text::Faults;
use crate::value::{Decimal, Value};

/// The number of units of [`GeoPoint`] in a degree.
pub const UNITS_PER_DEGREE: i64 = 100_000_000;

/// A point on the earth, in 10⁻⁸ degrees.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GeoPoint {
    /// Degrees north of the equator.
    pub latitude: i64,
    /// Degrees east of Greenwich.
    pub longitude: i64,
}

impl GeoPoint {
    /// Checks that the point is on the earth.
    pub fn check(self, faults: &mut Faults) {
        if !(-90 * UNITS_PER_DEGREE..=90 * UNITS_PER_DEGREE).contains(&self.latitude) {
            faults.add("latitude", "is not within -90 to 90 degrees");
        }
        if !(-180 * UNITS_PER_DEGREE..=180 * UNITS_PER_DEGREE).contains(&self.longitude) {
            faults.add("longitude", "is not within -180 to 180 degrees");
        }
    }
}

/// Converts units to degrees, exactly.
pub(super) fn degrees(units: Option<i64>) -> Value {
    let Some(units) = units else { return Value::None };
    let (sign, units) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
    let whole = UNITS_PER_DEGREE.unsigned_abs();
    let text = format!("{sign}{}.{:08}", units / whole, units % whole);
    Decimal::parse("degrees", &text).map_or(Value::None, Value::Decimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_are_exact() {
        let of = |units| degrees(Some(units));
        assert_eq!(of(-1), Value::Decimal(Decimal::parse("d", "-0.00000001").unwrap()));
        assert_eq!(
            of(52 * UNITS_PER_DEGREE + 5),
            Value::Decimal(Decimal::parse("d", "52.00000005").unwrap())
        );
    }
}
