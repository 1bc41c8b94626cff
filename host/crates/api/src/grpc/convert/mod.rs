//! Between the domain's types and the messages of the contract. Nothing is judged here but form.

pub mod admission;
pub mod booking;
pub mod call;
pub mod check_in;
pub mod event;
pub mod fact;
pub mod hanging;
pub mod installation;
pub mod inventory;
pub mod issue;
pub mod issue_write;
pub mod limits;
pub mod mask;
pub mod names;
pub mod project;
pub mod release;
pub mod reservation;
pub mod scheme;
pub mod series;
pub mod tenancy;
pub mod ticket_type;
pub mod timer;
pub mod user;
pub mod value;
pub mod venue;

use std::fmt::Display;

use tessera_core::id::UserId;
use tessera_core::{Ctx, Error, Result, Timestamp};

/// A moment.
#[must_use]
pub fn time(at: Timestamp) -> Option<prost_types::Timestamp> {
    let micros = at.micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    Some(prost_types::Timestamp { seconds: micros.div_euclid(1_000_000), nanos })
}

/// The moment that a client wrote in `field`, cut to whole microseconds.
pub fn read_time(field: &str, at: &prost_types::Timestamp) -> Result<Timestamp> {
    let fits = (0..1_000_000_000).contains(&at.nanos);
    let micros =
        at.seconds.checked_mul(1_000_000).and_then(|micros| micros.checked_add(i64::from(at.nanos / 1_000)));
    micros
        .filter(|_| fits)
        .and_then(Timestamp::from_micros)
        .ok_or_else(|| Error::invalid(field, "is not a time in the years 1 to 9999"))
}

/// Something that may be absent, as text.
pub fn text(held: Option<impl Display>) -> String {
    held.map(|held| held.to_string()).unwrap_or_default()
}

/// Text that is there.
#[must_use]
pub fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A count, as far as the contract's numbers reach.
#[must_use]
pub fn count(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A count as a number that is large enough for it.
#[must_use]
pub fn large(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The user that a client named, by id or as `me`.
pub fn user(ctx: &Ctx, field: &str, text: &str) -> Result<UserId> {
    if text == "me" { ctx.me(field) } else { UserId::parse(field, text) }
}

/// The user that a client named; empty: nobody.
pub fn user_or_nobody(ctx: &Ctx, field: &str, text: &str) -> Result<Option<UserId>> {
    if text.is_empty() { Ok(None) } else { user(ctx, field, text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_survives_being_written_and_read() {
        for text in ["2026-03-28T23:59:59.123456Z", "1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"] {
            let at = Timestamp::parse("t", text).unwrap();
            assert_eq!(read_time("t", &time(at).unwrap()).unwrap(), at, "{text}");
        }
        let fine = prost_types::Timestamp { seconds: 1, nanos: 1_999 };
        assert_eq!(read_time("t", &fine).unwrap().micros(), 1_000_001);
        for (seconds, nanos) in [(0, -1), (0, 1_000_000_000), (i64::MAX, 0), (253_402_300_800, 0)] {
            assert!(read_time("t", &prost_types::Timestamp { seconds, nanos }).is_err());
        }
    }
}
