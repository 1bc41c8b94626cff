//! Statements over rows that are passed column by column. A driver replaces `$rows` by a relation `v` of these rows.

use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::types::Json;
use tessera_core::{Error, Result, Timestamp};
use uuid::Uuid;

use super::Ts;

/// Rows with the same columns.
pub(in super::super) struct Rows<'a> {
    pub(in super::super) count: usize,
    pub(in super::super) columns: Vec<(&'static str, Column<'a>)>,
}

impl Rows<'_> {
    /// Replaces `$columns` in a statement by the names of the columns, and `$values` by those of the rows' values.
    pub(in super::super) fn fill(&self, statement: &str) -> String {
        let names = self.columns.iter().map(|(name, _)| *name);
        let columns = names.clone().collect::<Vec<_>>().join(", ");
        let values = names.map(|name| format!("v.{name}")).collect::<Vec<_>>().join(", ");
        statement.replace("$columns", &columns).replace("$values", &values)
    }
}

/// Values of the rows in one column.
pub(in super::super) enum Column<'a> {
    Ids(Vec<Option<Uuid>>),
    Texts(Vec<Option<&'a str>>),
    Numbers(Vec<Option<i64>>),
    Moments(Vec<Ts>),
    Bytes(Vec<Vec<u8>>),
    Jsons(Vec<Json<Box<RawValue>>>),
}

/// Builds rows from items, one column after the other.
pub(in super::super) struct RowsBuilder<'a, T> {
    things: Vec<T>,
    columns: Vec<(&'static str, Column<'a>)>,
}

impl<'a, T: Copy> RowsBuilder<'a, T> {
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

/// A statement and its input rows by their placeholders. It must change as many rows as the first has.
pub(in super::super) struct Statement<'a> {
    /// Unique name, the key of the cached text.
    pub(in super::super) name: &'static str,
    pub(in super::super) sql: fn() -> String,
    pub(in super::super) inputs: Vec<(&'static str, Rows<'a>)>,
    pub(in super::super) effect: Effect,
}

/// Effect of a statement on its input rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Effect {
    /// Locks the rows that meet its expectations; fewer than the input if one was changed in between.
    #[allow(dead_code, reason = "where there is one writer, no rows are locked")]
    Locks,
    /// Writes the rows that meet its expectations.
    Expects,
    /// Inserts all rows.
    Inserts,
    /// Inserts all rows, which are facts and get numbers.
    Numbers,
}

impl<'a> Statement<'a> {
    pub(in super::super) fn new(
        name: &'static str,
        effect: Effect,
        rows: Rows<'a>,
        sql: fn() -> String,
    ) -> Self {
        Self { name, sql, inputs: vec![("$rows", rows)], effect }
    }

    /// Returns the number of rows that it must change.
    pub(in super::super) fn count(&self) -> usize {
        self.inputs.first().map_or(0, |(_, rows)| rows.count)
    }
}
