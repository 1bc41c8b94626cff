//! Idempotency records.

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _};
use tessera_core::idempotency::{Fingerprint, Scope};
use tessera_core::idempotency::{IdempotencyClaim, IdempotencyRecord};
use tessera_core::{Result, Timestamp};

use super::rows::{Effect, RowsBuilder, Statement};
use super::table::Table;
use super::{Conn, Ts, dialect};
use crate::codec::{StoredAnswer, answer, corrupt, stored_answer};
use crate::error::db_error;

static IDEMPOTENCY: Table = Table::new(
    "idempotency",
    &["tenant_id", "principal", "operation", "key"],
    &["fingerprint", "answer", "expires_at"],
    &[],
);

/// Replaces an expired record, and changes nothing where the record is valid; the time is to follow.
const REPLACE_EXPIRED: &str = "ON CONFLICT (tenant_id, principal, operation, key) DO UPDATE
     SET fingerprint = excluded.fingerprint, answer = excluded.answer, expires_at = excluded.expires_at
     WHERE idempotency.expires_at <=";

/// Claims a key and returns whether it was free. An expired record is replaced.
pub(super) async fn claim(conn: &mut Conn, claim: &IdempotencyClaim, now: Timestamp) -> Result<bool> {
    let sql = format!("{} {REPLACE_EXPIRED} $8", IDEMPOTENCY.insert());
    let claimed = sqlx::query(AssertSqlSafe(sql))
        .bind(claim.scope.tenant.0)
        .bind(&claim.scope.principal)
        .bind(claim.scope.operation.name())
        .bind(claim.scope.key.as_str())
        .bind(claim.fingerprint.0.to_vec())
        .bind(Json(stored_answer(&claim.answer)))
        .bind(Ts(claim.expires))
        .bind(Ts(now))
        .execute(conn)
        .await
        .map_err(db_error)?;
    Ok(claimed.rows_affected() > 0)
}

/// Claims keys as a part of a statement, which fails if a key has a valid record.
pub(in super::super) fn claims<'a>(
    claims: impl IntoIterator<Item = &'a IdempotencyClaim>,
) -> Result<Statement<'a>> {
    let rows = RowsBuilder::new(claims)
        .texts("principal", |claim: &IdempotencyClaim| claim.scope.principal.as_str())
        .texts("operation", |claim| claim.scope.operation.name())
        .texts("key", |claim| claim.scope.key.as_str())
        .bytes("fingerprint", |claim| claim.fingerprint.0.to_vec())
        .jsons("answer", |claim| stored_answer(&claim.answer))?
        .moments("expires_at", |claim| claim.expires)
        .rows();
    Ok(Statement::new("claims", Effect::Expects, rows, || {
        format!(
            "INSERT INTO idempotency (tenant_id, $columns) SELECT $1, $values FROM $rows WHERE TRUE
             {REPLACE_EXPIRED} {}",
            dialect::CLOCK,
        )
    }))
}

/// Returns the record of a key that has not expired.
pub(in super::super) async fn recorded(
    conn: &mut Conn,
    scope: &Scope,
    now: Timestamp,
) -> Result<Option<IdempotencyRecord>> {
    let sql = format!(
        "{}tenant_id = $1 AND principal = $2 AND operation = $3 AND key = $4 AND expires_at > $5",
        IDEMPOTENCY.select(),
    );
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(scope.tenant.0)
        .bind(&scope.principal)
        .bind(scope.operation.name())
        .bind(scope.key.as_str())
        .bind(Ts(now))
        .fetch_optional(conn)
        .await
        .map_err(db_error)?;
    let Some(row) = row else { return Ok(None) };
    let bytes: Vec<u8> = row.try_get("fingerprint").map_err(db_error)?;
    let bytes = bytes.try_into().map_err(|bytes| corrupt("a fingerprint", bytes))?;
    let Json(stored) = row.try_get::<Json<StoredAnswer>, _>("answer").map_err(db_error)?;
    Ok(Some(IdempotencyRecord { fingerprint: Fingerprint(bytes), answer: answer(stored)? }))
}
