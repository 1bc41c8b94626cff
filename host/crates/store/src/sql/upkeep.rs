//! What hosts write beside changesets: leases, heartbeats, timers that failed, and what is forgotten.

use std::time::Duration;

use tessera_core::id::{EventId, TenantId};
use tessera_core::outbox::Seq;
use tessera_core::plugin::Timer;
use tessera_core::{Result, Timestamp};

use super::catalog::event;
use super::inventory::reservation;
use super::plugin::{host, timer};
use super::{Conn, Ts, dialect, numbering};
use crate::codec::corrupt;
use crate::error::fault;

/// One such write.
#[derive(Clone, Debug)]
pub(in super::super) enum Upkeep {
    /// Takes or keeps a lease; 1 if it is the holder's.
    Lease { name: String, holder: String, span: Duration },
    /// Gives all of a holder's leases back, and forgets that it lives. The leases' epochs stay.
    GiveBack { holder: String },
    /// Records the fingerprint of the hosts' secret, if none is.
    Secret { fingerprint: [u8; 32] },
    /// Notes that a host lives and how far it is.
    Beat { host: String, seq: Seq, now: Timestamp },
    /// Sets back a timer whose call failed.
    DelayTimer { tenant: TenantId, timer: Timer },
    /// Forgets facts older than a moment.
    ForgetFacts { before: Timestamp, limit: u32 },
    /// Notes that nothing of a cancelled event is held, and none of its tickets valid any more.
    NoteSwept { tenant: TenantId, event: EventId },
    /// Removes what hangs on deleted events, and at last themselves.
    PurgeEvents { limit: u32 },
    /// Forgets idempotency records that have expired.
    ForgetKeys { now: Timestamp, limit: u32 },
}

/// Carries it out; how many rows it changed.
pub(in super::super) async fn run(conn: &mut Conn, upkeep: &Upkeep) -> Result<u64> {
    let done = match upkeep {
        Upkeep::Lease { name, holder, span } => {
            let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
            sqlx::query(dialect::LEASE).bind(name).bind(holder).bind(span).execute(conn).await
        }
        Upkeep::GiveBack { holder } => {
            host::forget(conn, holder).await?;
            let past = Timestamp::from_micros(0).unwrap_or_default();
            let query = sqlx::query("UPDATE leases SET until = $2 WHERE holder = $1");
            query.bind(holder).bind(Ts(past)).execute(conn).await
        }
        Upkeep::Secret { fingerprint } => {
            let query = sqlx::query(
                "INSERT INTO host_secret (id, fingerprint) VALUES (1, $1) ON CONFLICT (id) DO NOTHING",
            );
            query.bind(fingerprint.to_vec()).execute(conn).await
        }
        Upkeep::Beat { host, seq, now } => return host::beat(conn, host, *seq, *now).await,
        Upkeep::NoteSwept { tenant, event } => return reservation::swept(conn, *tenant, *event).await,
        Upkeep::PurgeEvents { limit } => return event::purge(conn, *limit).await,
        Upkeep::DelayTimer { tenant, timer } => return timer::delay(conn, *tenant, timer).await,
        Upkeep::ForgetFacts { before, limit } => {
            let query = sqlx::query(numbering::FORGET).bind(Ts(*before)).bind(i64::from(*limit));
            query.execute(conn).await
        }
        Upkeep::ForgetKeys { now, limit } => {
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
    Ok(done.map_err(fault)?.rows_affected())
}

/// The recorded fingerprint of the hosts' secret.
pub(in super::super) async fn secret(conn: &mut Conn) -> Result<[u8; 32]> {
    let query = sqlx::query_scalar("SELECT fingerprint FROM host_secret WHERE id = 1");
    let bytes: Vec<u8> = query.fetch_one(conn).await.map_err(fault)?;
    bytes.try_into().map_err(|bytes| corrupt("a fingerprint", bytes))
}
