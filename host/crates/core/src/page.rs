//! Keyset pages: a page begins after the last row of the page before, whatever happened in between.

use crate::error::{Error, Result};
use crate::filter::{Filter, Order};
use crate::time::Timestamp;

/// What a list is sorted by, in one row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SortKey {
    /// A moment.
    Time(Timestamp),
    /// A text.
    Text(String),
    /// A number.
    Integer(i64),
}

/// The last row of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keyset {
    /// Its sort key.
    pub key: SortKey,
    /// Its id, which orders rows with equal keys.
    pub id: String,
}

/// Which page of a list is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// At most so many rows; within the list's bounds.
    pub size: u32,
    /// Where the page before ended.
    pub after: Option<Keyset>,
    /// Which rows.
    pub filter: Filter,
    /// In what order.
    pub order: Order,
}

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins; none: this was the last.
    pub next: Option<Keyset>,
}

/// The number of rows when a client names none.
const DEFAULT_SIZE: u32 = 50;

/// The page size that a client gets: 0 means 50, too much means the maximum, less than 0 is refused.
pub fn size(asked: i64, max: u32) -> Result<u32> {
    match asked {
        ..0 => Err(Error::invalid("page_size", format!("is negative; 1 to {max}, or 0 for {DEFAULT_SIZE}"))),
        0 => Ok(DEFAULT_SIZE.min(max)),
        _ => Ok(u32::try_from(asked).unwrap_or(max).min(max)),
    }
}

impl<T> Page<T> {
    /// A page from at most `size + 1` rows that were read; the extra row says that there are more.
    pub fn cut(mut items: Vec<T>, size: u32, keyset: impl Fn(&T) -> Keyset) -> Self {
        let size = size as usize;
        let more = items.len() > size;
        items.truncate(size);
        let next = if more { items.last().map(keyset) } else { None };
        Self { items, next }
    }

    /// The same page of something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_out_of_range_are_coerced_and_negative_ones_refused() {
        assert_eq!(size(0, 100).unwrap(), 50);
        assert_eq!(size(0, 20).unwrap(), 20);
        assert_eq!(size(7, 100).unwrap(), 7);
        assert_eq!(size(i64::MAX, 100).unwrap(), 100);
        assert!(size(-1, 100).is_err());
    }
}
