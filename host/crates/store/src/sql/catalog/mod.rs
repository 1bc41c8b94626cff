//! Venues, series, events, ticket types and pools.

pub(in super::super) mod event;
pub(in super::super) mod pool;
pub(in super::super) mod series;
pub(in super::super) mod ticket_type;
pub(in super::super) mod venue;

/// Converts an optional count to the databases' type.
fn signed_or_none(number: Option<u64>) -> Option<i64> {
    number.map(crate::codec::signed)
}
