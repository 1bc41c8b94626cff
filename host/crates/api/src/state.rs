//! The context of a call, for every transport: caller, tenant, request id, deadline, page, version.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tessera_core::access::Operation;
use tessera_core::fair::{FairLimiter, FairPermit, Owner, Permits, WaitingLimits};
use tessera_core::filter::Spec;
use tessera_core::idempotency::IdempotencyKey;
use tessera_core::page::{self, Page};
use tessera_core::secret::SecretKey;
use tessera_core::tenancy::auth::Identity;
use tessera_core::{App, Ctx, Error, ErrorKind, IfVersion, PageRequest, Principal, Result, Transport};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::in_flight::ByteBudget;
use crate::stream_limits::Streams;
use crate::tokens::{PageQuery, Tokens};

/// The most requests that are carried out at once, and those of one tenant. More do not increase the throughput: they
/// would only wait in the store.
const REQUESTS: Permits = Permits { shared: 4_096, tenant: 512, host: 0 };

/// The most requests that wait.
const WAITING_REQUESTS: WaitingLimits = WaitingLimits {
    tenants: 4_096,
    host: 0,
    message: "too many requests of this tenant wait; try again later",
};

/// The longest that a request waits until it is carried out.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// State that all transports share.
#[derive(Clone)]
pub struct ApiState {
    /// All services.
    pub app: App,
    /// Encrypts and decrypts page tokens, cursors and stream tokens.
    pub tokens: Arc<Tokens>,
    /// The timeouts of requests.
    pub timeouts: Timeouts,
    /// Limits the requests that are carried out at once.
    pub requests: Arc<FairLimiter>,
    /// The open streams of callers.
    pub streams: Streams,
    /// The bytes of requests and responses in flight.
    pub bytes: ByteBudget,
    /// Cancelled when the host shuts down: readiness checks fail, and streams end.
    pub stop: CancellationToken,
}

/// The timeouts of requests.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// The timeout of a request.
    pub request: Duration,
    /// The timeout of an upload of a component, which compiles it.
    pub upload: Duration,
}

impl Timeouts {
    /// Returns the timeout of a request.
    #[must_use]
    pub fn of(&self, is_upload: bool) -> Duration {
        if is_upload { self.upload } else { self.request }
    }
}

/// The headers or metadata that describe a request, as text.
#[derive(Clone, Debug)]
pub struct RequestHead<'a> {
    /// The client's address; see [`Connection::address`](crate::connection::Connection::address).
    pub address: IpAddr,
    /// `Authorization`.
    pub authorization: Option<&'a str>,
    /// `X-Tenant`.
    pub tenant: Option<&'a str>,
    /// The host name that the client called.
    pub host: Option<&'a str>,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// The request id; see [`request_id`].
    pub request_id: Arc<str>,
    /// The transport of the request.
    pub transport: Transport,
    /// The caller's timeout, if it sent one.
    pub timeout: Option<Duration>,
    /// Whether it uploads a component.
    pub is_upload: bool,
}

/// The authentication that an operation requires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthMode {
    /// An API key.
    Keyed,
    /// A tenant; no API key.
    Public,
    /// Neither a tenant nor an API key.
    Open,
}

/// The page arguments of a list request, as text.
#[derive(Clone, Copy, Debug)]
pub struct PageArgs<'a> {
    /// The fields and orders that the list supports.
    pub spec: &'a Spec,
    /// The largest page size.
    pub max: u32,
    /// The requested page size; 0: the default.
    pub size: i64,
    /// The page token; empty: the first page.
    pub token: &'a str,
    /// The query of the list, with its filter and order.
    pub query: PageQuery<'a>,
}

impl ApiState {
    /// Creates the state; `secret` encrypts the tokens.
    #[must_use]
    pub fn new(
        app: App,
        secret: &SecretKey,
        (timeouts, bytes): (Timeouts, ByteBudget),
        stop: CancellationToken,
    ) -> Self {
        Self {
            app,
            tokens: Arc::new(Tokens::new(secret)),
            timeouts,
            requests: FairLimiter::new(REQUESTS, WAITING_REQUESTS),
            streams: Streams::default(),
            bytes,
            stop,
        }
    }

    /// Waits until a request may be carried out, in its tenant's turn. Called before the operation begins, so that a
    /// refused request has read and decided nothing.
    pub async fn wait_for_turn(&self, ctx: &Ctx) -> Result<FairPermit> {
        let owner = match ctx.principal {
            Principal::Anonymous => Owner::Public(ctx.tenant),
            Principal::Key { .. } | Principal::System => Owner::Tenant(ctx.tenant),
        };
        self.requests.acquire(owner, ctx.deadline.min(Instant::now() + MAX_WAIT)).await
    }

    /// Returns the context of a request.
    pub async fn context(&self, auth: AuthMode, head: &RequestHead<'_>) -> Result<Ctx> {
        match auth {
            AuthMode::Keyed => self.ctx(head).await,
            AuthMode::Public | AuthMode::Open => self.public_ctx(head).await,
        }
    }

    /// Authenticates a request by its API key and returns its context. A tenant that the request names must be the
    /// key's.
    pub async fn ctx(&self, head: &RequestHead<'_>) -> Result<Ctx> {
        let text = bearer(head.authorization)?;
        let identity =
            self.app.auth.authenticate(text, head.address, head.transport, &head.request_id).await?;
        self.ctx_of(identity, head).await
    }

    /// Returns the context of a request to a public operation; without a key, the caller is anonymous.
    pub async fn public_ctx(&self, head: &RequestHead<'_>) -> Result<Ctx> {
        if head.authorization.is_some() {
            return self.ctx(head).await;
        }
        let tenant = head.tenant.map(|tenant| reject_nul("X-Tenant", tenant)).transpose()?;
        let identity = self.app.auth.public(tenant, head.host, head.address).await?;
        self.ctx_of(identity, head).await
    }

    /// Returns the context of a request whose caller is authenticated already.
    pub async fn ctx_of(&self, identity: Identity, head: &RequestHead<'_>) -> Result<Ctx> {
        let max = self.timeouts.of(head.is_upload);
        let timeout = head.timeout.map_or(max, |timeout| timeout.min(max));
        let mut ctx = Ctx::new(
            identity.tenant,
            identity.principal,
            Arc::clone(&head.request_id),
            (self.app.now(), Instant::now() + timeout),
            head.transport,
        );
        ctx.address = Some(head.address);
        // The tenant of a caller without a key is the one that it names.
        if let Some(name) = head.tenant.filter(|_| ctx.is_authenticated()) {
            self.app.tenants.check_own(&ctx, reject_nul("X-Tenant", name)?).await?;
        }
        ctx.idempotency = head.idempotency_key.map(IdempotencyKey::parse).transpose()?;
        Ok(ctx)
    }

    /// Reads the page arguments of a request.
    pub fn page(&self, ctx: &Ctx, args: &PageArgs<'_>) -> Result<PageRequest> {
        let query = &args.query;
        let after = match args.token {
            "" => None,
            token => Some(self.tokens.open_page(ctx.tenant, query, token)?),
        };
        Ok(PageRequest {
            size: page::size(args.size, args.max)?,
            after,
            filter: args.spec.filter(ctx, reject_nul("filter", query.filter)?)?,
            order: args.spec.order(query.order_by)?,
        })
    }

    /// Encodes the items of a page. Returns them with the token of the next page; empty if this page is the last.
    pub fn encode_page<T, M>(
        &self,
        ctx: &Ctx,
        args: &PageArgs<'_>,
        page: Page<T>,
        encode: impl FnMut(T) -> M,
    ) -> (Vec<M>, String) {
        let token = page.next.map(|after| self.tokens.seal_page(ctx.tenant, &args.query, &after));
        (page.items.into_iter().map(encode).collect(), token.unwrap_or_default())
    }
}

/// Returns the query of a list without filter and order.
#[must_use]
pub fn plain_query<'a>(operation: Operation, scope: &'a [&'a str]) -> PageQuery<'a> {
    PageQuery { operation, filter: "", order_by: "", scope }
}

/// The specification of lists without filter and order.
pub const PLAIN: Spec = Spec { fields: &[], orders: &["created"] };

/// Returns the credential of an `Authorization` header.
pub fn bearer(authorization: Option<&str>) -> Result<&str> {
    let expected = "an API key is expected: Authorization: Bearer tsk_<id>_<secret>";
    let text = authorization.ok_or_else(|| Error::unauthenticated(expected))?;
    let (scheme, credential) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") || credential.trim().is_empty() {
        return Err(Error::unauthenticated(expected));
    }
    Ok(credential.trim())
}

/// Converts the panic of a handler into an internal error.
pub(crate) fn panic_error(panic: &(dyn Any + Send)) -> Error {
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::internal(std::io::Error::other(format!("a handler panicked: {message}")))
}

/// Returns the error of a request that timed out.
pub(crate) fn deadline_exceeded() -> Error {
    let message =
        "the request timed out and may have been carried out; repeat it with the same Idempotency-Key";
    Error::new(ErrorKind::DeadlineExceeded, "DEADLINE_EXCEEDED", message)
}

/// Returns the id of the caller's key, for the log.
pub(crate) fn key_id(ctx: &Ctx) -> Option<String> {
    match &ctx.principal {
        Principal::Key { id, .. } => Some(id.to_string()),
        Principal::System | Principal::Anonymous => None,
    }
}

/// Returns the request id: from `x-request-id`, from `traceparent`, or a new one.
#[must_use]
pub fn request_id(header: Option<&str>, traceparent: Option<&str>) -> Arc<str> {
    let is_valid = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    let is_trace_id =
        |id: &&str| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) && *id != "0".repeat(32);
    let trace = || traceparent.and_then(|text| text.split('-').nth(1)).filter(is_trace_id);
    match header.filter(is_valid).or_else(trace) {
        Some(id) => id.into(),
        None => Uuid::now_v7().to_string().into(),
    }
}

/// Refuses text with U+0000, which the stores do not accept.
pub fn reject_nul<'a>(field: &str, text: &'a str) -> Result<&'a str> {
    if text.contains('\0') {
        return Err(Error::malformed(field, "contains the character U+0000"));
    }
    Ok(text)
}

/// Formats the entity tag of a version, without quotes.
#[must_use]
pub fn etag(version: u64) -> String {
    version.to_string()
}

/// Formats the entity tag of a version and of a count that changes independently of it.
#[must_use]
pub fn etag_with_count(version: u64, count: u64) -> String {
    format!("{version}.{count}")
}

/// The most entity tags that are read of one request.
const MAX_TAGS: usize = 100;

/// Parses a comma-separated list of entity tags. `*` and an empty list accept any version; a malformed tag matches
/// none.
#[must_use]
pub fn accepted_versions(tags: &str) -> IfVersion {
    match tags.trim() {
        "" | "*" => IfVersion::default(),
        tags => IfVersion::one_of(tags.split(',').take(MAX_TAGS).filter_map(|tag| version_of(tag.trim()))),
    }
}

/// Returns the version in an entity tag, or `None` if it is malformed.
fn version_of(tag: &str) -> Option<u64> {
    let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    let (version, count) = tag.split_once('.').unwrap_or((tag, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    version.parse().ok().filter(|_| digits(version) && digits(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_entity_tags_match_no_version() {
        assert!(accepted_versions("").is_any() && accepted_versions(" * ").is_any());
        let seven = IfVersion::one_of([7]);
        for tag in [&etag(7), "\"7\"", &etag_with_count(7, 12), "\"7\", W/\"8\", seven"] {
            assert_eq!(accepted_versions(tag), seven, "{tag}");
        }
        assert_eq!(accepted_versions("\"7\" ,\"8.3\""), IfVersion::one_of([7, 8]));
        let many = "7,".repeat(100_000);
        assert_eq!(accepted_versions(&many), IfVersion::one_of([7; MAX_TAGS]));
        for bad in ["W/\"7\"", "\"7", "seven", "7.", "7.x", ".7", "-1", "+7", ",", "99999999999999999999"] {
            assert_eq!(accepted_versions(bad), IfVersion::one_of([]), "{bad}");
        }
    }

    #[test]
    fn invalid_request_id_is_replaced() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(&*request_id(Some("mine"), Some(trace)), "mine");
        assert_eq!(&*request_id(Some("not mine"), Some(trace)), "4bf92f3577b34da6a3ce929d0e0e4736");
        for bad in ["", "a b", "a\nb", "é", &"x".repeat(129)] {
            assert!(Uuid::try_parse(&request_id(Some(bad), Some("00-zz-00-01"))).is_ok(), "{bad}");
        }
    }

    #[test]
    fn only_bearer_credentials_are_accepted() {
        assert_eq!(bearer(Some("Bearer tsk_a_b")).unwrap(), "tsk_a_b");
        assert_eq!(bearer(Some("bearer  tsk_a_b")).unwrap(), "tsk_a_b");
        for bad in [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic dXNlcg=="), Some("tsk_a_b")]
        {
            assert!(bearer(bad).is_err(), "{bad:?}");
        }
    }
}
