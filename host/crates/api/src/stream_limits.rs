//! Limits of open streams.

use std::net::IpAddr;

use tessera_core::{Ctx, Error, ErrorKind, Principal, Result};

use crate::quota::{Quota, Scope, Share};

/// Limit of open streams of one key on this host.
const MAX_STREAMS: usize = 100;

/// Limit of open streams of all keys of a tenant, on this host.
const MAX_TENANT_STREAMS: usize = 1_000;

/// Limit of open streams of all callers without a key in a tenant, on this host.
const MAX_PUBLIC_STREAMS: usize = 10_000;

/// The part of the streams of a service without authentication that one address may have open.
const ADDRESSES: usize = 10;

/// Counts the open streams of callers.
#[derive(Clone, Debug, Default)]
pub struct Streams(Quota);

/// Counts the open streams of a service that needs no authentication.
#[derive(Clone, Debug)]
pub(crate) struct OpenStreams {
    quota: Quota,
    max: usize,
}

/// A slot for one open stream; freed when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _share: Share,
}

impl Streams {
    /// Takes a slot, or fails if a limit is reached.
    pub(crate) fn enter(&self, ctx: &Ctx) -> Result<Slot> {
        let limits = match &ctx.principal {
            Principal::Key { id, .. } => {
                vec![(Scope::Key(id.clone()), MAX_STREAMS), (Scope::Tenant(ctx.tenant), MAX_TENANT_STREAMS)]
            }
            Principal::System | Principal::Anonymous => {
                vec![(Scope::PublicTenant(ctx.tenant), MAX_PUBLIC_STREAMS)]
            }
        };
        Slot::take(&self.0, limits)
    }
}

impl OpenStreams {
    /// Creates a limit of `max` streams, of which an address may have a tenth.
    pub(crate) fn new(max: usize) -> Self {
        Self { quota: Quota::default(), max }
    }

    /// Takes a slot for a caller at an address, or fails if a limit is reached.
    pub(crate) fn enter(&self, address: IpAddr) -> Result<Slot> {
        let limits = vec![(Scope::Address(address), self.max / ADDRESSES), (Scope::Public, self.max)];
        Slot::take(&self.quota, limits)
    }
}

impl Slot {
    fn take(quota: &Quota, limits: Vec<(Scope, usize)>) -> Result<Self> {
        let mut share = quota.share(limits);
        share.set(1).map_err(|exceeded| {
            let limit = exceeded.limit;
            let whose = match exceeded.scope {
                Scope::Tenant(_) => "of the tenant's keys ",
                Scope::PublicTenant(_) => "of the tenant's callers without a key ",
                Scope::Address(_) => "of this service and address ",
                Scope::Public => "of this service ",
                Scope::Key(_) | Scope::Connection(_) | Scope::Host => "",
            };
            let message = format!("{limit} streams {whose}are open, which is the limit; close one first");
            Error::new(ErrorKind::RateLimited, "TOO_MANY_STREAMS", message)
        })?;
        Ok(Self { _share: share })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tessera_core::id::{KeyId, TenantId};
    use tessera_core::{Timestamp, Transport};

    use super::*;

    #[test]
    fn keys_and_tenants_have_limits_of_open_streams() {
        let (streams, tenant) = (Streams::default(), TenantId::generate());
        let ctx = |tenant: TenantId, key: String| {
            let principal =
                Principal::Key { id: KeyId::parse("id", &key).unwrap(), user: None, roles: [].into() };
            Ctx::new(tenant, principal, "r".into(), (Timestamp::default(), Instant::now()), Transport::Rest)
        };
        let mut slots = Vec::new();
        for key in 0..10 {
            let caller = ctx(tenant, format!("k{key}"));
            slots.extend((0..MAX_STREAMS).map(|_| streams.enter(&caller).unwrap()));
            let error = streams.enter(&caller).err().unwrap();
            assert_eq!(error.message(), "100 streams are open, which is the limit; close one first");
        }
        let error = streams.enter(&ctx(tenant, "k10".into())).err().unwrap();
        assert!(error.message().starts_with("1000 streams of the tenant's keys "), "{}", error.message());
        streams.enter(&ctx(TenantId::generate(), "k11".into())).ok().unwrap();
        slots.pop();
        streams.enter(&ctx(tenant, "k10".into())).ok().unwrap();
    }
}
