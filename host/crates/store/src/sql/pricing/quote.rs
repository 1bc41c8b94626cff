//! Quotes. Their content never changes; batches store those of reservations, and count the reservations of each.

use std::collections::BTreeMap;
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

/// Changes the numbers of reservations of stored quotes, as a part of a statement. A quote without any is unused since
/// `now`, or since its own end if that is later. One that was purged meanwhile is stale.
pub(in super::super) fn counted(changes: &BTreeMap<QuoteId, i64>, now: Timestamp) -> Statement<'_> {
    let rows = RowsBuilder::new(changes)
        .ids("id", |(quote, _)| quote.0)
        .numbers("change", |(_, change)| *change)
        .moments("moment", |_| now)
        .rows();
    Statement::new("stored quotes", Effect::Expects, rows, || {
        format!(
            "{} quotes SET reserved = TRUE, reservations = quotes.reservations + v.change,
             unused_since = CASE WHEN quotes.reservations + v.change > 0 THEN NULL
              WHEN quotes.expires_at > v.moment THEN quotes.expires_at ELSE v.moment END
             FROM $rows WHERE quotes.tenant_id = $1 AND {} AND quotes.id = v.id",
            dialect::UPDATE,
            dialect::of_rows("quotes.id", "id"),
        )
    })
}

/// Stores the quotes of new reservations as a part of a statement, and counts the reservations.
pub(in super::super) fn reserved(quotes: &[Arc<Quote>]) -> Result<Statement<'_>> {
    // A statement cannot write a row twice, and two reservations can have the same quote.
    let mut counts: BTreeMap<QuoteId, (&Quote, i64)> = BTreeMap::new();
    for quote in quotes {
        counts.entry(quote.id).or_insert((&**quote, 0)).1 += 1;
    }
    let rows = RowsBuilder::new(counts.into_values())
        .ids("id", |(quote, _)| quote.id.0)
        .ids("event_id", |(quote, _)| quote.event.0)
        .texts("buyer", |(quote, _)| quote.buyer.as_str())
        .jsons("content", |(quote, _)| stored_quote_content(quote))?
        .texts("created_by", |(quote, _)| quote.created_by.as_str())
        .moments("created_at", |(quote, _)| quote.created_at)
        .moments("expires_at", |(quote, _)| quote.expires_at)
        .numbers("reservations", |(_, count)| count)
        .rows();
    Ok(Statement::new("quotes", Effect::Inserts, rows, || {
        "INSERT INTO quotes (tenant_id, reserved, $columns) SELECT $1, TRUE, $values FROM $rows WHERE TRUE
         ON CONFLICT (tenant_id, id) DO UPDATE SET reserved = TRUE,
          reservations = quotes.reservations + excluded.reservations, unused_since = NULL"
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

/// Deletes up to `limit` expired quotes that no reservation refers to, and quotes whose reservations have ended; returns
/// their number.
pub(in super::super) async fn purge(conn: &mut Conn, ended_before: Timestamp, limit: u32) -> Result<u64> {
    // The outer condition is checked again after waiting for a batch that has just reserved with the quote.
    let query = sqlx::query(
        "DELETE FROM quotes WHERE NOT reserved AND (tenant_id, id) IN
         (SELECT tenant_id, id FROM quotes WHERE NOT reserved AND expires_at <= $1 ORDER BY expires_at LIMIT $2)",
    );
    let query = query.bind(Ts(ended_before)).bind(i64::from(limit));
    let expired = query.execute(&mut *conn).await.map_err(db_error)?.rows_affected();
    let query = sqlx::query(
        "DELETE FROM quotes WHERE unused_since <= $1 AND (tenant_id, id) IN
         (SELECT tenant_id, id FROM quotes WHERE unused_since <= $1 ORDER BY unused_since LIMIT $2)",
    );
    let query = query.bind(Ts(ended_before)).bind(i64::from(limit).saturating_sub_unsigned(expired));
    let unused = query.execute(conn).await.map_err(db_error)?.rows_affected();
    Ok(expired + unused)
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
