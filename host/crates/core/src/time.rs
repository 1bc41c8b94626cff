//! Times in whole microseconds of UTC.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::{Error, Result};

/// A time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(i64);

/// 0001-01-01 to 9999-12-31, which every store and wire format supports.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

impl Timestamp {
    /// Converts microseconds since 1970; `None` outside the years 1 to 9999.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        RANGE.contains(&micros).then_some(Self(micros))
    }

    /// Returns the microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Converts a date and time, truncated to whole microseconds.
    #[must_use]
    pub fn from_datetime(at: OffsetDateTime) -> Self {
        let micros = at.unix_timestamp_nanos().div_euclid(1_000);
        let micros = i64::try_from(micros).unwrap_or(i64::MAX);
        Self(micros.clamp(*RANGE.start(), *RANGE.end()))
    }

    /// Returns the date and time in UTC.
    #[must_use]
    pub fn to_datetime(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Parses RFC 3339 with an offset, or a date, which means midnight UTC.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let date = time::macros::format_description!("[year]-[month]-[day]");
        if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self::from_datetime(at));
        }
        if let Ok(day) = time::Date::parse(text, &date) {
            return Ok(Self::from_datetime(day.midnight().assume_utc()));
        }
        Err(Error::invalid(
            field,
            "is not a time; RFC 3339 is expected, as 2026-01-31T12:00:00Z or 2026-01-31",
        ))
    }

    /// Returns the time `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(span).min(*RANGE.end()))
    }

    /// Returns the time `span` earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(span).max(*RANGE.start()))
    }
}

impl fmt::Display for Timestamp {
    /// Formats as RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_datetime().format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatted_time_parses_to_the_same_time() {
        let at = Timestamp::parse("t", "2026-03-29T01:59:59.123456+02:00").unwrap();
        assert_eq!(at.to_string(), "2026-03-28T23:59:59.123456Z");
        assert_eq!(Timestamp::parse("t", &at.to_string()).unwrap(), at);
    }

    #[test]
    fn fractions_of_a_microsecond_are_truncated() {
        let at = Timestamp::parse("t", "2026-01-01T00:00:00.1234567Z").unwrap();
        assert_eq!(at.to_string(), "2026-01-01T00:00:00.123456Z");
    }

    #[test]
    fn date_is_midnight_utc_and_malformed_text_is_refused() {
        assert_eq!(Timestamp::parse("t", "2026-01-31").unwrap().to_string(), "2026-01-31T00:00:00Z");
        for bad in ["", "yesterday", "2026-13-01", "2026-01-31T25:00:00Z", "2026-01-31T10:00:00"] {
            assert!(Timestamp::parse("t", bad).is_err(), "{bad}");
        }
    }
}
