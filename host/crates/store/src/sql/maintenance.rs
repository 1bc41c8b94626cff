//! Writes of hosts beside changesets: leases, heartbeats, failed timers and bookings, removal of old rows.

use std::time::Duration;

use tessera_core::id::{BookingId, EventId, TenantId};
use tessera_core::outbox::Seq;
use tessera_core::plugin::Timer;
use tessera_core::{Result, Timestamp};

use super::booking::bookings;
use super::catalog::event;
use super::inventory::reservation;
use super::plugin::{host, timer};
use super::pricing::{displayed, promotion, quote};
use super::{Conn, Ts, dialect, numbering};
use crate::codec::corrupt;
use crate::error::db_error;

/// A maintenance write.
#[derive(Clone, Debug)]
pub(in super::super) enum Maintenance {
    /// Acquires or renews a lease; changes 1 row if the holder has it.
    Lease { name: String, holder: String, span: Duration },
    /// Releases all leases of a holder and removes its heartbeat. The leases keep their epochs.
    ReleaseLeases { holder: String },
    /// Records the fingerprint of the hosts' secret if none is recorded.
    Secret { fingerprint: [u8; 32] },
    /// Records a host's heartbeat and the fact up to which it has loaded installations.
    Heartbeat { host: String, seq: Seq, now: Timestamp },
    /// Delays a timer whose call failed.
    DelayTimer { tenant: TenantId, timer: Timer },
    /// Delays a booking that could not be reserved.
    DelayBooking { tenant: TenantId, id: BookingId, attempts: u32, retry_at: Timestamp },
    /// Deletes facts older than a time.
    DeleteFacts { before: Timestamp, limit: u32 },
    /// Marks a cancelled event as swept, if it has no holds, no valid tickets and no kept units.
    MarkSwept { tenant: TenantId, event: EventId },
    /// Deletes rows of deleted events, and finally the events.
    PurgeEvents { limit: u32 },
    /// Deletes rows of a deleted promotion of a tenant, and finally the promotion.
    PurgePromotions { tenant: TenantId, limit: u32 },
    /// Deletes expired quotes that no reservation refers to, and those whose reservations have ended.
    PurgeQuotes { ended_before: Timestamp, limit: u32 },
    /// Marks displayed prices that cannot be refreshed as computed at a time, if they are older.
    PostponeDisplayedPrices { tenant: TenantId, event: EventId, at: Timestamp },
    /// Deletes the displayed prices of an event.
    ForgetDisplayedPrices { tenant: TenantId, event: EventId },
    /// Deletes expired idempotency records.
    DeleteKeys { now: Timestamp, limit: u32 },
}

/// Executes a maintenance write and returns the number of changed rows.
pub(in super::super) async fn run(conn: &mut Conn, maintenance: &Maintenance) -> Result<u64> {
    let result = match maintenance {
        Maintenance::Lease { name, holder, span } => {
            let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
            sqlx::query(dialect::LEASE).bind(name).bind(holder).bind(span).execute(conn).await
        }
        Maintenance::ReleaseLeases { holder } => {
            host::delete(conn, holder).await?;
            let past = Timestamp::from_micros(0).unwrap_or_default();
            let query = sqlx::query("UPDATE leases SET until = $2 WHERE holder = $1");
            query.bind(holder).bind(Ts(past)).execute(conn).await
        }
        Maintenance::Secret { fingerprint } => {
            let query = sqlx::query(
                "INSERT INTO host_secret (id, fingerprint) VALUES (1, $1) ON CONFLICT (id) DO NOTHING",
            );
            query.bind(fingerprint.to_vec()).execute(conn).await
        }
        Maintenance::Heartbeat { host, seq, now } => return host::heartbeat(conn, host, *seq, *now).await,
        Maintenance::MarkSwept { tenant, event } => {
            return reservation::mark_swept(conn, *tenant, *event).await;
        }
        Maintenance::PurgeEvents { limit } => return event::purge(conn, *limit).await,
        Maintenance::PurgePromotions { tenant, limit } => {
            return promotion::purge(conn, *tenant, *limit).await;
        }
        Maintenance::PurgeQuotes { ended_before, limit } => {
            return quote::purge(conn, *ended_before, *limit).await;
        }
        Maintenance::PostponeDisplayedPrices { tenant, event, at } => {
            return displayed::postpone(conn, *tenant, (*event, *at)).await;
        }
        Maintenance::ForgetDisplayedPrices { tenant, event } => {
            return displayed::delete(conn, *tenant, *event).await;
        }
        Maintenance::DelayTimer { tenant, timer } => return timer::delay(conn, *tenant, timer).await,
        Maintenance::DelayBooking { tenant, id, attempts, retry_at } => {
            return bookings::delay(conn, *tenant, *id, (*attempts, *retry_at)).await;
        }
        Maintenance::DeleteFacts { before, limit } => {
            let query = sqlx::query(numbering::DELETE_OLD).bind(Ts(*before)).bind(i64::from(*limit));
            query.execute(conn).await
        }
        Maintenance::DeleteKeys { now, limit } => {
            sqlx::query(
                "DELETE FROM idempotency WHERE (tenant_id, principal, operation, key) IN
                 (SELECT tenant_id, principal, operation, key FROM idempotency
                  WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            )
            .bind(Ts(*now))
            .bind(i64::from(*limit))
            .execute(conn)
            .await
        }
    };
    Ok(result.map_err(db_error)?.rows_affected())
}

/// Returns the recorded fingerprint of the hosts' secret.
pub(in super::super) async fn secret(conn: &mut Conn) -> Result<[u8; 32]> {
    let query = sqlx::query_scalar("SELECT fingerprint FROM host_secret WHERE id = 1");
    let bytes: Vec<u8> = query.fetch_one(conn).await.map_err(db_error)?;
    bytes.try_into().map_err(|bytes| corrupt("a fingerprint", bytes))
}
