//! Bytes in flight: requests while they are handled, and responses until they are sent. Each request counts for its
//! connection, its key or address, its tenant and the host.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tessera_core::{Ctx, Error, ErrorKind, Principal, Result};

use crate::connection::Connection;
use crate::quota::{Exceeded, Quota, Scope, Share};
use crate::stream_limits::{OpenStreams, Slot};

/// The bytes that every request counts while it is handled, in addition to its body.
const REQUEST: usize = 4 << 10;

/// A response of this size is not refused, since it follows the work.
const SMALL_RESPONSE: usize = 16 << 10;

/// The most bytes of a request without a key.
pub(crate) const MAX_PUBLIC_REQUEST: usize = 64 << 10;

/// The least limit of a connection.
const MIN_LIMIT: usize = 16 << 20;

/// How many of the greatest messages, and of the greatest components, a connection can have in flight at least.
const MESSAGES: usize = 4;
const COMPONENTS: usize = 2;

/// The settings of the greatest messages, for errors.
const SETTINGS: &str = "TESSERA_MAX_BODY_BYTES, GRPC_MAX_RECEIVE_MESSAGE_LENGTH, GRPC_MAX_SEND_MESSAGE_LENGTH and \
    TESSERA_PLUGIN_MAX_BYTES";

/// The limits of bytes in flight.
#[derive(Clone, Debug)]
pub struct ByteBudget {
    quota: Quota,
    /// The limit of a connection for callers with a key; their other limits and the host's are multiples of it.
    keyed: usize,
    /// The limit of a connection for callers without a key, who upload nothing; their other limits are multiples of it.
    public: usize,
}

impl ByteBudget {
    /// Creates a budget for requests and responses of at most `message` bytes, and for uploads of at most `component`.
    #[must_use]
    pub fn new(message: usize, component: usize) -> Self {
        let public = message.saturating_mul(MESSAGES).max(MIN_LIMIT);
        let keyed = component.saturating_mul(COMPONENTS).max(public);
        Self { quota: Quota::default(), keyed, public }
    }

    /// Returns an empty share of a caller. The limits of callers without a key leave room for callers with one.
    pub(crate) fn share(&self, ctx: Option<&Ctx>, connection: Option<&Arc<Connection>>) -> Share {
        let key = ctx.and_then(|ctx| match &ctx.principal {
            Principal::Key { id, .. } => Some((ctx.tenant, id.clone())),
            Principal::System | Principal::Anonymous => None,
        });
        let unit = if key.is_some() { self.keyed } else { self.public };
        let mut limits = vec![(Scope::Host, self.keyed.saturating_mul(16))];
        match key {
            Some((tenant, id)) => {
                limits.push((Scope::Tenant(tenant), unit.saturating_mul(4)));
                limits.push((Scope::Key(id), unit.saturating_mul(2)));
            }
            None => {
                limits.push((Scope::Public, unit.saturating_mul(8)));
                if let Some(ctx) = ctx {
                    limits.push((Scope::PublicTenant(ctx.tenant), unit.saturating_mul(4)));
                }
                if let Some(connection) = connection {
                    limits.push((Scope::Address(connection.address()), unit.saturating_mul(2)));
                }
            }
        }
        if let Some(connection) = connection {
            limits.push((Scope::Connection(Arc::as_ptr(connection).addr()), unit));
        }
        self.quota.share(limits)
    }
}

/// Returns the error of a share that cannot grow.
pub(crate) fn too_many_bytes(exceeded: Exceeded) -> Error {
    let Exceeded { scope, limit } = exceeded;
    let whose = match scope {
        Scope::Host => "all callers of this host",
        Scope::Public => "all callers without a key",
        Scope::Tenant(_) => "all keys of this tenant",
        Scope::PublicTenant(_) => "all callers without a key in this tenant",
        Scope::Key(_) => "this key",
        Scope::Address(_) => "callers without a key at this address",
        Scope::Connection(_) => "this connection",
    };
    let message = format!(
        "unfinished requests and unread responses of {whose} may have {limit} bytes; read the responses, then try \
         again (the limit grows with {SETTINGS})"
    );
    match scope {
        Scope::Host | Scope::Public => Error::unavailable(message, Duration::from_secs(1)),
        _ => Error::new(ErrorKind::RateLimited, "TOO_MANY_BYTES", message),
    }
}

/// The bytes in flight of one request, until the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct InFlight(Arc<Request>);

#[derive(Debug)]
struct Request {
    budget: ByteBudget,
    /// Dropped before the connection, which its share names by its place in memory.
    state: Mutex<State>,
    connection: Arc<Connection>,
}

#[derive(Debug)]
struct State {
    share: Share,
    /// The bytes that are counted of the head, of the body, and of the response.
    head: usize,
    body: usize,
    response: usize,
    /// Whether the response is a stream, of which only unsent bytes count.
    is_stream: bool,
    /// The slot of a stream of a service that needs no authentication.
    _slot: Option<Slot>,
    has_key: bool,
    /// Whether the body is read without being kept.
    is_discarded: bool,
    /// Whether the body was received to its end.
    is_received: bool,
    /// Why the body was not read to its end.
    refusal: Option<Error>,
}

impl InFlight {
    /// Creates the count of a request whose caller is not known yet. It is empty.
    pub(crate) fn new(budget: &ByteBudget, connection: Arc<Connection>) -> Self {
        let share = budget.share(None, Some(&connection));
        let state = State {
            share,
            head: 0,
            body: 0,
            response: 0,
            is_stream: false,
            _slot: None,
            has_key: false,
            is_discarded: false,
            is_received: false,
            refusal: None,
        };
        Self(Arc::new(Request { budget: budget.clone(), state: Mutex::new(state), connection }))
    }

    /// Counts the request for its caller, or refuses it.
    pub(crate) fn admit(&self, ctx: &Ctx) -> Result<()> {
        let mut share = self.0.budget.share(Some(ctx), Some(&self.0.connection));
        share.set(REQUEST).map_err(too_many_bytes)?;
        let mut state = self.lock();
        (state.share, state.head, state.has_key) = (share, REQUEST, ctx.is_authenticated());
        Ok(())
    }

    /// Counts a body of which `bytes` were received, or refuses it.
    pub(crate) fn receive(&self, bytes: usize) -> Result<()> {
        let mut state = self.lock();
        if state.is_discarded {
            return Ok(());
        }
        if !state.has_key && bytes > MAX_PUBLIC_REQUEST {
            let message = format!(
                "the body has more than {MAX_PUBLIC_REQUEST} bytes, the limit of requests without a key"
            );
            return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
        }
        let used = state.head.saturating_add(state.response).saturating_add(bytes);
        state.share.set(used).map_err(too_many_bytes)?;
        state.body = bytes;
        Ok(())
    }

    /// Counts no more of the body, which is read without being kept.
    pub(crate) fn discard_body(&self) {
        let mut state = self.lock();
        (state.body, state.is_discarded) = (0, true);
        let used = state.head;
        state.share.force(used);
    }

    /// Records that the body was received to its end.
    pub(crate) fn end_body(&self) {
        self.lock().is_received = true;
    }

    /// Returns whether the body was received to its end.
    pub(crate) fn has_whole_body(&self) -> bool {
        self.lock().is_received
    }

    /// Counts the response instead of the request, or refuses it.
    pub(crate) fn respond(&self, bytes: usize) -> Result<()> {
        let mut state = self.lock();
        (state.head, state.body) = (0, 0);
        match state.share.set(bytes) {
            Err(exceeded) if bytes > SMALL_RESPONSE => Err(too_many_bytes(exceeded)),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    /// Counts the unsent bytes of a stream of responses instead of the request.
    pub(crate) fn stream(&self) {
        let mut state = self.lock();
        (state.head, state.body, state.is_stream) = (0, 0, true);
        state.share.force(0);
    }

    /// Takes a slot for a stream of a service that needs no authentication, until the last clone is dropped.
    pub(crate) fn enter(&self, streams: &OpenStreams) -> Result<()> {
        let slot = streams.enter(self.0.connection.address())?;
        self.stream();
        self.lock()._slot = Some(slot);
        Ok(())
    }

    /// Counts bytes of a stream that the connection has taken, beyond the limits if need be: they are in memory. The
    /// bytes of other responses are counted by [`Self::respond`].
    pub(crate) fn buffer(&self, bytes: usize) {
        self.lock().change_response(|response| response.saturating_add(bytes));
    }

    /// Counts bytes no more that [`Self::buffer`] has counted.
    pub(crate) fn sent(&self, bytes: usize) {
        self.lock().change_response(|response| response.saturating_sub(bytes));
    }

    /// Records why the body is not read to its end.
    pub(crate) fn refuse(&self, error: Error) {
        self.lock().refusal = Some(error);
    }

    /// Takes the reason why the body was not read to its end.
    pub(crate) fn take_refusal(&self) -> Option<Error> {
        self.lock().refusal.take()
    }

    /// The connection of the request.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.0.connection
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn change_response(&mut self, change: impl FnOnce(usize) -> usize) {
        if self.is_stream {
            self.response = change(self.response);
            self.share.force(self.head.saturating_add(self.body).saturating_add(self.response));
        }
    }
}

impl Default for InFlight {
    fn default() -> Self {
        Self::new(&ByteBudget::new(0, 0), Connection::of(&axum::http::Extensions::new()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Instant;

    use tessera_core::id::{KeyId, TenantId};
    use tessera_core::{Timestamp, Transport};

    use super::*;

    fn connection(address: u8) -> Arc<Connection> {
        Connection::new(Ipv4Addr::new(10, 0, 0, address).into())
    }

    fn ctx(tenant: TenantId, key: Option<&str>) -> Ctx {
        let principal = key.map_or(Principal::Anonymous, |key| Principal::Key {
            id: KeyId::parse("id", key).unwrap(),
            roles: [].into(),
            user: None,
        });
        Ctx::new(tenant, principal, "r".into(), (Timestamp::default(), Instant::now()), Transport::Rest)
    }

    fn request(budget: &ByteBudget, connection: &Arc<Connection>, ctx: &Ctx) -> Result<InFlight> {
        let request = InFlight::new(budget, Arc::clone(connection));
        request.admit(ctx).map(|()| request)
    }

    #[test]
    fn connection_key_and_tenant_have_limits_of_their_own() {
        let (budget, tenant) = (ByteBudget::new(0, 0), TenantId::generate());
        let mut requests = Vec::new();
        let mut fill = |address: u8, key: &str| {
            let connection = connection(address);
            loop {
                match request(&budget, &connection, &ctx(tenant, Some(key))).and_then(|request| {
                    request.receive(1 << 20)?;
                    Ok(request)
                }) {
                    Ok(request) => requests.push(request),
                    Err(error) => break (error.reason().to_owned(), error.message().to_owned()),
                }
            }
        };
        let (reason, message) = fill(1, "a");
        assert_eq!(reason, "TOO_MANY_BYTES");
        assert!(message.contains("of this connection may have 16777216 bytes"), "{message}");
        fill(2, "a");
        assert!(fill(3, "a").1.contains("of this key may "));
        for (address, key) in [(4, "b"), (5, "b"), (6, "c")] {
            fill(address, key);
        }
        assert!(fill(7, "d").1.contains("of all keys of this tenant may "));
        // Other tenants and callers without a key are not concerned.
        let other = TenantId::generate();
        request(&budget, &connection(8), &ctx(other, Some("e"))).unwrap();
        request(&budget, &connection(9), &ctx(tenant, None)).unwrap();
        drop(requests);
        request(&budget, &connection(1), &ctx(tenant, Some("a"))).unwrap();
    }

    #[test]
    fn callers_without_a_key_leave_room_for_others() {
        let budget = ByteBudget::new(0, 0);
        let mut unread = Vec::new();
        let mut last = None;
        for address in 0..200 {
            let response = InFlight::new(&budget, connection(address));
            match response.respond(MIN_LIMIT) {
                Ok(()) => unread.push(response),
                Err(error) => last = Some(error),
            }
        }
        let refusal = last.unwrap();
        assert_eq!((unread.len(), refusal.kind()), (8, ErrorKind::Unavailable));
        let message = refusal.message();
        assert!(message.contains("of all callers without a key may have 134217728 bytes"), "{message}");
        request(&budget, &connection(1), &ctx(TenantId::generate(), Some("a"))).unwrap();
    }

    #[test]
    fn small_response_is_not_refused_after_the_work() {
        let (budget, connection) = (ByteBudget::new(0, 0), connection(1));
        let caller = ctx(TenantId::generate(), Some("a"));
        let first = request(&budget, &connection, &caller).unwrap();
        let second = request(&budget, &connection, &caller).unwrap();
        first.respond(MIN_LIMIT - REQUEST).unwrap();
        assert!(request(&budget, &connection, &caller).is_err());
        assert!(second.respond(SMALL_RESPONSE + 1).is_err());
        second.respond(SMALL_RESPONSE).unwrap();
    }

    #[test]
    fn stream_counts_what_is_not_sent() {
        let (budget, connection) = (ByteBudget::new(0, 0), connection(1));
        let caller = ctx(TenantId::generate(), Some("a"));
        let stream = request(&budget, &connection, &caller).unwrap();
        stream.receive(MIN_LIMIT / 2).unwrap();
        stream.stream();
        stream.buffer(MIN_LIMIT);
        stream.buffer(10);
        stream.sent(10);
        assert!(request(&budget, &connection, &caller).is_err());
        assert!(stream.receive(1).is_err());
        stream.sent(MIN_LIMIT);
        request(&budget, &connection, &caller).unwrap();
        stream.receive(MIN_LIMIT).unwrap();
    }

    #[test]
    fn discarded_body_does_not_count() {
        let (budget, connection) = (ByteBudget::new(0, 0), connection(1));
        let caller = ctx(TenantId::generate(), Some("a"));
        let upload = request(&budget, &connection, &caller).unwrap();
        upload.receive(MIN_LIMIT / 2).unwrap();
        upload.discard_body();
        upload.receive(MIN_LIMIT * 4).unwrap();
        request(&budget, &connection, &caller).unwrap().respond(MIN_LIMIT - REQUEST).unwrap();
    }

    #[test]
    fn large_components_raise_only_the_limits_of_keys() {
        let budget = ByteBudget::new(0, MIN_LIMIT);
        let caller = ctx(TenantId::generate(), Some("a"));
        request(&budget, &connection(1), &caller).unwrap().respond(MIN_LIMIT * 2).unwrap();
        InFlight::new(&budget, connection(2)).respond(MIN_LIMIT + 1).unwrap_err();
    }

    #[test]
    fn body_without_a_key_is_small() {
        let budget = ByteBudget::new(0, 0);
        let request = request(&budget, &connection(1), &ctx(TenantId::generate(), None)).unwrap();
        request.receive(MAX_PUBLIC_REQUEST).unwrap();
        assert_eq!(request.receive(MAX_PUBLIC_REQUEST + 1).unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
