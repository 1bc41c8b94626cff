//! The context of a call, for every transport: caller, tenant, request id, deadline, page, version.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tessera_core::access::Operation;
use tessera_core::filter::Spec;
use tessera_core::idempotency::IdempotencyKey;
use tessera_core::page::{self, Keyset};
use tessera_core::secret::SecretKey;
use tessera_core::tenancy::auth::Identity;
use tessera_core::{App, Ctx, Error, ErrorKind, IfVersion, PageRequest, Principal, Result, Transport};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::stream_limits::Streams;
use crate::tokens::{PageQuery, Tokens};

/// The services, and what transports need to call them.
#[derive(Clone)]
pub struct ApiState {
    /// All services.
    pub app: App,
    /// Tokens of pages and streams.
    pub tokens: Arc<Tokens>,
    /// How long a request may take.
    pub timeout: Duration,
    /// How many streams each principal has open.
    pub streams: Streams,
    /// Cancelled when the host goes down: it is no longer ready, and streams end.
    pub stop: CancellationToken,
}

/// The headers or metadata that describe a request, as text.
#[derive(Clone, Debug)]
pub struct RequestHead<'a> {
    /// `Authorization`.
    pub authorization: Option<&'a str>,
    /// `X-Tenant`.
    pub tenant: Option<&'a str>,
    /// The host name that the client called.
    pub host: Option<&'a str>,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// The request's id, as [`request_id`] gave it.
    pub request_id: Arc<str>,
    /// By what way it came.
    pub transport: Transport,
    /// The caller's timeout, if it sent one.
    pub timeout: Option<Duration>,
}

/// Who may call an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthMode {
    /// Holders of a key.
    Keyed,
    /// Everybody, in a tenant.
    Public,
    /// Everybody, in no tenant.
    Open,
}

/// Which page of which list a request asks for, as text.
#[derive(Clone, Copy, Debug)]
pub struct PageArgs<'a> {
    /// The fields and orders of the list.
    pub spec: &'a Spec,
    /// The largest page.
    pub max: u32,
    /// How many rows; 0: the default.
    pub size: i64,
    /// Where the page before ended; empty: the first page.
    pub token: &'a str,
    /// The query to which the page belongs, filter and order included.
    pub query: PageQuery<'a>,
}

impl ApiState {
    /// A gate to the services.
    #[must_use]
    pub fn new(app: App, secret: &SecretKey, timeout: Duration, stop: CancellationToken) -> Self {
        Self { app, tokens: Arc::new(Tokens::new(secret)), timeout, streams: Streams::default(), stop }
    }

    /// The context of a request.
    pub async fn context(&self, auth: AuthMode, head: &RequestHead<'_>) -> Result<Ctx> {
        match auth {
            AuthMode::Keyed => self.ctx(head).await,
            AuthMode::Public | AuthMode::Open => self.public_ctx(head).await,
        }
    }

    /// The context of a request: its caller is known, and the tenant that it names is its own.
    pub async fn ctx(&self, head: &RequestHead<'_>) -> Result<Ctx> {
        let text = bearer(head.authorization)?;
        let identity = self.app.auth.authenticate(text, head.transport, &head.request_id).await?;
        self.ctx_of(identity, head).await
    }

    /// The context of a request for what is public: without a key, its caller is nobody.
    pub async fn public_ctx(&self, head: &RequestHead<'_>) -> Result<Ctx> {
        if head.authorization.is_some() {
            return self.ctx(head).await;
        }
        let named = head.tenant.map(|named| plain("X-Tenant", named)).transpose()?;
        let identity = self.app.auth.public(named, head.host).await?;
        self.ctx_of(identity, head).await
    }

    /// The context of a request whose caller is known already.
    pub async fn ctx_of(&self, identity: Identity, head: &RequestHead<'_>) -> Result<Ctx> {
        let span = head.timeout.map_or(self.timeout, |head| head.min(self.timeout));
        let mut ctx = Ctx::new(
            identity.tenant,
            identity.principal,
            Arc::clone(&head.request_id),
            (self.app.now(), Instant::now() + span),
            head.transport,
        );
        if let Some(named) = head.tenant {
            let tenant = self.app.tenants.get(&ctx, plain("X-Tenant", named)?).await?;
            if tenant.id != ctx.tenant {
                return Err(Error::not_found("tenant"));
            }
        }
        ctx.idempotency = head.idempotency_key.map(IdempotencyKey::parse).transpose()?;
        Ok(ctx)
    }

    /// The page that a request asks for.
    pub fn page(&self, ctx: &Ctx, head: &PageArgs<'_>) -> Result<PageRequest> {
        let query = &head.query;
        let after = match head.token {
            "" => None,
            token => Some(self.tokens.open_page(ctx.tenant, query, token)?),
        };
        Ok(PageRequest {
            size: page::size(head.size, head.max)?,
            after,
            filter: head.spec.filter(ctx, plain("filter", query.filter)?)?,
            order: head.spec.order(query.order_by)?,
        })
    }

    /// The token of the next page; empty when there is none.
    #[must_use]
    pub fn next_token(&self, ctx: &Ctx, query: &PageQuery<'_>, next: Option<&Keyset>) -> String {
        next.map(|after| self.tokens.seal_page(ctx.tenant, query, after)).unwrap_or_default()
    }
}

/// A page of a list that takes neither filter nor order.
#[must_use]
pub fn plain_query<'a>(operation: Operation, scope: &'a [&'a str]) -> PageQuery<'a> {
    PageQuery { operation, filter: "", order_by: "", scope }
}

/// The specification of lists without filter and order.
pub const PLAIN: Spec = Spec { fields: &[], orders: &["created"] };

/// The credential in an `Authorization` header.
pub fn bearer(authorization: Option<&str>) -> Result<&str> {
    let expected = "an API key is expected: Authorization: Bearer tsk_<id>_<secret>";
    let text = authorization.ok_or_else(|| Error::unauthenticated(expected))?;
    let (scheme, credential) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") || credential.trim().is_empty() {
        return Err(Error::unauthenticated(expected));
    }
    Ok(credential.trim())
}

/// The error that a panic stands for.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::internal(std::io::Error::other(format!("a handler panicked: {message}")))
}

/// The error of an answer that was not ready in time.
pub(crate) fn late() -> Error {
    let message = "the answer was not ready in time; whether it was carried out is not known: repeat it with the same Idempotency-Key";
    Error::new(ErrorKind::DeadlineExceeded, "DEADLINE_EXCEEDED", message)
}

/// The caller's key, for the log.
pub(crate) fn key_of(ctx: &Ctx) -> Option<String> {
    match &ctx.principal {
        Principal::Key { id, .. } => Some(id.to_string()),
        Principal::System | Principal::Anonymous => None,
    }
}

/// The id of a request: its own (`x-request-id`), the trace's (`traceparent`), or a new one.
#[must_use]
pub fn request_id(header: Option<&str>, traceparent: Option<&str>) -> Arc<str> {
    let fits = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    let hex =
        |id: &&str| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) && *id != "0".repeat(32);
    let trace = || traceparent.and_then(|text| text.split('-').nth(1)).filter(hex);
    match header.filter(fits).or_else(trace) {
        Some(id) => id.into(),
        None => Uuid::now_v7().to_string().into(),
    }
}

/// Refuses U+0000, which no store can hold.
pub fn plain<'a>(field: &str, text: &'a str) -> Result<&'a str> {
    if text.contains('\0') {
        return Err(Error::malformed(field, "has the character U+0000"));
    }
    Ok(text)
}

/// The entity tag of a version, without quotes.
#[must_use]
pub fn etag(version: u64) -> String {
    version.to_string()
}

/// The entity tag of a version with a count that changes without it.
#[must_use]
pub fn etag_with_count(version: u64, count: u64) -> String {
    format!("{version}.{count}")
}

/// Reads a list of entity tags, separated by commas; `*` and no tag accept any version. A malformed tag matches none.
#[must_use]
pub fn accepted_versions(tags: &str) -> IfVersion {
    match tags.trim() {
        "" | "*" => IfVersion::default(),
        tags => IfVersion::one_of(tags.split(',').filter_map(|tag| version_of(tag.trim()))),
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
    fn tags_name_versions_and_malformed_ones_match_none() {
        assert!(accepted_versions("").is_any() && accepted_versions(" * ").is_any());
        let seven = IfVersion::one_of([7]);
        for tag in [&etag(7), "\"7\"", &etag_with_count(7, 12), "\"7\", W/\"8\", seven"] {
            assert_eq!(accepted_versions(tag), seven, "{tag}");
        }
        assert_eq!(accepted_versions("\"7\" ,\"8.3\""), IfVersion::one_of([7, 8]));
        for bad in ["W/\"7\"", "\"7", "seven", "7.", "7.x", ".7", "-1", "+7", ",", "99999999999999999999"] {
            assert_eq!(accepted_versions(bad), IfVersion::one_of([]), "{bad}");
        }
    }

    #[test]
    fn a_request_keeps_its_id_or_gets_one() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(&*request_id(Some("mine"), Some(trace)), "mine");
        assert_eq!(&*request_id(Some("not mine"), Some(trace)), "4bf92f3577b34da6a3ce929d0e0e4736");
        for bad in ["", "a b", "a\nb", "é", &"x".repeat(129)] {
            assert!(Uuid::try_parse(&request_id(Some(bad), Some("00-zz-00-01"))).is_ok(), "{bad}");
        }
    }

    #[test]
    fn only_a_bearer_is_taken() {
        assert_eq!(bearer(Some("Bearer tsk_a_b")).unwrap(), "tsk_a_b");
        assert_eq!(bearer(Some("bearer  tsk_a_b")).unwrap(), "tsk_a_b");
        for bad in [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic dXNlcg=="), Some("tsk_a_b")]
        {
            assert!(bearer(bad).is_err(), "{bad:?}");
        }
    }
}
