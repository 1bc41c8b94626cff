//! Rows that a statement is given, column by column: each driver passes them in its own way, and shows them to the
//! statement as `v`.

use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::types::Json;
use tessera_core::{Error, Result, Timestamp};
use uuid::Uuid;

use super::super::Ts;

/// Rows, all with the same columns.
pub(in super::super::super) struct Rows<'a> {
    pub(in super::super::super) count: usize,
    pub(in super::super::super) columns: Vec<(&'static str, Column<'a>)>,
}

/// What the rows have in one column.
pub(in super::super::super) enum Column<'a> {
    Ids(Vec<Option<Uuid>>),
    Texts(Vec<Option<&'a str>>),
    Numbers(Vec<Option<i64>>),
    Moments(Vec<Ts>),
    Bytes(Vec<Vec<u8>>),
    Jsons(Vec<Json<Box<RawValue>>>),
}

/// Rows that are made of these things.
pub(super) struct RowsOf<'a, T> {
    things: Vec<T>,
    columns: Vec<(&'static str, Column<'a>)>,
}

impl<'a, T: Copy> RowsOf<'a, T> {
    pub(super) fn new(things: impl IntoIterator<Item = T>) -> Self {
        Self { things: things.into_iter().collect(), columns: Vec::new() }
    }

    pub(super) fn ids<V: Into<Option<Uuid>>>(self, name: &'static str, of: impl Fn(T) -> V) -> Self {
        let column = self.things.iter().map(|thing| of(*thing).into()).collect();
        self.with(name, Column::Ids(column))
    }

    pub(super) fn texts<V: Into<Option<&'a str>>>(self, name: &'static str, of: impl Fn(T) -> V) -> Self {
        let column = self.things.iter().map(|thing| of(*thing).into()).collect();
        self.with(name, Column::Texts(column))
    }

    pub(super) fn numbers<V: Into<Option<i64>>>(self, name: &'static str, of: impl Fn(T) -> V) -> Self {
        let column = self.things.iter().map(|thing| of(*thing).into()).collect();
        self.with(name, Column::Numbers(column))
    }

    pub(super) fn moments(self, name: &'static str, of: impl Fn(T) -> Timestamp) -> Self {
        let column = self.things.iter().map(|thing| Ts(of(*thing))).collect();
        self.with(name, Column::Moments(column))
    }

    pub(super) fn bytes(self, name: &'static str, of: impl Fn(T) -> Vec<u8>) -> Self {
        let column = self.things.iter().map(|thing| of(*thing)).collect();
        self.with(name, Column::Bytes(column))
    }

    pub(super) fn jsons<V: Serialize>(self, name: &'static str, of: impl Fn(T) -> V) -> Result<Self> {
        let json =
            |thing: &T| serde_json::value::to_raw_value(&of(*thing)).map(Json).map_err(Error::internal);
        let column = self.things.iter().map(json).collect::<Result<_>>()?;
        Ok(self.with(name, Column::Jsons(column)))
    }

    fn with(mut self, name: &'static str, column: Column<'a>) -> Self {
        self.columns.push((name, column));
        self
    }

    pub(super) fn rows(self) -> Rows<'a> {
        Rows { count: self.things.len(), columns: self.columns }
    }
}
