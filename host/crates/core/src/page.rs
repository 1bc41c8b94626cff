//! Keyset pagination: a page begins after the last row of the previous page.

use crate::error::{Error, Result};
use crate::filter::{Filter, Order};
use crate::time::Timestamp;

/// The value that a row is sorted by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SortKey {
    /// A time.
    Time(Timestamp),
    /// Text.
    Text(String),
    /// A number.
    Integer(i64),
}

/// The position of a row in its order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keyset {
    /// The value that it is sorted by.
    pub key: SortKey,
    /// Its id, which orders rows with equal values.
    pub id: String,
}

/// A request for a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// The most rows.
    pub size: u32,
    /// The last row of the previous page.
    pub after: Option<Keyset>,
    /// The filter.
    pub filter: Filter,
    /// The order.
    pub order: Order,
}

/// A page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The last row, if there is a next page.
    pub next: Option<Keyset>,
}

/// The number of rows if a client requests none.
const DEFAULT_SIZE: u32 = 50;

/// The most bytes of a page, counted on the stored rows. A page ends early rather than exceed it; one row always fits.
pub const MAX_BYTES: usize = 2 << 20;

/// Returns the page size for a request: 0 means the default, more than the maximum means the maximum. Refuses negative
/// numbers.
pub fn size(requested: i64, max: u32) -> Result<u32> {
    match requested {
        ..0 => Err(Error::invalid("page_size", format!("is negative; 1 to {max}, or 0 for {DEFAULT_SIZE}"))),
        0 => Ok(DEFAULT_SIZE.min(max)),
        _ => Ok(u32::try_from(requested).unwrap_or(max).min(max)),
    }
}

impl<T> Page<T> {
    /// Converts the rows.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_sizes_are_reduced_and_negative_ones_refused() {
        assert_eq!(size(0, 100).unwrap(), 50);
        assert_eq!(size(0, 20).unwrap(), 20);
        assert_eq!(size(7, 100).unwrap(), 7);
        assert_eq!(size(i64::MAX, 100).unwrap(), 100);
        assert!(size(-1, 100).is_err());
    }
}
