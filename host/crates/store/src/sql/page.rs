//! Keyset pages.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{LazyLock, Mutex, PoisonError};

use futures_util::TryStreamExt as _;
use sqlx::{Connection as _, Decode, Execute as _, QueryBuilder, Row as _, ValueRef as _};
use tessera_core::id::TenantId;
use tessera_core::page::{Keyset, MAX_BYTES, Page, PageRequest, SortKey};
use tessera_core::plugin::Digest;
use tessera_core::{Error, Result, Timestamp};
use uuid::Uuid;

use super::{Conn, Db, Row, Ts};
use crate::error::db_error;

/// Type of the column that a list is sorted by.
#[derive(Clone, Copy)]
pub(super) enum SortType {
    Moments,
    Texts,
    Numbers,
    Uuids,
}

/// Type of an id column.
#[derive(Clone, Copy)]
enum Ids {
    Uuids,
    Texts,
    Digests,
    /// Id of an issue and a name, in two columns.
    IssuesAndNames,
}

/// Sort order of a list: columns, and the keyset of a row.
pub(super) struct Sort<T> {
    column: (&'static str, SortType),
    /// Column that orders rows of equal sort value, and its type.
    id: (&'static str, Ids),
    descending: bool,
    /// Explicit `ORDER BY` that matches an index.
    order: Option<&'static str>,
    keyset: fn(&T) -> Keyset,
}

impl<T: 'static> Sort<T> {
    /// Sorts by a column, rows of equal value by their UUID `id`.
    pub(super) fn by(column: &'static str, sort_type: SortType, keyset: fn(&T) -> Keyset) -> Self {
        Self { column: (column, sort_type), id: ("id", Ids::Uuids), descending: false, order: None, keyset }
    }

    /// Sets the direction.
    pub(super) fn descending(mut self, descending: bool) -> Self {
        self.descending = descending;
        self
    }

    /// Sets an explicit `ORDER BY` that matches an index.
    pub(super) fn in_order(mut self, order: &'static str) -> Self {
        self.order = Some(order);
        self
    }

    /// Sets another id column.
    pub(super) fn then(mut self, id: &'static str) -> Self {
        self.id.0 = id;
        self
    }

    /// Sets the id's type to text.
    pub(super) fn with_text_ids(mut self) -> Self {
        self.id.1 = Ids::Texts;
        self
    }

    /// Sets the id to the digest in the column `digest`.
    pub(super) fn with_digests(mut self) -> Self {
        self.id = ("digest", Ids::Digests);
        self
    }

    /// Sets the id to the columns `issue_id` and `name`; needs an explicit order.
    pub(super) fn with_issues_and_names(mut self) -> Self {
        self.id = ("issue_id, name", Ids::IssuesAndNames);
        self
    }

    /// Completes a query, whose condition has begun, and fetches one page. It ends before the row that would exceed
    /// [`MAX_BYTES`].
    pub(super) async fn page(
        &self,
        (conn, tenant): (&mut Conn, TenantId),
        mut query: QueryBuilder<Db>,
        request: &PageRequest,
        read: fn(&Row) -> Result<T>,
    ) -> Result<Page<T>> {
        let size = request.size as usize;
        let sizes = RowSizes { tenant, rows: TypeId::of::<T>() };
        let (mut items, mut bytes, mut has_more) = (Vec::new(), 0, false);
        let mut after = request.after.clone();
        let sql = query.sql();
        let arguments = query
            .build()
            .take_arguments()
            .map_err(|error| Error::internal(anyhow::Error::from_boxed(error)))?
            .unwrap_or_default();
        // A server sends all rows that a query selects, even if the page ends before.
        while !has_more {
            let wanted = (size + 1 - items.len()).min(sizes.fitting(MAX_BYTES.saturating_sub(bytes)));
            let mut query = QueryBuilder::with_arguments(sql.as_str(), arguments.clone());
            self.complete(&mut query, after.as_ref(), wanted)?;
            let (mut count, mut rows) = (0, query.build().fetch(&mut *conn));
            while let Some(row) = rows.try_next().await.map_err(db_error)? {
                count += 1;
                let item = read(&row)?;
                bytes += stored_size(&row);
                has_more = items.len() == size || (bytes > MAX_BYTES && !items.is_empty());
                if has_more {
                    break;
                }
                items.push(item);
            }
            drop(rows);
            // A query without rows tells nothing of their size.
            if let Some(size) = bytes.checked_div(items.len() + usize::from(has_more)) {
                sizes.note(size);
            }
            if has_more && items.len() < size {
                // The rows that are left are discarded now, and not in the time of the next query on this connection.
                conn.ping().await.map_err(db_error)?;
            }
            if count < wanted {
                break;
            }
            after = items.last().map(self.keyset);
        }
        let next = items.last().filter(|_| has_more).map(self.keyset);
        Ok(Page { items, next })
    }

    /// Adds the begin, the order and the number of rows to a query.
    fn complete(&self, query: &mut QueryBuilder<Db>, after: Option<&Keyset>, limit: usize) -> Result<()> {
        let (operator, direction) = if self.descending { ("<", "DESC") } else { (">", "ASC") };
        let (column, id) = (self.column.0, self.id.0);
        if let Some(keyset) = after {
            query.push(format_args!(" AND ({column}, {id}) {operator} ("));
            self.push_key(query, &keyset.key)?;
            query.push(", ");
            self.push_id(query, &keyset.id)?;
            query.push(")");
        }
        match self.order {
            Some(order) => query.push(format_args!(" ORDER BY {order} LIMIT {limit}")),
            None => {
                query.push(format_args!(" ORDER BY {column} {direction}, {id} {direction} LIMIT {limit}"))
            }
        };
        Ok(())
    }

    fn push_key(&self, query: &mut QueryBuilder<Db>, key: &SortKey) -> Result<()> {
        match (self.column.1, key) {
            (SortType::Moments, SortKey::Time(at)) => query.push_bind(Ts(*at)),
            (SortType::Texts, SortKey::Text(text)) => query.push_bind(text.clone()),
            (SortType::Numbers, SortKey::Integer(number)) => query.push_bind(*number),
            (SortType::Uuids, SortKey::Text(id)) => {
                query.push_bind(Uuid::try_parse(id).map_err(|_| foreign())?)
            }
            (SortType::Moments | SortType::Texts | SortType::Numbers | SortType::Uuids, _) => {
                return Err(foreign());
            }
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

/// The most rows of a query while the size of a tenant's rows is not known.
const UNKNOWN_ROWS: usize = 8;

/// The most tenants' lists whose rows' sizes are kept.
const MAX_SIZES: usize = 10_000;

/// The sizes of the rows of a tenant's list, as its last pages had them.
struct RowSizes {
    tenant: TenantId,
    rows: TypeId,
}

static ROW_SIZES: LazyLock<Mutex<HashMap<(TenantId, TypeId), usize>>> = LazyLock::new(Mutex::default);

impl RowSizes {
    /// Returns the number of rows that are likely to have so many bytes, and one more.
    fn fitting(&self, bytes: usize) -> usize {
        let sizes = ROW_SIZES.lock().unwrap_or_else(PoisonError::into_inner);
        sizes.get(&(self.tenant, self.rows)).map_or(UNKNOWN_ROWS, |size| bytes / (*size).max(1) + 1)
    }

    fn note(&self, size: usize) {
        let mut sizes = ROW_SIZES.lock().unwrap_or_else(PoisonError::into_inner);
        if sizes.len() >= MAX_SIZES {
            sizes.clear();
        }
        // It falls slowly, so that a page of small rows does not hide large ones.
        let known = sizes.entry((self.tenant, self.rows)).or_default();
        *known = size.max(*known - *known / 4);
    }
}

/// Returns the size of a stored row. Its columns cannot be decoded again: SQLite keeps the form of the last decoding.
fn stored_size(row: &Row) -> usize {
    let values = (0..row.len()).filter_map(|column| row.try_get_raw(column).ok());
    let bytes = |value| <&[u8] as Decode<'_, Db>>::decode(value).map_or(0, <[u8]>::len);
    values.filter(|value| !value.is_null()).map(bytes).sum()
}

/// Error for a page token of another list.
fn foreign() -> Error {
    Error::invalid("page_token", "belongs to another list")
}

/// Keyset of a row that is sorted by a time.
pub(super) fn at(at: Timestamp, id: &dyn Display) -> Keyset {
    Keyset { key: SortKey::Time(at), id: id.to_string() }
}

/// Keyset of a row that is sorted by a text.
pub(super) fn text(text: impl Into<String>, id: &dyn Display) -> Keyset {
    Keyset { key: SortKey::Text(text.into()), id: id.to_string() }
}

/// Keyset of a row that is sorted by a number.
pub(super) fn number(number: u64, id: &dyn Display) -> Keyset {
    Keyset { key: SortKey::Integer(crate::codec::signed(number)), id: id.to_string() }
}
