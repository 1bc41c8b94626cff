//! Statements over rows that they are given, column by column: each driver passes the rows in its own way, and shows
//! them to the statement as `v`.

use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::types::Json;
use tessera_core::{Error, Result, Timestamp};
use uuid::Uuid;

use super::Ts;

/// Rows, all with the same columns.
pub(in super::super) struct Rows<'a> {
    pub(in super::super) count: usize,
    pub(in super::super) columns: Vec<(&'static str, Column<'a>)>,
}

/// What the rows have in one column.
pub(in super::super) enum Column<'a> {
    Ids(Vec<Option<Uuid>>),
    Texts(Vec<Option<&'a str>>),
    Numbers(Vec<Option<i64>>),
    Moments(Vec<Ts>),
    Bytes(Vec<Vec<u8>>),
    Jsons(Vec<Json<Box<RawValue>>>),
}

/// Rows that are made of these things.
pub(in super::super) struct RowsOf<'a, T> {
    things: Vec<T>,
    columns: Vec<(&'static str, Column<'a>)>,
}

impl<'a, T: Copy> RowsOf<'a, T> {
    pub(in super::super) fn new(things: impl IntoIterator<Item = T>) -> Self {
        Self { things: things.into_iter().collect(), columns: Vec::new() }
    }

    pub(in super::super) fn ids<V: Into<Option<Uuid>>>(
        self,
        name: &'static str,
        of: impl Fn(T) -> V,
    ) -> Self {
        let column = self.things.iter().map(|thing| of(*thing).into()).collect();
        self.with(name, Column::Ids(column))
    }

    pub(in super::super) fn texts<V: Into<Option<&'a str>>>(
        self,
        name: &'static str,
        of: impl Fn(T) -> V,
    ) -> Self {
        let column = self.things.iter().map(|thing| of(*thing).into()).collect();
        self.with(name, Column::Texts(column))
    }

    pub(in super::super) fn numbers<V: Into<Option<i64>>>(
        self,
        name: &'static str,
        of: impl Fn(T) -> V,
    ) -> Self {
        let column = self.things.iter().map(|thing| of(*thing).into()).collect();
        self.with(name, Column::Numbers(column))
    }

    pub(in super::super) fn moments(self, name: &'static str, of: impl Fn(T) -> Timestamp) -> Self {
        let column = self.things.iter().map(|thing| Ts(of(*thing))).collect();
        self.with(name, Column::Moments(column))
    }

    pub(in super::super) fn bytes(self, name: &'static str, of: impl Fn(T) -> Vec<u8>) -> Self {
        let column = self.things.iter().map(|thing| of(*thing)).collect();
        self.with(name, Column::Bytes(column))
    }

    pub(in super::super) fn jsons<V: Serialize>(
        self,
        name: &'static str,
        of: impl Fn(T) -> V,
    ) -> Result<Self> {
        let json =
            |thing: &T| serde_json::value::to_raw_value(&of(*thing)).map(Json).map_err(Error::internal);
        let column = self.things.iter().map(json).collect::<Result<_>>()?;
        Ok(self.with(name, Column::Jsons(column)))
    }

    fn with(mut self, name: &'static str, column: Column<'a>) -> Self {
        self.columns.push((name, column));
        self
    }

    pub(in super::super) fn rows(self) -> Rows<'a> {
        Rows { count: self.things.len(), columns: self.columns }
    }
}

/// A statement and the rows that it is given, by the names by which it speaks of them. It must change as many rows as
/// the first have.
pub(in super::super) struct Part<'a> {
    /// No other has it: by this the text is known.
    pub(in super::super) name: &'static str,
    pub(in super::super) sql: fn() -> String,
    pub(in super::super) given: Vec<(&'static str, Rows<'a>)>,
    pub(in super::super) way: Way,
}

/// What a statement does with the rows that it is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Way {
    /// It locks those for which what it expects is true: not all, where something has changed.
    #[allow(dead_code, reason = "where there is one writer, no rows are locked")]
    Locks,
    /// It writes those for which that is true.
    Expects,
    /// It inserts all of them.
    Inserts,
    /// It inserts all of them, and they are facts, which get their numbers.
    Numbers,
}

impl<'a> Part<'a> {
    pub(in super::super) fn new(name: &'static str, way: Way, rows: Rows<'a>, sql: fn() -> String) -> Self {
        Self { name, sql, given: vec![("$rows", rows)], way }
    }

    /// How many rows it must change.
    pub(in super::super) fn count(&self) -> usize {
        self.given.first().map_or(0, |(_, rows)| rows.count)
    }
}
