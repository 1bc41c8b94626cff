//! Quotes. They never change; batches store those of reservations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::Row as _;
use sqlx::types::Json;
use tessera_core::id::{QuoteId, TenantId};
use tessera_core::pricing::Quote;
use tessera_core::{Error, Result, Timestamp};

use super::super::rows::{Effect, RowsBuilder, Statement};
use super::super::table::Table;
use super::super::{Conn, Row, Ts, dialect};
use crate::codec::{StoredQuote, StoredQuoteContent, quote, small, stored_quote_content};
use crate::error::db_error;

static QUOTES: Table = Table::new(
    "quotes",
    &["tenant_id", "id"],
    &[],
    &["event_id", "buyer", "content", "created_by", "created_at", "expires_at"],
);

/// Inserts a quote that no reservation refers to.
pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, quote: &Quote) -> Result<()> {
    let query = sqlx::query(QUOTES.insert())
        .bind(tenant.0)
        .bind(quote.id.0)
        .bind(quote.event.0)
        .bind(&quote.buyer)
        .bind(Json(stored_quote_content(quote)))
        .bind(&quote.created_by)
        .bind(Ts(quote.created_at))
        .bind(Ts(quote.expires_at));
    query.execute(conn).await.map(drop).map_err(db_error)
}

/// Marks stored quotes as reserved, as a part of a statement. One that was purged meanwhile is stale.
pub(in super::super) fn marked(quotes: &BTreeSet<QuoteId>) -> Statement<'_> {
    let rows = RowsBuilder::new(quotes).ids("id", |quote: &QuoteId| quote.0).rows();
    Statement::new("stored quotes", Effect::Expects, rows, || {
        format!(
            "{} quotes SET reserved = TRUE FROM $rows WHERE quotes.tenant_id = $1 AND {} AND quotes.id = v.id",
            dialect::UPDATE,
            dialect::of_rows("quotes.id", "id"),
        )
    })
}

/// Stores the quotes of new reservations as a part of a statement, and marks those that are stored already.
pub(in super::super) fn reserved(quotes: &[Arc<Quote>]) -> Result<Statement<'_>> {
    // A statement cannot write a row twice, and two reservations can have the same quote.
    let quotes: BTreeMap<_, _> = quotes.iter().map(|quote| (quote.id, &**quote)).collect();
    let rows = RowsBuilder::new(quotes.into_values())
        .ids("id", |quote: &Quote| quote.id.0)
        .ids("event_id", |quote| quote.event.0)
        .texts("buyer", |quote| quote.buyer.as_str())
        .jsons("content", stored_quote_content)?
        .texts("created_by", |quote| quote.created_by.as_str())
        .moments("created_at", |quote| quote.created_at)
        .moments("expires_at", |quote| quote.expires_at)
        .rows();
    Ok(Statement::new("quotes", Effect::Inserts, rows, || {
        "INSERT INTO quotes (tenant_id, reserved, $columns) SELECT $1, TRUE, $values FROM $rows WHERE TRUE
         ON CONFLICT (tenant_id, id) DO UPDATE SET reserved = TRUE"
            .to_owned()
    }))
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId, id: QuoteId) -> Result<Option<Quote>> {
    let mut query = QUOTES.of(tenant);
    query.push(" AND id = ").push_bind(id.0);
    let row = query.build().fetch_optional(conn).await.map_err(db_error)?;
    row.as_ref().map(read).transpose()
}

/// Counts the quotes that no reservation refers to and that have not ended, up to `limit`.
pub(in super::super) async fn count_open(
    conn: &mut Conn,
    tenant: TenantId,
    (now, limit): (Timestamp, u32),
) -> Result<u32> {
    let query = sqlx::query_scalar(
        "SELECT COUNT(*) FROM
         (SELECT 1 FROM quotes WHERE tenant_id = $1 AND NOT reserved AND expires_at > $2 LIMIT $3) q",
    );
    small(query.bind(tenant.0).bind(Ts(now)).bind(i64::from(limit)).fetch_one(conn).await.map_err(db_error)?)
}

/// Fails as stale unless the tenant, whose row is locked, has fewer open quotes than `most`.
pub(in super::super) async fn fewer_open_than(
    conn: &mut Conn,
    tenant: TenantId,
    (most, now): (u32, Timestamp),
) -> Result<()> {
    if count_open(conn, tenant, (now, most)).await? < most { Ok(()) } else { Err(Error::stale()) }
}

/// Deletes up to `limit` expired quotes that no reservation refers to; returns their number.
pub(in super::super) async fn purge(conn: &mut Conn, ended_before: Timestamp, limit: u32) -> Result<u64> {
    // The outer condition is checked again after waiting for a batch that has just reserved with the quote.
    let query = sqlx::query(
        "DELETE FROM quotes WHERE NOT reserved AND (tenant_id, id) IN
         (SELECT tenant_id, id FROM quotes WHERE NOT reserved AND expires_at <= $1 ORDER BY expires_at LIMIT $2)",
    );
    let result = query.bind(Ts(ended_before)).bind(i64::from(limit)).execute(conn).await.map_err(db_error)?;
    Ok(result.rows_affected())
}

fn read(row: &Row) -> Result<Quote> {
    let Json(content) = row.try_get::<Json<StoredQuoteContent>, _>("content").map_err(db_error)?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(expires_at) = row.try_get("expires_at").map_err(db_error)?;
    quote(StoredQuote {
        id: row.try_get("id").map_err(db_error)?,
        event: row.try_get("event_id").map_err(db_error)?,
        buyer: row.try_get("buyer").map_err(db_error)?,
        content,
        created_by: row.try_get("created_by").map_err(db_error)?,
        created_at: created_at.micros(),
        expires_at: expires_at.micros(),
    })
}
