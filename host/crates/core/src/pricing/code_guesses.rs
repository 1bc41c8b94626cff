//! The limit of wrong codes: how many codes that are not accepted may be entered in a minute, on this host.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::ctx::{Ctx, Principal};
use crate::error::{Error, Result};

/// The time in which wrong codes are counted together.
const MINUTE: Duration = Duration::from_secs(60);

/// The most wrong codes of a client in a minute: an address without a key, or a buyer of a key.
const MAX_OF_CLIENT: u32 = 10;

/// The most wrong codes of a principal of a tenant in a minute.
const MAX_OF_PRINCIPAL: u32 = 600;

/// How many clients and principals are counted. Beyond, the oldest count is dropped.
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
}

/// A key, and the begin of the window in which its codes are counted.
type Taken = (u64, Instant);

impl Default for CodeGuesses {
    fn default() -> Self {
        let counts = Counts {
            clients: Windows::new(MAX_OF_CLIENT, MAX_CLIENTS),
            principals: Windows::new(MAX_OF_PRINCIPAL, MAX_PRINCIPALS),
        };
        Self { hasher: RandomState::new(), counts: Mutex::new(counts) }
    }
}

impl CodeGuesses {
    /// Counts entered codes as wrong, or refuses them if there would be too many. Codes in parallel requests cannot
    /// exceed the limit this way; accepted ones are given back.
    pub(super) fn take(&self, ctx: &Ctx, buyer: &str, codes: usize) -> Result<Guesses<'_>> {
        let mut guesses = Guesses { of: self, client: None, principal: None };
        if codes == 0 || ctx.principal == Principal::System {
            return Ok(guesses);
        }
        let codes = u32::try_from(codes).unwrap_or(u32::MAX);
        let principal = ctx.principal.to_string();
        // The buyers of a shop that does not name them are not one client: one of them could lock out the others.
        let is_known = !ctx.is_authenticated() || !buyer.is_empty();
        let client = is_known.then(|| match ctx.principal {
            Principal::Anonymous => self.hasher.hash_one((ctx.tenant, ctx.address)),
            Principal::Key { .. } | Principal::System => {
                self.hasher.hash_one((ctx.tenant, &principal, buyer))
            }
        });
        let principal = self.hasher.hash_one((ctx.tenant, &principal));
        let now = Instant::now();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = client {
            let since = counts.clients.take(client, codes, now).map_err(too_many)?;
            guesses.client = Some((client, since));
        }
        match counts.principals.take(principal, codes, now) {
            Ok(since) => guesses.principal = Some((principal, since)),
            Err(after) => {
                counts.clients.give_back(guesses.client, codes);
                return Err(too_many(after));
            }
        }
        Ok(guesses)
    }
}

impl Guesses<'_> {
    /// Gives back codes that are accepted.
    pub(super) fn accepted(&self, codes: usize) {
        if codes > 0 {
            let codes = u32::try_from(codes).unwrap_or(u32::MAX);
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

/// Counts of the last minute.
#[derive(Debug)]
struct Windows {
    most: u32,
    capacity: usize,
    /// The begin of each key's window, and its count.
    counts: HashMap<u64, (Instant, u32)>,
    /// The keys with the begins of their windows, oldest first.
    oldest: VecDeque<Taken>,
}

impl Windows {
    fn new(most: u32, capacity: usize) -> Self {
        Self { most, capacity, counts: HashMap::new(), oldest: VecDeque::new() }
    }

    /// Adds to a key's count and returns the begin of its window, or else the time until the window ends.
    fn take(&mut self, key: u64, codes: u32, now: Instant) -> Result<Instant, Duration> {
        let is_full = self.counts.len() >= self.capacity && !self.counts.contains_key(&key);
        let ended = self.oldest.iter().take_while(|(_, since)| now.duration_since(*since) >= MINUTE).count();
        for (key, _) in self.oldest.drain(..ended.max(usize::from(is_full))) {
            self.counts.remove(&key);
        }
        let (since, count) = self.counts.entry(key).or_insert_with(|| {
            self.oldest.push_back((key, now));
            (now, 0)
        });
        let sum = count.saturating_add(codes);
        if sum > self.most {
            return Err(MINUTE.saturating_sub(now.duration_since(*since)));
        }
        *count = sum;
        Ok(*since)
    }

    /// Subtracts from a key's count, unless its window has ended.
    fn give_back(&mut self, taken: Option<Taken>, codes: u32) {
        if let Some((key, begin)) = taken
            && let Some((since, count)) = self.counts.get_mut(&key)
            && *since == begin
        {
            *count = count.saturating_sub(codes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::ctx::Transport;
    use crate::error::ErrorKind;
    use crate::id::{KeyId, TenantId};
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
        let late = guesses.take(&public, "", 2).unwrap();
        tokio::time::advance(MINUTE).await;
        assert!(guesses.take(&public, "", 10).is_ok());
        late.accepted(2);
        assert!(guesses.take(&public, "", 1).is_err());
    }

    #[test]
    fn oldest_count_is_dropped_when_there_are_too_many() {
        let mut windows = Windows::new(1, 2);
        let now = Instant::now();
        for key in [1, 2] {
            assert!(windows.take(key, 1, now).is_ok());
        }
        assert!(windows.take(2, 1, now).is_err());
        assert!(windows.take(3, 1, now).is_ok());
        assert_eq!((windows.counts.len(), windows.oldest.len()), (2, 2));
        assert!(windows.take(1, 1, now).is_ok());
        assert!(windows.take(3, 1, now).is_err());
    }
}
