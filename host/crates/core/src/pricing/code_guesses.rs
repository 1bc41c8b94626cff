//! The limit of wrong codes: how many codes that are not accepted may be entered in a minute, on this host.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::ctx::{Ctx, Principal};
use crate::error::{Error, ErrorKind, Result};
use crate::id::TenantId;

/// The time in which wrong codes are counted together.
const MINUTE: Duration = Duration::from_secs(60);

/// The most wrong codes of a client in a minute: an address without a key, or a buyer of a key.
const MAX_OF_CLIENT: u32 = 10;

/// The most wrong codes of a key in a minute.
const MAX_OF_KEY: u32 = 600;

/// The most wrong codes in a minute of all callers of a tenant without a key. It takes thousands of addresses to reach
/// it, so that some cannot keep all others from entering codes.
const MAX_OF_PUBLIC: u32 = 60_000;

/// How many clients and principals are counted.
const MAX_CLIENTS: usize = 100_000;
const MAX_PRINCIPALS: usize = 10_000;

/// Counts wrong codes.
#[derive(Debug)]
pub struct CodeGuesses {
    /// Makes keys of a fixed size, since buyers' ids are long.
    hasher: RandomState,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    clients: Windows,
    principals: Windows,
}

/// Codes that were counted as wrong before they are looked up.
#[derive(Debug)]
pub(super) struct Guesses<'a> {
    of: &'a CodeGuesses,
    client: Option<Taken>,
    principal: Option<Taken>,
    /// How many of the codes are still counted.
    counted: u32,
}

/// A client or principal of a tenant.
type Key = (TenantId, u64);

/// A key, and the begin of the window in which its codes are counted.
type Taken = (Key, Instant);

impl Default for CodeGuesses {
    fn default() -> Self {
        let counts = Counts { clients: Windows::new(MAX_CLIENTS), principals: Windows::new(MAX_PRINCIPALS) };
        Self { hasher: RandomState::new(), counts: Mutex::new(counts) }
    }
}

impl CodeGuesses {
    /// Counts entered codes as wrong, or refuses them if there would be too many. Codes in parallel requests cannot
    /// exceed the limit this way; accepted ones are given back.
    pub(super) fn take(&self, ctx: &Ctx, buyer: &str, codes: usize) -> Result<Guesses<'_>> {
        let mut guesses = Guesses { of: self, client: None, principal: None, counted: 0 };
        if codes == 0 || ctx.principal == Principal::System {
            return Ok(guesses);
        }
        let codes = u32::try_from(codes).unwrap_or(u32::MAX);
        let principal = ctx.principal.to_string();
        // The buyers of a shop that does not name them are not one client: one of them could lock out the others.
        let is_known = !ctx.is_authenticated() || !buyer.is_empty();
        let client = is_known.then(|| match ctx.principal {
            Principal::Anonymous => self.hasher.hash_one(ctx.address),
            Principal::Key { .. } | Principal::System => self.hasher.hash_one((&principal, buyer)),
        });
        let principal = (ctx.tenant, self.hasher.hash_one(&principal));
        let most = if ctx.is_authenticated() { MAX_OF_KEY } else { MAX_OF_PUBLIC };
        let now = Instant::now();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // First, so that a principal has no more clients than it may enter wrong codes.
        let since = counts.principals.take(principal, (codes, most), now).map_err(too_many)?;
        guesses.principal = Some((principal, since));
        if let Some(client) = client {
            let client = (ctx.tenant, client);
            match counts.clients.take(client, (codes, MAX_OF_CLIENT), now) {
                Ok(since) => guesses.client = Some((client, since)),
                Err(after) => {
                    counts.principals.give_back(guesses.principal, codes);
                    return Err(too_many(after));
                }
            }
        }
        guesses.counted = codes;
        Ok(guesses)
    }
}

impl Guesses<'_> {
    /// Gives back codes that are accepted.
    pub(super) fn accepted(&mut self, codes: usize) {
        self.give_back(u32::try_from(codes).unwrap_or(u32::MAX));
    }

    /// Gives back all codes if the host or a plugin failed, since the request will be repeated. After an error that is
    /// the client's they stay counted: it can tell whether a code is right.
    pub(super) fn failed(&mut self, error: &Error) {
        let is_of_host = matches!(
            error.kind(),
            ErrorKind::PluginFailed
                | ErrorKind::Unavailable
                | ErrorKind::DeadlineExceeded
                | ErrorKind::Internal
        );
        if is_of_host {
            self.give_back(u32::MAX);
        }
    }

    fn give_back(&mut self, codes: u32) {
        let codes = codes.min(self.counted);
        if codes > 0 {
            self.counted -= codes;
            let mut counts = self.of.counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.clients.give_back(self.client, codes);
            counts.principals.give_back(self.principal, codes);
        }
    }
}

fn too_many(after: Duration) -> Error {
    // A part of a second counts as a whole one, so that a retry after this time is not too early.
    let seconds = after.as_secs() + 1;
    let message = format!("too many codes were not accepted; try again in {seconds} seconds");
    Error::rate_limited("TOO_MANY_CODES", message, Duration::from_secs(seconds))
}

/// Counts of the last minute. Where there are too many, the tenant with the most loses its oldest one, so that a tenant
/// with many clients does not reset the counts of others.
#[derive(Debug)]
struct Windows {
    capacity: usize,
    /// The begin of each key's window, and its count, which is not zero.
    counts: HashMap<Key, (Instant, u32)>,
    /// The begins of each tenant's windows with their keys.
    by_age: HashMap<TenantId, BTreeSet<(Instant, u64)>>,
}

impl Windows {
    fn new(capacity: usize) -> Self {
        Self { capacity, counts: HashMap::new(), by_age: HashMap::new() }
    }

    /// Adds to a key's count, which is at most `most` then, and returns the begin of its window; or else the time until
    /// the window ends.
    fn take(&mut self, key: Key, (codes, most): (u32, u32), now: Instant) -> Result<Instant, Duration> {
        self.remove_ended(key.0, now);
        if let Some((since, count)) = self.counts.get_mut(&key) {
            let sum = count.saturating_add(codes);
            if sum > most {
                return Err(MINUTE.saturating_sub(now.duration_since(*since)));
            }
            *count = sum;
            return Ok(*since);
        }
        if codes > most {
            return Err(MINUTE);
        }
        if self.counts.len() >= self.capacity {
            self.remove_oldest_of_largest();
        }
        self.counts.insert(key, (now, codes));
        self.by_age.entry(key.0).or_default().insert((now, key.1));
        Ok(now)
    }

    /// Subtracts from a key's count, unless its window has ended.
    fn give_back(&mut self, taken: Option<Taken>, codes: u32) {
        let Some((key, begin)) = taken else { return };
        if let Some((since, count)) = self.counts.get_mut(&key)
            && *since == begin
        {
            *count = count.saturating_sub(codes);
            if *count == 0 {
                self.remove(key, begin);
            }
        }
    }

    fn remove_ended(&mut self, tenant: TenantId, now: Instant) {
        while let Some((since, key)) = self.by_age.get(&tenant).and_then(|of| of.first().copied()) {
            if now.duration_since(since) < MINUTE {
                return;
            }
            self.remove((tenant, key), since);
        }
    }

    fn remove_oldest_of_largest(&mut self) {
        let largest = self.by_age.iter().max_by_key(|(_, windows)| windows.len());
        let oldest = largest.and_then(|(tenant, windows)| Some((*tenant, *windows.first()?)));
        if let Some((tenant, (since, key))) = oldest {
            self.remove((tenant, key), since);
        }
    }

    fn remove(&mut self, key: Key, since: Instant) {
        self.counts.remove(&key);
        if let Some(windows) = self.by_age.get_mut(&key.0) {
            windows.remove(&(since, key.1));
            if windows.is_empty() {
                self.by_age.remove(&key.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::ctx::Transport;
    use crate::id::KeyId;
    use crate::time::Timestamp;

    fn ctx(tenant: TenantId, principal: Principal, address: u8) -> Ctx {
        let time = (Timestamp::default(), std::time::Instant::now());
        let mut ctx = Ctx::new(tenant, principal, "r".into(), time, Transport::Rest);
        ctx.address = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, address)));
        ctx
    }

    fn key(id: &str) -> Principal {
        Principal::Key { id: KeyId::parse("id", id).unwrap(), user: None, roles: [].into() }
    }

    /// Enters one wrong code after another; returns how many are looked up.
    fn wrong_codes(guesses: &CodeGuesses, ctx: &Ctx, buyer: &str) -> usize {
        (0..2_000).take_while(|_| guesses.take(ctx, buyer, 1).is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn address_without_a_key_has_ten_wrong_codes_in_a_minute() {
        let guesses = CodeGuesses::default();
        let tenant = TenantId::generate();
        let public = ctx(tenant, Principal::Anonymous, 1);
        assert_eq!(wrong_codes(&guesses, &public, "ann"), 10);
        // The buyer is whatever the client says.
        let error = guesses.take(&public, "ben", 1).unwrap_err();
        assert_eq!((error.kind(), error.reason()), (ErrorKind::RateLimited, "TOO_MANY_CODES"));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(61)));
        assert!(guesses.take(&ctx(tenant, Principal::Anonymous, 2), "", 10).is_ok());
        assert!(guesses.take(&ctx(TenantId::generate(), Principal::Anonymous, 1), "", 10).is_ok());
        assert!(guesses.take(&public, "", 0).is_ok());
        tokio::time::advance(MINUTE).await;
        assert_eq!(wrong_codes(&guesses, &public, ""), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn buyers_of_a_key_are_counted_apart_up_to_the_limit_of_the_key() {
        let guesses = CodeGuesses::default();
        let shop = ctx(TenantId::generate(), key("shop"), 1);
        assert_eq!(wrong_codes(&guesses, &shop, "ann"), 10);
        assert_eq!(wrong_codes(&guesses, &shop, "ben"), 10);
        assert_eq!(wrong_codes(&guesses, &shop, ""), 580);
        // What the key's limit refuses does not count for the buyer.
        assert!(guesses.take(&shop, "eve", 1).is_err());
        let other = ctx(shop.tenant, key("other"), 1);
        assert_eq!(wrong_codes(&guesses, &other, "eve"), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn accepted_codes_are_given_back() {
        let guesses = CodeGuesses::default();
        let public = ctx(TenantId::generate(), Principal::Anonymous, 1);
        for _ in 0..100 {
            guesses.take(&public, "", 3).unwrap().accepted(3);
        }
        guesses.take(&public, "", 9).unwrap().accepted(1);
        assert!(guesses.take(&public, "", 3).is_err());
        // A window that has ended gives nothing back to the next one.
        let mut late = guesses.take(&public, "", 2).unwrap();
        tokio::time::advance(MINUTE).await;
        assert!(guesses.take(&public, "", 10).is_ok());
        late.accepted(2);
        assert!(guesses.take(&public, "", 1).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn some_addresses_do_not_lock_out_the_others() {
        let guesses = CodeGuesses::default();
        let tenant = TenantId::generate();
        let public = |address: u32| {
            let mut caller = ctx(tenant, Principal::Anonymous, 1);
            caller.address = Some(IpAddr::V4(Ipv4Addr::from(address)));
            caller
        };
        let most = MAX_OF_PUBLIC / MAX_OF_CLIENT;
        for address in 0..most {
            assert!(guesses.take(&public(address), "", 10).is_ok(), "{address}");
        }
        assert!(guesses.take(&public(most), "", 1).is_err());
        assert!(guesses.take(&ctx(tenant, key("shop"), 1), "ann", 1).is_ok());
        tokio::time::advance(MINUTE).await;
        assert!(guesses.take(&public(most), "", 1).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn codes_are_given_back_if_the_host_fails() {
        let guesses = CodeGuesses::default();
        let public = ctx(TenantId::generate(), Principal::Anonymous, 1);
        for _ in 0..3 {
            let mut taken = guesses.take(&public, "", 10).unwrap();
            taken.accepted(1);
            taken.failed(&Error::unavailable("busy", MINUTE));
        }
        let mut taken = guesses.take(&public, "", 10).unwrap();
        taken.failed(&Error::invalid("lines", "are wrong"));
        assert!(guesses.take(&public, "", 1).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn only_wrong_codes_take_places() {
        let guesses = CodeGuesses::default();
        let shop = ctx(TenantId::generate(), key("shop"), 1);
        let places = || {
            let counts = guesses.counts.lock().unwrap();
            [&counts.clients, &counts.principals].map(|of| (of.counts.len(), of.by_age.len()))
        };
        for buyer in 0..100 {
            guesses.take(&shop, &buyer.to_string(), 2).unwrap().accepted(2);
        }
        assert_eq!(places(), [(0, 0), (0, 0)]);
        assert_eq!(wrong_codes(&guesses, &shop, ""), 600);
        // What the key may not enter any more makes no clients.
        for buyer in 0..100 {
            assert!(guesses.take(&shop, &buyer.to_string(), 1).is_err());
        }
        assert_eq!(places(), [(0, 0), (1, 1)]);
    }

    #[test]
    fn tenant_with_the_most_counts_loses_its_oldest() {
        let mut windows = Windows::new(3);
        let (small, large) = (TenantId::generate(), TenantId::generate());
        let begin = Instant::now();
        let mut take = |key: Key, second: u64| {
            let taken = windows.take(key, (1, 1), begin + Duration::from_secs(second));
            (taken.is_ok(), windows.counts.len())
        };
        assert_eq!(take((small, 1), 0), (true, 1));
        assert_eq!(take((large, 1), 1), (true, 2));
        assert_eq!(take((large, 2), 2), (true, 3));
        assert_eq!(take((large, 3), 3), (true, 3));
        for counted in [(small, 1), (large, 2), (large, 3)] {
            assert_eq!(take(counted, 4), (false, 3), "{counted:?}");
        }
        assert_eq!(take((large, 1), 4), (true, 3));
        assert_eq!(take((small, 1), 60), (true, 3));
    }
}
