//! Uploads in progress. Each has its component in memory, so their number is limited.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::id::TenantId;

/// The most uploads in progress on a host.
const MAX_UPLOADS: usize = 64;

/// The most uploads of one tenant in progress on a host.
const MAX_TENANT_UPLOADS: usize = 8;

/// The `Retry-After` of a refused upload.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The uploads in progress on this host, by tenant.
#[derive(Clone, Default)]
pub(super) struct Uploads(Arc<Mutex<HashMap<TenantId, usize>>>);

/// A place for one upload, free again when this is dropped.
pub struct UploadPermit {
    uploads: Uploads,
    tenant: TenantId,
}

impl Uploads {
    /// Takes a place for an upload of the tenant, which must have fewer than are free, so that a few tenants leave some.
    pub(super) fn enter(&self, tenant: TenantId) -> Result<UploadPermit> {
        let mut uploads = self.lock();
        let total: usize = uploads.values().sum();
        let own = uploads.entry(tenant).or_default();
        if *own >= MAX_TENANT_UPLOADS || *own >= MAX_UPLOADS - total {
            let message = format!(
                "too many uploads are in progress; at most {MAX_TENANT_UPLOADS} of a tenant and {MAX_UPLOADS} in all"
            );
            if *own == 0 {
                uploads.remove(&tenant);
            }
            return Err(Error::unavailable(message, RETRY_AFTER));
        }
        *own += 1;
        Ok(UploadPermit { uploads: self.clone(), tenant })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UploadPermit {
    fn drop(&mut self) {
        let mut uploads = self.uploads.lock();
        if let Some(own) = uploads.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                uploads.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_limited_for_each_tenant_and_in_all() {
        let (uploads, greedy) = (Uploads::default(), TenantId::generate());
        let mut permits: Vec<_> = (0..MAX_TENANT_UPLOADS).map(|_| uploads.enter(greedy).unwrap()).collect();
        let refused = uploads.enter(greedy).map(drop).unwrap_err();
        assert_eq!((refused.reason(), refused.retry_after()), ("UNAVAILABLE", Some(RETRY_AFTER)));
        permits.extend((permits.len()..MAX_UPLOADS).map(|_| uploads.enter(TenantId::generate()).unwrap()));
        assert!(uploads.enter(TenantId::generate()).is_err());
        drop(permits);
        let fill = || {
            let tenant = TenantId::generate();
            std::iter::from_fn(|| uploads.enter(tenant).ok()).collect::<Vec<_>>()
        };
        let most: Vec<_> = (0..10).map(|_| fill()).collect();
        assert_eq!(most[7].len(), 4);
        assert_eq!(most[9].len(), 1, "some are left to others");
        drop(most);
        assert!(uploads.lock().is_empty());
        assert!(uploads.enter(greedy).is_ok());
    }
}
