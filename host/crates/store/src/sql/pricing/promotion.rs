//! Promotions and their codes. Batches change the numbers of uses, and the units that codes keep. A deleted promotion is
//! marked, which hides it at once; its rows are purged in slices.

use std::collections::BTreeMap;

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{EventId, PoolId, PromotionId, TenantId, TicketTypeId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::pricing::{KeptUnits, Promotion, PromotionCode};
use tessera_core::{Error, Result, Timestamp};
use uuid::Uuid;

use super::super::super::statements;
use super::super::catalog::pool;
use super::super::execute::{change_one, read_all, read_one};
use super::super::page::{Sort, SortType, at, text};
use super::super::rows::{Effect, RowsBuilder, Statement};
use super::super::table::{Query, Table};
use super::super::{Conn, Db, Row, Ts, dialect, filter};
use crate::codec::{
    StoredPromotion, StoredPromotionTerms, promotion, signed, small, stored_promotion_terms, unsigned,
};
use crate::error::db_error;

static PROMOTIONS: Table = Table::new(
    "promotions",
    &["tenant_id", "id"],
    &["event_id", "enabled", "valid_until", "terms", "codes", "updated_at", "version"],
    &["created_at"],
)
.with(", uses");

/// What is read of a code, `c`. No name is that of a column of its promotion.
const CODE: &str = "c.code, c.promotion_id, c.uses AS code_uses, c.kept, c.kept_type_id, c.kept_event_id, \
    c.kept_pools, c.created_at AS code_created_at";

/// How many codes one statement inserts.
const MAX_INSERTED: usize = 1_000;

fn of_tenant(tenant: TenantId) -> QueryBuilder<Db> {
    let mut query = PROMOTIONS.of(tenant);
    query.push(" AND deleted_at IS NULL");
    query
}

fn bind<'q>(query: Query<'q>, tenant: TenantId, promotion: &'q Promotion) -> Query<'q> {
    let attributes = &promotion.attributes;
    query
        .bind(tenant.0)
        .bind(promotion.id.0)
        .bind(attributes.event.map(|event| event.0))
        .bind(attributes.enabled)
        .bind(attributes.valid_until.map(Ts))
        .bind(Json(stored_promotion_terms(attributes)))
        .bind(i64::from(promotion.codes))
        .bind(Ts(promotion.updated_at))
        .bind(signed(promotion.version))
}

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, promotion: &Promotion) -> Result<()> {
    let query = bind(sqlx::query(PROMOTIONS.insert()), tenant, promotion).bind(Ts(promotion.created_at));
    query.execute(conn).await.map(drop).map_err(db_error)
}

/// Updates a promotion without the number of its uses.
pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (promotion, stored): (&Promotion, u64),
) -> Result<()> {
    let query = bind(sqlx::query(PROMOTIONS.update()), tenant, promotion).bind(signed(stored));
    change_one(conn, query).await
}

/// Marks a promotion as deleted. None of its codes may keep units.
pub(in super::super) async fn mark(
    conn: &mut Conn,
    tenant: TenantId,
    promotion: &Promotion,
    now: Timestamp,
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE promotions SET version = version + 1, deleted_at = $4, event_id = NULL
         WHERE tenant_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL AND NOT EXISTS
         (SELECT 1 FROM promotion_codes c WHERE c.tenant_id = $1 AND c.promotion_id = $2 AND c.kept > 0)",
    );
    let query = query.bind(tenant.0).bind(promotion.id.0).bind(signed(promotion.version)).bind(Ts(now));
    change_one(conn, query).await
}

/// Fails as stale unless the tenant, whose row is locked, has fewer promotions than `most`, with those to be purged.
pub(in super::super) async fn fewer_than(conn: &mut Conn, tenant: TenantId, most: usize) -> Result<()> {
    let query = sqlx::query_scalar("SELECT COUNT(*) FROM promotions WHERE tenant_id = $1");
    let count: i64 = query.bind(tenant.0).fetch_one(conn).await.map_err(db_error)?;
    if unsigned(count)? < most as u64 { Ok(()) } else { Err(Error::stale()) }
}

/// Fails as stale if the tenant, whose row is locked, has more codes than `most`, with those to be purged.
pub(in super::super) async fn codes_at_most(conn: &mut Conn, tenant: TenantId, most: u32) -> Result<()> {
    if count_codes(conn, tenant).await? <= most { Ok(()) } else { Err(Error::stale()) }
}

/// Marks the promotions of an event, whose row is locked, as deleted. Nothing of the event is locked, so no code keeps
/// units.
pub(in super::super) async fn mark_all(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    now: Timestamp,
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE promotions SET version = version + 1, deleted_at = $3, event_id = NULL
         WHERE tenant_id = $1 AND event_id = $2",
    );
    query.bind(tenant.0).bind(event.0).bind(Ts(now)).execute(conn).await.map(drop).map_err(db_error)
}

/// Deletes up to `limit` rows of the tenant's oldest deleted promotion, or the promotion itself if none is left; returns
/// their number. Codes that belong to another promotion by now stay.
pub(in super::super) async fn purge(conn: &mut Conn, tenant: TenantId, limit: u32) -> Result<u64> {
    let query = sqlx::query_scalar(
        "SELECT id FROM promotions WHERE tenant_id = $1 AND deleted_at IS NOT NULL
         ORDER BY deleted_at LIMIT 1",
    );
    let found: Option<Uuid> = query.bind(tenant.0).fetch_optional(&mut *conn).await.map_err(db_error)?;
    let Some(promotion) = found else { return Ok(0) };
    for (table, column) in [("promotion_codes", "code"), ("code_uses", "reservation_id")] {
        let slice = format!(
            "SELECT {column} FROM {table} WHERE tenant_id = $1 AND promotion_id = $2
             ORDER BY {column} LIMIT $3"
        );
        let sql = format!(
            "DELETE FROM {table} WHERE tenant_id = $1 AND promotion_id = $2 AND {}",
            dialect::within(column, &slice),
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.0).bind(promotion).bind(i64::from(limit));
        let count = query.execute(&mut *conn).await.map_err(db_error)?.rows_affected();
        if count > 0 {
            return Ok(count);
        }
    }
    let query = sqlx::query("DELETE FROM promotions WHERE tenant_id = $1 AND id = $2");
    Ok(query.bind(tenant.0).bind(promotion).execute(conn).await.map_err(db_error)?.rows_affected())
}

/// Inserts codes, and locks the units that they keep in pools whose rows are locked. A code that exists already is stale,
/// unless its promotion is deleted: then its row becomes the new code.
pub(in super::super) async fn create_codes(
    conn: &mut Conn,
    tenant: TenantId,
    codes: &[PromotionCode],
) -> Result<()> {
    for some in codes.chunks(MAX_INSERTED) {
        statements::write_together(conn, tenant, &[new_codes(some)?]).await?;
    }
    lock_units(conn, tenant, codes, 1).await
}

fn new_codes(codes: &[PromotionCode]) -> Result<Statement<'_>> {
    let rows = RowsBuilder::new(codes)
        .texts("code", |code| code.code.as_str())
        .ids("promotion_id", |code| code.promotion.0)
        .numbers("kept", |code| code.kept.as_ref().map_or(0, |kept| i64::from(kept.units)))
        .ids("kept_type_id", |code| code.kept.as_ref().map(|kept| kept.ticket_type.0))
        .ids("kept_event_id", |code| code.kept.as_ref().map(|kept| kept.event.0))
        .jsons("kept_pools", |code| {
            let pools = code.kept.iter().flat_map(|kept| &kept.pools);
            pools.map(|pool| pool.0).collect::<Vec<_>>()
        })?
        .moments("created_at", |code| code.created_at)
        .rows();
    Ok(Statement::new("promotion codes", Effect::Expects, rows, || {
        "INSERT INTO promotion_codes (tenant_id, $columns)
         SELECT $1, v.code, v.promotion_id, v.kept, v.kept_type_id, v.kept_event_id,
         CASE WHEN v.kept_type_id IS NULL THEN NULL ELSE v.kept_pools END, v.created_at FROM $rows WHERE TRUE
         ON CONFLICT (tenant_id, code) DO UPDATE SET promotion_id = excluded.promotion_id, uses = 0,
          kept = excluded.kept, kept_type_id = excluded.kept_type_id, kept_event_id = excluded.kept_event_id,
          kept_pools = excluded.kept_pools, created_at = excluded.created_at
         WHERE promotion_codes.kept = 0 AND (SELECT p.deleted_at FROM promotions p
          WHERE p.tenant_id = promotion_codes.tenant_id AND p.id = promotion_codes.promotion_id) IS NOT NULL"
            .to_owned()
    }))
}

/// Unlocks the units that codes keep, as many as they keep now. The rows of their pools and promotions are locked.
pub(in super::super) async fn free_kept(
    conn: &mut Conn,
    tenant: TenantId,
    codes: &[PromotionCode],
) -> Result<()> {
    let names: Vec<_> = codes.iter().map(|code| [&code.code]).collect();
    let keeping = format!(
        "SELECT {CODE} FROM promotion_codes c WHERE c.tenant_id = $1 AND {} AND c.kept > 0 ORDER BY c.code{}",
        dialect::among("c.code", "v.value->>0", "$2"),
        dialect::LOCK_TO_CHANGE,
    );
    let query = sqlx::query(AssertSqlSafe(keeping)).bind(tenant.0).bind(Json(&names));
    let rows = query.fetch_all(&mut *conn).await.map_err(db_error)?;
    let keeping: Vec<_> = rows.iter().map(read_code).collect::<Result<_>>()?;
    let free = format!(
        "UPDATE promotion_codes SET kept = 0 WHERE tenant_id = $1 AND {} AND kept > 0",
        dialect::among("code", "v.value->>0", "$2"),
    );
    let query = sqlx::query(AssertSqlSafe(free)).bind(tenant.0).bind(Json(&names));
    query.execute(&mut *conn).await.map_err(db_error)?;
    lock_units(conn, tenant, &keeping, -1).await
}

/// Locks the units that codes keep in their pools, or unlocks them if the sign is negative.
async fn lock_units(conn: &mut Conn, tenant: TenantId, codes: &[PromotionCode], sign: i64) -> Result<()> {
    let mut units: BTreeMap<(EventId, PoolId), i64> = BTreeMap::new();
    for kept in codes.iter().filter_map(|code| code.kept.as_ref()) {
        for pool in &kept.pools {
            *units.entry((kept.event, *pool)).or_default() += i64::from(kept.units);
        }
    }
    for (pool, units) in units {
        pool::count_locked(conn, tenant, pool, sign * units).await?;
    }
    Ok(())
}

/// Deletes a code that keeps no units.
pub(in super::super) async fn delete_code(
    conn: &mut Conn,
    tenant: TenantId,
    of: PromotionId,
    code: &str,
) -> Result<()> {
    let query = sqlx::query(
        "DELETE FROM promotion_codes WHERE tenant_id = $1 AND promotion_id = $2 AND code = $3 AND kept = 0",
    );
    change_one(conn, query.bind(tenant.0).bind(of.0).bind(code)).await
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    id: PromotionId,
) -> Result<Option<Promotion>> {
    let mut query = of_tenant(tenant);
    query.push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Promotion>> {
    let mut query = of_tenant(tenant);
    filter::push(&mut query, &page.filter, condition)?;
    let place = |promotion: &Promotion| at(promotion.created_at, &promotion.id);
    let sort = Sort::by("created_at", SortType::Moments, place);
    sort.descending(page.order.descending).page((conn, tenant), query, page, read).await
}

/// Counts promotions, with those to be purged, up to `limit`.
pub(in super::super) async fn count(conn: &mut Conn, tenant: TenantId, limit: u32) -> Result<u32> {
    let query =
        sqlx::query_scalar("SELECT COUNT(*) FROM (SELECT 1 FROM promotions WHERE tenant_id = $1 LIMIT $2) p");
    small(query.bind(tenant.0).bind(i64::from(limit)).fetch_one(conn).await.map_err(db_error)?)
}

/// Counts the codes of all promotions, with those to be purged.
pub(in super::super) async fn count_codes(conn: &mut Conn, tenant: TenantId) -> Result<u32> {
    let query = sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(codes), 0) AS BIGINT) FROM promotions WHERE tenant_id = $1",
    );
    small(query.bind(tenant.0).fetch_one(conn).await.map_err(db_error)?)
}

/// Returns those of these codes that exist, each with its promotion.
pub(in super::super) async fn codes_named(
    conn: &mut Conn,
    tenant: TenantId,
    codes: &[String],
) -> Result<Vec<(PromotionCode, Promotion)>> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<_> = codes.iter().map(|code| [code]).collect();
    let sql = format!(
        "SELECT {CODE}, {}, p.uses FROM promotion_codes c
         JOIN promotions p ON p.tenant_id = c.tenant_id AND p.id = c.promotion_id AND p.deleted_at IS NULL
         WHERE c.tenant_id = $1 AND {} ORDER BY c.code",
        PROMOTIONS.list("p."),
        dialect::among("c.code", "v.value->>0", "$2"),
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.0).bind(Json(names));
    let rows = query.fetch_all(conn).await.map_err(db_error)?;
    rows.iter().map(|row| Ok((read_code(row)?, read(row)?))).collect()
}

/// Lists the codes of a promotion in their order.
pub(in super::super) async fn code_page(
    conn: &mut Conn,
    tenant: TenantId,
    of: PromotionId,
    page: &PageRequest,
) -> Result<Page<PromotionCode>> {
    let mut query = codes_of(tenant);
    query.push(" AND c.promotion_id = ").push_bind(of.0);
    query.push(" AND (SELECT p.deleted_at FROM promotions p WHERE p.tenant_id = ").push_bind(tenant.0);
    query.push(" AND p.id = ").push_bind(of.0).push(") IS NULL");
    let place = |code: &PromotionCode| text(code.code.as_str(), &code.code);
    let sort = Sort::by("c.code", SortType::Texts, place).then("c.code").with_text_ids();
    sort.in_order("c.code").page((conn, tenant), query, page, read_code).await
}

/// Counts a buyer's uses of a promotion's codes.
pub(in super::super) async fn count_uses(
    conn: &mut Conn,
    tenant: TenantId,
    of: PromotionId,
    buyer: &str,
) -> Result<u32> {
    let query = sqlx::query_scalar(
        "SELECT COUNT(*) FROM code_uses WHERE tenant_id = $1 AND promotion_id = $2 AND buyer = $3",
    );
    small(query.bind(tenant.0).bind(of.0).bind(buyer).fetch_one(conn).await.map_err(db_error)?)
}

/// Lists the codes of a promotion that keep units now, up to `limit`.
pub(in super::super) async fn keeping_codes(
    conn: &mut Conn,
    tenant: TenantId,
    of: PromotionId,
    limit: u32,
) -> Result<Vec<PromotionCode>> {
    let mut query = codes_of(tenant);
    query.push(" AND c.kept > 0 AND c.promotion_id = ").push_bind(of.0);
    query.push(" ORDER BY c.code LIMIT ").push_bind(i64::from(limit));
    read_all(conn, query, read_code).await
}

/// Lists codes that keep units although their promotion has ended or is disabled; if there are none, those that keep units
/// of a cancelled event.
pub(in super::super) async fn ended_kept_codes(
    conn: &mut Conn,
    tenant: TenantId,
    (now, limit): (Timestamp, u32),
) -> Result<Vec<PromotionCode>> {
    let mut query = codes_of(tenant);
    query
        .push(" AND c.kept > 0 AND c.promotion_id IN (SELECT p.id FROM promotions p WHERE p.tenant_id = ")
        .push_bind(tenant.0)
        .push(" AND (NOT p.enabled OR p.valid_until <= ")
        .push_bind(Ts(now))
        .push(")) ORDER BY c.promotion_id, c.code LIMIT ")
        .push_bind(i64::from(limit));
    let ended = read_all(&mut *conn, query, read_code).await?;
    if !ended.is_empty() {
        return Ok(ended);
    }
    let mut query = codes_of(tenant);
    query
        .push(" AND c.kept > 0 AND c.kept_event_id IN (SELECT e.id FROM events e WHERE e.tenant_id = ")
        .push_bind(tenant.0)
        .push(" AND e.unswept) ORDER BY c.promotion_id, c.code LIMIT ")
        .push_bind(i64::from(limit));
    read_all(conn, query, read_code).await
}

fn codes_of(tenant: TenantId) -> QueryBuilder<Db> {
    let mut query =
        QueryBuilder::<Db>::new(format!("SELECT {CODE} FROM promotion_codes c WHERE c.tenant_id = "));
    query.push_bind(tenant.0);
    query
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "event" => filter::id(query, "event_id", term),
        "enabled" => filter::truth(query, "enabled", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<Promotion> {
    let Json(terms) = row.try_get::<Json<StoredPromotionTerms>, _>("terms").map_err(db_error)?;
    let valid_until: Option<Ts> = row.try_get("valid_until").map_err(db_error)?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    promotion(StoredPromotion {
        id: row.try_get("id").map_err(db_error)?,
        event: row.try_get("event_id").map_err(db_error)?,
        enabled: row.try_get("enabled").map_err(db_error)?,
        valid_until: valid_until.map(|Ts(at)| at.micros()),
        terms,
        codes: small(row.try_get("codes").map_err(db_error)?)?,
        uses: small(row.try_get("uses").map_err(db_error)?)?,
        created_at: created_at.micros(),
        updated_at: updated_at.micros(),
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}

fn read_code(row: &Row) -> Result<PromotionCode> {
    let units = small(row.try_get("kept").map_err(db_error)?)?;
    let ticket_type: Option<Uuid> = row.try_get("kept_type_id").map_err(db_error)?;
    let event: Option<Uuid> = row.try_get("kept_event_id").map_err(db_error)?;
    let pools: Option<Json<Vec<Uuid>>> = row.try_get("kept_pools").map_err(db_error)?;
    let kept = match (ticket_type, event, pools) {
        (Some(ticket_type), Some(event), Some(Json(pools))) => Some(KeptUnits {
            ticket_type: TicketTypeId(ticket_type),
            event: EventId(event),
            pools: pools.into_iter().map(PoolId).collect(),
            units,
        }),
        _ => None,
    };
    let Ts(created_at) = row.try_get("code_created_at").map_err(db_error)?;
    Ok(PromotionCode {
        code: row.try_get("code").map_err(db_error)?,
        promotion: PromotionId(row.try_get("promotion_id").map_err(db_error)?),
        uses: small(row.try_get("code_uses").map_err(db_error)?)?,
        kept,
        created_at,
    })
}
