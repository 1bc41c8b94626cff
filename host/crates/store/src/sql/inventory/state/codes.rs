//! Codes of promotions that the commands and the due holds use. The rows are locked here: promotions in the order of
//! their ids, then codes.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use tessera_core::Result;
use tessera_core::id::{PromotionId, TenantId};
use tessera_core::inventory::{BatchState, Command, Job, ReservationState};

use super::super::super::{Conn, dialect};
use super::all;
use super::rows::{BuyerUsesRow, CodeRow, PromotionRow};
use crate::error::db_error;

/// Reads the promotions and the codes that are used, and how often the buyers of new reservations have used them. Reads
/// nothing if there are no codes.
pub(super) async fn read(
    conn: &mut Conn,
    tenant: TenantId,
    (state, jobs): (&mut BatchState, &[Arc<Job>]),
    lock: &str,
) -> Result<()> {
    let (mut promotions, mut codes, mut buyers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for job in jobs {
        let Command::Reserve(command) = &job.command else { continue };
        for claim in command.claims() {
            promotions.insert([claim.promotion.0]);
            codes.insert([claim.code.clone()]);
            buyers.insert([command.buyer.clone()]);
        }
    }
    let held = state.reservations.values().chain(&state.due);
    let held = held.filter(|reservation| reservation.state == ReservationState::Held);
    for code in held.flat_map(|reservation| &reservation.codes) {
        promotions.insert([code.promotion.0]);
        codes.insert([code.code.clone()]);
    }
    if codes.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(AssertSqlSafe(promotions_sql(lock))).bind(tenant.0).bind(Json(&promotions));
    let row = query.fetch_one(&mut *conn).await.map_err(db_error)?;
    for stored in all::<PromotionRow>(&row, "promotions")? {
        let (id, promotion) = stored.decode()?;
        state.promotions.insert(id, promotion);
    }
    let bounded = state.promotions.iter().filter(|(_, promotion)| promotion.max_uses_per_buyer.is_some());
    let bounded: Vec<_> = bounded.map(|(id, _)| [id.0]).collect();
    // A statement of its own: it sees the uses that were stored while the locks of the promotions were waited for.
    let query = sqlx::query(AssertSqlSafe(codes_sql(lock)))
        .bind(tenant.0)
        .bind(Json(&codes))
        .bind(Json(&bounded))
        .bind(Json(&buyers));
    let row = query.fetch_one(conn).await.map_err(db_error)?;
    state.codes = all::<CodeRow>(&row, "codes")?.into_iter().map(CodeRow::decode).collect::<Result<_>>()?;
    let uses = all::<BuyerUsesRow>(&row, "buyers")?.into_iter();
    state.buyer_uses = uses.map(|row| ((PromotionId(row.promotion), row.buyer), row.uses)).collect();
    Ok(())
}

fn promotions_sql(lock: &str) -> String {
    format!(
        "WITH p AS (SELECT id, enabled, valid_until, terms, uses FROM promotions
          WHERE tenant_id = $1 AND {ids} AND deleted_at IS NULL ORDER BY id{lock})
         SELECT {list}({object}('id', {id}, 'enabled', CASE WHEN enabled THEN 1 ELSE 0 END, 'valid_until', {until},
          'terms', {terms}, 'uses', uses)) AS promotions FROM p",
        ids = dialect::among("id", &dialect::uuid("v.value->>0"), "$2"),
        list = dialect::LIST,
        object = dialect::OBJECT,
        id = dialect::id_text("id"),
        until = dialect::micros("valid_until"),
        terms = dialect::json("terms"),
    )
}

fn codes_sql(lock: &str) -> String {
    format!(
        "WITH c AS (SELECT code, promotion_id, uses, kept, kept_type_id, kept_event_id, kept_pools,
          created_at FROM promotion_codes
          WHERE tenant_id = $1 AND {codes} ORDER BY code{lock})
         SELECT (SELECT {list}({object}('code', code, 'promotion', {promotion}, 'uses', uses, 'kept', kept,
          'type', {ticket_type}, 'event', {event}, 'pools', {pools}, 'created', {created})) FROM c) AS codes,
         (SELECT {list}({object}('promotion', {promotion}, 'buyer', buyer, 'uses', uses)) FROM
          (SELECT promotion_id, buyer, COUNT(*) AS uses FROM code_uses WHERE tenant_id = $1 AND {bounded} AND {buyers}
           GROUP BY promotion_id, buyer) b) AS buyers",
        codes = dialect::among("code", "v.value->>0", "$2"),
        list = dialect::LIST,
        object = dialect::OBJECT,
        promotion = dialect::id_text("promotion_id"),
        ticket_type = dialect::id_text("kept_type_id"),
        event = dialect::id_text("kept_event_id"),
        pools = dialect::json("kept_pools"),
        created = dialect::micros("created_at"),
        bounded = dialect::among("promotion_id", &dialect::uuid("v.value->>0"), "$3"),
        buyers = dialect::among("buyer", "v.value->>0", "$4"),
    )
}
