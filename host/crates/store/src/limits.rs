//! Limits of the requests that use the database or wait for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tessera_core::Result;
use tessera_core::fair::{FairLimiter, FairPermit, Owner, Permits, WaitingLimits};

/// Timeout for acquiring a connection.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Entries that wait in one queue.
pub(crate) const WAITING: WaitingLimits = WaitingLimits {
    tenants: 4_096,
    host: 1_024,
    message: "too many requests wait for the database; try again later",
};

/// Limits the use of connections. A tenant has at most three quarters of those that tenants share.
pub(crate) fn connection_limiter(shared: u32, host: u32) -> Arc<FairLimiter> {
    let (shared, host) = (shared as usize, host as usize);
    FairLimiter::new(Permits { shared, tenant: (shared * 3).div_ceil(4), host }, WAITING)
}

/// Waits for the permit to use a connection.
pub(crate) async fn acquire(limiter: &Arc<FairLimiter>, owner: Owner) -> Result<FairPermit> {
    limiter.acquire(owner, Instant::now() + ACQUIRE_TIMEOUT).await
}
