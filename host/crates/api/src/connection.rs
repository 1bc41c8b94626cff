//! A client's connection: its address, how many this address has open, and whether the client reads.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::Extensions;
use tokio::time::Instant;

use crate::quota::{Quota, Scope, Share};

/// A client's connection, in the extensions of its requests.
#[derive(Debug)]
pub struct Connection {
    address: IpAddr,
    unread: Mutex<Unread>,
}

/// The parts of responses that wait for the client, by the order in which their wait began.
#[derive(Debug, Default)]
struct Unread {
    next: u64,
    since: BTreeMap<u64, Instant>,
}

/// A part of a response that waits for the client, until it is dropped.
#[derive(Debug)]
pub(crate) struct UnreadPart {
    connection: Arc<Connection>,
    number: u64,
}

/// Counts the open connections of each address.
#[derive(Clone, Debug)]
pub struct OpenConnections {
    quota: Quota,
    most: usize,
}

/// An open connection that is counted until it is dropped.
#[derive(Debug)]
pub struct OpenConnection {
    _share: Share,
}

impl OpenConnections {
    /// Creates a limit of `most` connections for each address.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { quota: Quota::default(), most }
    }

    /// Counts a connection, or returns `None` if its address has as many as it may have.
    #[must_use]
    pub fn enter(&self, connection: &Connection) -> Option<OpenConnection> {
        let mut share = self.quota.share(vec![(Scope::Address(connection.address()), self.most)]);
        share.set(1).ok()?;
        Some(OpenConnection { _share: share })
    }
}

impl Connection {
    /// Creates the state of a connection of a client at an address.
    #[must_use]
    pub fn new(address: IpAddr) -> Arc<Self> {
        Arc::new(Self { address: network(address), unread: Mutex::default() })
    }

    /// Returns the connection of a request.
    pub(crate) fn of(extensions: &Extensions) -> Arc<Self> {
        let connection = extensions.get::<Arc<Self>>().cloned();
        connection.unwrap_or_else(|| Self::new(Ipv4Addr::LOCALHOST.into()))
    }

    /// Returns the client's address; of an IPv6 address the first half, since a client has a whole network of them.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Begins the wait of a part of a response.
    pub(crate) fn begin_wait(self: &Arc<Self>) -> UnreadPart {
        let mut unread = self.lock();
        let number = unread.next;
        unread.next += 1;
        unread.since.insert(number, Instant::now());
        UnreadPart { connection: Arc::clone(self), number }
    }

    /// Waits until a part of a response was not read for `timeout`.
    pub async fn stalled(&self, timeout: Duration) {
        loop {
            let oldest = self.lock().since.values().next().copied();
            let end = oldest.unwrap_or_else(Instant::now) + timeout;
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Unread> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the address whose callers share limits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

impl Drop for UnreadPart {
    fn drop(&mut self) {
        self.connection.lock().since.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ_TIMEOUT: Duration = Duration::from_secs(90);

    #[tokio::test(start_paused = true)]
    async fn connection_stalls_when_a_part_is_not_read_in_time() {
        let connection = Connection::new(Ipv4Addr::LOCALHOST.into());
        let start = Instant::now();
        let stalled = tokio::spawn({
            let connection = Arc::clone(&connection);
            async move { connection.stalled(READ_TIMEOUT).await }
        });
        for _ in 0..10 {
            let part = connection.begin_wait();
            tokio::time::sleep(READ_TIMEOUT / 2).await;
            drop(part);
        }
        assert!(!stalled.is_finished());
        let _part = connection.begin_wait();
        stalled.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), READ_TIMEOUT.as_secs() * 6);
    }

    #[test]
    fn open_connections_are_limited_for_each_address() {
        let open = OpenConnections::new(2);
        let enter = |address: &str| open.enter(&Connection::new(address.parse().unwrap()));
        let first = enter("2001:db8::1");
        let second = enter("2001:db8::2");
        assert!(first.is_some() && second.is_some());
        assert!(enter("2001:db8::3").is_none());
        assert!(enter("2001:db8:0:1::1").is_some(), "another network");
        drop(first);
        assert!(enter("2001:db8::3").is_some());
    }

    #[test]
    fn addresses_of_an_ipv6_network_share_limits() {
        let address = |text: &str| Connection::new(text.parse().unwrap()).address().to_string();
        assert_eq!(address("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(address("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(address("10.0.0.1"), "10.0.0.1");
    }
}
