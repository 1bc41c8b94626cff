//! Keyset pages.

use std::fmt::Display;

use sqlx::QueryBuilder;
use tessera_core::page::{Keyset, Page, PageRequest, SortKey};
use tessera_core::plugin::Digest;
use tessera_core::{Error, Result, Timestamp};
use uuid::Uuid;

use super::{Conn, Db, Row, Ts};
use crate::error::fault;

/// What a column holds by which a list is sorted.
#[derive(Clone, Copy)]
pub(super) enum Holds {
    Moments,
    Texts,
    Numbers,
}

/// What a column of ids holds.
#[derive(Clone, Copy)]
enum Ids {
    Uuids,
    Texts,
    Digests,
    /// An issue's id and a name, in two columns.
    IssuesAndNames,
}

/// What a list is sorted by: a column, and where a row stands.
pub(super) struct Sort<T> {
    column: (&'static str, Holds),
    /// The column that orders equal rows, and what it holds.
    id: (&'static str, Ids),
    descending: bool,
    /// The same order in other words, by which the database finds it.
    order: Option<&'static str>,
    keyset: fn(&T) -> Keyset,
}

impl<T> Sort<T> {
    /// Sorted by a column, equal rows by their UUID `id`.
    pub(super) fn by(column: &'static str, holds: Holds, keyset: fn(&T) -> Keyset) -> Self {
        Self { column: (column, holds), id: ("id", Ids::Uuids), descending: false, order: None, keyset }
    }

    /// The greatest first, or the least.
    pub(super) fn descending(mut self, descending: bool) -> Self {
        self.descending = descending;
        self
    }

    /// The same order in the words by which the database finds it.
    pub(super) fn in_order(mut self, order: &'static str) -> Self {
        self.order = Some(order);
        self
    }

    /// The same with another column for equal rows.
    pub(super) fn then(mut self, id: &'static str) -> Self {
        self.id.0 = id;
        self
    }

    /// The same with ids that are text.
    pub(super) fn with_text_ids(mut self) -> Self {
        self.id.1 = Ids::Texts;
        self
    }

    /// The same with digests in the column `digest`.
    pub(super) fn with_digests(mut self) -> Self {
        self.id = ("digest", Ids::Digests);
        self
    }

    /// The same with names in the column `name` that are an issue's, in the column `issue_id`; needs an
    /// order in words.
    pub(super) fn with_issues_and_names(mut self) -> Self {
        self.id = ("issue_id, name", Ids::IssuesAndNames);
        self
    }

    /// Ends a query, of which the condition has begun, with one page of it.
    pub(super) async fn page(
        &self,
        conn: &mut Conn,
        mut query: QueryBuilder<Db>,
        asked: &PageRequest,
        read: fn(&Row) -> Result<T>,
    ) -> Result<Page<T>> {
        let (after, direction) = if self.descending { ("<", "DESC") } else { (">", "ASC") };
        let (column, id) = (self.column.0, self.id.0);
        if let Some(keyset) = &asked.after {
            query.push(format_args!(" AND ({column}, {id}) {after} ("));
            self.push_key(&mut query, &keyset.key)?;
            query.push(", ");
            self.push_id(&mut query, &keyset.id)?;
            query.push(")");
        }
        let limit = u64::from(asked.size) + 1;
        match self.order {
            Some(order) => query.push(format_args!(" ORDER BY {order} LIMIT {limit}")),
            None => {
                query.push(format_args!(" ORDER BY {column} {direction}, {id} {direction} LIMIT {limit}"))
            }
        };
        let rows = query.build().fetch_all(conn).await.map_err(fault)?;
        let items = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(items, asked.size, self.keyset))
    }

    fn push_key(&self, query: &mut QueryBuilder<Db>, key: &SortKey) -> Result<()> {
        match (self.column.1, key) {
            (Holds::Moments, SortKey::Time(at)) => query.push_bind(Ts(*at)),
            (Holds::Texts, SortKey::Text(text)) => query.push_bind(text.clone()),
            (Holds::Numbers, SortKey::Integer(number)) => query.push_bind(*number),
            (Holds::Moments | Holds::Texts | Holds::Numbers, _) => return Err(foreign()),
        };
        Ok(())
    }

    fn push_id(&self, query: &mut QueryBuilder<Db>, id: &str) -> Result<()> {
        match self.id.1 {
            Ids::Uuids => query.push_bind(Uuid::try_parse(id).map_err(|_| foreign())?),
            Ids::Texts => query.push_bind(id.to_owned()),
            Ids::IssuesAndNames => {
                let (issue, name) = id.split_once('/').ok_or_else(foreign)?;
                query.push_bind(Uuid::try_parse(issue).map_err(|_| foreign())?).push(", ");
                query.push_bind(name.to_owned())
            }
            Ids::Digests => {
                query.push_bind(Digest::parse("page_token", id).map_err(|_| foreign())?.0.to_vec())
            }
        };
        Ok(())
    }
}

/// A page token of another list.
fn foreign() -> Error {
    Error::invalid("page_token", "belongs to another list")
}

/// A row's place by a moment.
pub(super) fn at(at: Timestamp, id: &dyn Display) -> Keyset {
    Keyset { key: SortKey::Time(at), id: id.to_string() }
}

/// A row's place by a text.
pub(super) fn text(text: impl Into<String>, id: &dyn Display) -> Keyset {
    Keyset { key: SortKey::Text(text.into()), id: id.to_string() }
}

/// A row's place by a number.
pub(super) fn number(number: u64, id: &dyn Display) -> Keyset {
    Keyset { key: SortKey::Integer(crate::codec::signed(number)), id: id.to_string() }
}
