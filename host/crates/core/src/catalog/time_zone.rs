//! Time zones by name.

use jiff::tz::TimeZone;

use crate::error::{Error, Result};
use crate::text::Faults;
use crate::time::Timestamp;

fn time_zone(name: &str) -> Option<TimeZone> {
    // POSIX rules are time zones, too, but not names.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    if name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    TimeZone::get(name).ok()
}

/// Checks the name of a time zone.
pub(super) fn check_time_zone(field: &str, name: &str, faults: &mut Faults) {
    if time_zone(name).is_none() {
        faults.add(
            field,
            format_args!("is {name:?}; the name of a time zone such as Europe/Berlin is expected"),
        );
    }
}

/// Returns the minutes by which a zone is ahead of UTC at a moment.
pub fn offset(name: &str, at: Timestamp) -> Result<i32> {
    let zone =
        time_zone(name).ok_or_else(|| Error::invalid("time_zone", "is not the name of a time zone"))?;
    let at = jiff::Timestamp::from_microsecond(at.micros()).map_err(Error::internal)?;
    Ok(zone.to_offset(at).seconds() / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_follow_daylight_saving_time() {
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
