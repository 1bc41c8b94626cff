//! Idempotency records.

use sqlx::Row as _;
use sqlx::types::Json;
use tessera_core::changeset::{Claim, Recorded};
use tessera_core::idempotency::{Fingerprint, Scope};
use tessera_core::{Result, Timestamp};

use super::rows::{Part, RowsOf, Way};
use super::{Conn, Ts, dialect};
use crate::codec::{AnswerForm, answer, answer_form, corrupt};
use crate::error::fault;

/// Claims a key; false when it had been claimed before. A record that has expired is replaced.
pub(super) async fn claim(conn: &mut Conn, claim: &Claim, now: Timestamp) -> Result<bool> {
    let claimed = sqlx::query(
        "INSERT INTO idempotency (tenant_id, principal, operation, key, fingerprint, answer, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, principal, operation, key) DO UPDATE
         SET fingerprint = excluded.fingerprint, answer = excluded.answer, expires_at = excluded.expires_at
         WHERE idempotency.expires_at <= $8",
    )
    .bind(claim.scope.tenant.0)
    .bind(&claim.scope.principal)
    .bind(claim.scope.operation.name())
    .bind(claim.scope.key.as_str())
    .bind(claim.fingerprint.0.to_vec())
    .bind(Json(answer_form(&claim.answer)))
    .bind(Ts(claim.expires))
    .bind(Ts(now))
    .execute(conn)
    .await
    .map_err(fault)?;
    Ok(claimed.rows_affected() > 0)
}

/// Claims keys as a part of a statement: a record that has expired is replaced, one that stands lets the statement fail.
pub(in super::super) fn claims<'a>(claims: impl IntoIterator<Item = &'a Claim>) -> Result<Part<'a>> {
    let rows = RowsOf::new(claims)
        .texts("principal", |claim: &Claim| claim.scope.principal.as_str())
        .texts("operation", |claim| claim.scope.operation.name())
        .texts("key", |claim| claim.scope.key.as_str())
        .bytes("fingerprint", |claim| claim.fingerprint.0.to_vec())
        .jsons("answer", |claim| answer_form(&claim.answer))?
        .moments("expires", |claim| claim.expires)
        .rows();
    Ok(Part::new("claims", Way::Expects, rows, || {
        format!(
            "INSERT INTO idempotency (tenant_id, principal, operation, key, fingerprint, answer, expires_at)
             SELECT $1, v.principal, v.operation, v.key, v.fingerprint, v.answer, v.expires FROM $rows WHERE TRUE
             ON CONFLICT (tenant_id, principal, operation, key) DO UPDATE
             SET fingerprint = excluded.fingerprint, answer = excluded.answer, expires_at = excluded.expires_at
             WHERE idempotency.expires_at <= {}",
            dialect::CLOCK,
        )
    }))
}

/// What was recorded for a key and has not expired.
pub(in super::super) async fn recorded(
    conn: &mut Conn,
    scope: &Scope,
    now: Timestamp,
) -> Result<Option<Recorded>> {
    let row = sqlx::query(
        "SELECT fingerprint, answer FROM idempotency
         WHERE tenant_id = $1 AND principal = $2 AND operation = $3 AND key = $4 AND expires_at > $5",
    )
    .bind(scope.tenant.0)
    .bind(&scope.principal)
    .bind(scope.operation.name())
    .bind(scope.key.as_str())
    .bind(Ts(now))
    .fetch_optional(conn)
    .await
    .map_err(fault)?;
    let Some(row) = row else { return Ok(None) };
    let bytes: Vec<u8> = row.try_get("fingerprint").map_err(fault)?;
    let bytes = bytes.try_into().map_err(|bytes| corrupt("a fingerprint", bytes))?;
    let Json(form) = row.try_get::<Json<AnswerForm>, _>("answer").map_err(fault)?;
    Ok(Some(Recorded { fingerprint: Fingerprint(bytes), answer: answer(form)? }))
}
