//! Pricing rules.

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{EventId, RuleId, TenantId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::pricing::PricingRule;
use tessera_core::{Error, Result};

use super::super::page::{Sort, SortType, at};
use super::super::table::{Query, Table};
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{StoredPricingRule, StoredRuleTerms, pricing_rule, signed, stored_rule_terms, unsigned};
use crate::error::db_error;

static PRICING_RULES: Table = Table::new(
    "pricing_rules",
    &["tenant_id", "id"],
    &["event_id", "kind", "enabled", "terms", "updated_at", "version"],
    &["created_at"],
);

fn bind<'q>(query: Query<'q>, tenant: TenantId, rule: &'q PricingRule) -> Query<'q> {
    let attributes = &rule.attributes;
    query
        .bind(tenant.0)
        .bind(rule.id.0)
        .bind(attributes.event.map(|event| event.0))
        .bind(attributes.kind.name())
        .bind(attributes.enabled)
        .bind(Json(stored_rule_terms(attributes)))
        .bind(Ts(rule.updated_at))
        .bind(signed(rule.version))
}

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, rule: &PricingRule) -> Result<()> {
    let query = bind(sqlx::query(PRICING_RULES.insert()), tenant, rule).bind(Ts(rule.created_at));
    query.execute(conn).await.map(drop).map_err(db_error)
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (rule, stored): (&PricingRule, u64),
) -> Result<()> {
    let query = bind(sqlx::query(PRICING_RULES.update()), tenant, rule).bind(signed(stored));
    let result = query.execute(conn).await.map_err(db_error)?;
    if result.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, rule: &PricingRule) -> Result<()> {
    let query = sqlx::query("DELETE FROM pricing_rules WHERE tenant_id = $1 AND id = $2");
    let result = query.bind(tenant.0).bind(rule.id.0).execute(conn).await.map_err(db_error)?;
    if result.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// Fails as stale unless the tenant, whose row is locked, has fewer rules than `most`.
pub(in super::super) async fn fewer_than(conn: &mut Conn, tenant: TenantId, most: usize) -> Result<()> {
    let query = sqlx::query_scalar("SELECT COUNT(*) FROM pricing_rules WHERE tenant_id = $1");
    let count: i64 = query.bind(tenant.0).fetch_one(conn).await.map_err(db_error)?;
    if unsigned(count)? < most as u64 { Ok(()) } else { Err(Error::stale()) }
}

/// Deletes the rules of an event, whose row is locked.
pub(in super::super) async fn delete_all(conn: &mut Conn, tenant: TenantId, event: EventId) -> Result<()> {
    let query = sqlx::query("DELETE FROM pricing_rules WHERE tenant_id = $1 AND event_id = $2");
    query.bind(tenant.0).bind(event.0).execute(conn).await.map(drop).map_err(db_error)
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    id: RuleId,
) -> Result<Option<PricingRule>> {
    let mut query = PRICING_RULES.of(tenant);
    query.push(" AND id = ").push_bind(id.0);
    let row = query.build().fetch_optional(conn).await.map_err(db_error)?;
    row.as_ref().map(read).transpose()
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<PricingRule>> {
    let mut query = PRICING_RULES.of(tenant);
    filter::push(&mut query, &page.filter, condition)?;
    let place = |rule: &PricingRule| at(rule.created_at, &rule.id);
    let sort = Sort::by("created_at", SortType::Moments, place);
    sort.descending(page.order.descending).page((conn, tenant), query, page, read).await
}

/// Lists all rules, oldest first.
pub(in super::super) async fn all(conn: &mut Conn, tenant: TenantId) -> Result<Vec<PricingRule>> {
    let mut query = PRICING_RULES.of(tenant);
    query.push(" ORDER BY created_at, id");
    let rows = query.build().fetch_all(conn).await.map_err(db_error)?;
    rows.iter().map(read).collect()
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "event" => filter::id(query, "event_id", term),
        "kind" => filter::text(query, "kind", term),
        "enabled" => filter::truth(query, "enabled", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<PricingRule> {
    let Json(terms) = row.try_get::<Json<StoredRuleTerms>, _>("terms").map_err(db_error)?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    pricing_rule(StoredPricingRule {
        id: row.try_get("id").map_err(db_error)?,
        event: row.try_get("event_id").map_err(db_error)?,
        kind: row.try_get("kind").map_err(db_error)?,
        enabled: row.try_get("enabled").map_err(db_error)?,
        terms,
        created_at: created_at.micros(),
        updated_at: updated_at.micros(),
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
