//! Conversions between models and wire messages. Only the form of requests is checked here.

pub(crate) mod admission;
pub(crate) mod booking;
pub(crate) mod call;
pub(crate) mod catalog;
pub(crate) mod check_in;
pub(crate) mod comment_link;
pub(crate) mod dynamic_pricing;
pub(crate) mod event;
pub(crate) mod fact;
pub(crate) mod installation;
pub(crate) mod inventory;
pub(crate) mod issue;
pub(crate) mod issue_write;
pub(crate) mod limits;
pub(crate) mod mask;
pub(crate) mod names;
pub(crate) mod pricing;
pub(crate) mod project;
pub(crate) mod promotion;
pub(crate) mod release;
pub(crate) mod reservation;
pub(crate) mod scheme;
pub(crate) mod series;
pub(crate) mod tenancy;
pub(crate) mod ticket_type;
pub(crate) mod timer;
pub(crate) mod user;
pub(crate) mod value;
pub(crate) mod venue;

use std::fmt::Display;

use tessera_core::id::UserId;
use tessera_core::{Ctx, Error, Result, Timestamp};

/// Encodes a timestamp.
#[must_use]
pub(crate) fn time(at: Timestamp) -> Option<prost_types::Timestamp> {
    let micros = at.micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    Some(prost_types::Timestamp { seconds: micros.div_euclid(1_000_000), nanos })
}

/// Reads a timestamp that a client sent in `field`, truncated to microseconds.
pub(crate) fn read_time(field: &str, at: &prost_types::Timestamp) -> Result<Timestamp> {
    let fits = (0..1_000_000_000).contains(&at.nanos);
    let micros =
        at.seconds.checked_mul(1_000_000).and_then(|micros| micros.checked_add(i64::from(at.nanos / 1_000)));
    micros
        .filter(|_| fits)
        .and_then(Timestamp::from_micros)
        .ok_or_else(|| Error::invalid(field, "is not a time in the years 1 to 9999"))
}

/// Formats an optional id.
pub(crate) fn text(value: Option<impl Display>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// Returns the text, or `None` if it is empty.
#[must_use]
pub(crate) fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Converts a count to `int32`, saturating.
#[must_use]
pub(crate) fn to_i32(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Converts a count to `int64`, saturating.
#[must_use]
pub(crate) fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Reads a user, by id or as `me`.
pub(crate) fn user(ctx: &Ctx, field: &str, text: &str) -> Result<UserId> {
    if text == "me" { ctx.me(field) } else { UserId::parse(field, text) }
}

/// Reads a user, by id or as `me`; `None` if the text is empty.
pub(crate) fn user_or_nobody(ctx: &Ctx, field: &str, text: &str) -> Result<Option<UserId>> {
    if text.is_empty() { Ok(None) } else { user(ctx, field, text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_round_trips() {
        for text in ["2026-03-28T23:59:59.123456Z", "1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"] {
            let at = Timestamp::parse("t", text).unwrap();
            assert_eq!(read_time("t", &time(at).unwrap()).unwrap(), at, "{text}");
        }
        let sub_micro = prost_types::Timestamp { seconds: 1, nanos: 1_999 };
        assert_eq!(read_time("t", &sub_micro).unwrap().micros(), 1_000_001);
        for (seconds, nanos) in [(0, -1), (0, 1_000_000_000), (i64::MAX, 0), (253_402_300_800, 0)] {
            assert!(read_time("t", &prost_types::Timestamp { seconds, nanos }).is_err());
        }
    }
}
