//! The context of a request: tenant, principal, request id, time and deadline.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::access::{ObjectKind, Operation, Role};
use crate::error::{Error, Result};
use crate::id::{KeyId, TenantId, UserId};
use crate::idempotency::IdempotencyKey;
use crate::time::Timestamp;

/// The party that acts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Principal {
    /// A client with an API key.
    Key {
        /// The key.
        id: KeyId,
        /// The user that the key is bound to.
        user: Option<UserId>,
        /// The roles of the key.
        roles: Arc<[Role]>,
    },
    /// The host itself, for seeding and background work.
    System,
    /// An unauthenticated caller.
    Anonymous,
}

/// The transport of a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// HTTP with JSON.
    Rest,
    /// gRPC.
    Grpc,
    /// None: the host itself.
    Internal,
}

impl Transport {
    /// Returns its name in facts and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Grpc => "grpc",
            Self::Internal => "internal",
        }
    }
}

/// The versions that a caller accepts (`If-Match`, `etag`). The default accepts any version.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct IfVersion(Option<Arc<[u64]>>);

impl IfVersion {
    /// Accepts one of these versions. An empty list accepts none.
    #[must_use]
    pub fn one_of(versions: impl IntoIterator<Item = u64>) -> Self {
        Self(Some(versions.into_iter().collect()))
    }

    /// Returns whether any version is accepted.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0.is_none()
    }

    /// Refuses a change of a version that the caller does not accept.
    pub fn check(&self, present: u64) -> Result<()> {
        match &self.0 {
            Some(accepted) if !accepted.contains(&present) => Err(Error::version_mismatch()),
            Some(_) | None => Ok(()),
        }
    }
}

/// The context of one request.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// The tenant of the request.
    pub tenant: TenantId,
    /// The caller.
    pub principal: Principal,
    /// The id of the request in logs, facts and errors.
    pub request_id: Arc<str>,
    /// The time of the store's clock at the begin of the request.
    pub now: Timestamp,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// The transport.
    pub transport: Transport,
    /// The client's address, as callers without a key share limits by it; `None`: the host itself.
    pub address: Option<IpAddr>,
    /// The idempotency key, if the request has one.
    pub idempotency: Option<IdempotencyKey>,
    /// The versions that the caller accepts.
    pub if_version: IfVersion,
    replayed: Arc<AtomicBool>,
}

impl Ctx {
    /// Creates a context without idempotency key and version.
    #[must_use]
    pub fn new(
        tenant: TenantId,
        principal: Principal,
        request_id: Arc<str>,
        (now, deadline): (Timestamp, Instant),
        transport: Transport,
    ) -> Self {
        let replayed = Arc::default();
        Self {
            tenant,
            principal,
            request_id,
            now,
            deadline,
            transport,
            address: None,
            idempotency: None,
            if_version: IfVersion::default(),
            replayed,
        }
    }

    /// Limits a change to the accepted versions. An unlimited argument leaves the context as it is.
    #[must_use]
    pub fn if_version(mut self, accepted: IfVersion) -> Self {
        if !accepted.is_any() {
            self.if_version = accepted;
        }
        self
    }

    /// Refuses a change of a version that the caller does not accept.
    pub fn check_version(&self, present: u64) -> Result<()> {
        self.if_version.check(present)
    }

    /// Refuses an operation that the principal may not carry out. Objects that it may not see are not found.
    pub fn allow(&self, operation: Operation) -> Result<()> {
        if self.allows(operation) {
            return Ok(());
        }
        let Principal::Key { roles, .. } = &self.principal else {
            return Err(Error::unauthenticated("an API key is required"));
        };
        Err(match operation.hidden_from(roles) {
            Some(kind) => Error::not_found(kind.name()),
            None => Error::denied(format!("none of the key's roles may do {}", operation.name())),
        })
    }

    /// Returns whether the principal may carry out an operation.
    #[must_use]
    pub fn allows(&self, operation: Operation) -> bool {
        match &self.principal {
            Principal::System => true,
            Principal::Key { roles, .. } => operation.is_open_to(roles),
            Principal::Anonymous => operation.is_public(),
        }
    }

    /// Returns whether the principal may read facts about objects of a kind.
    #[must_use]
    pub fn may_read_facts_of(&self, kind: ObjectKind) -> bool {
        match &self.principal {
            Principal::System => true,
            Principal::Key { roles, .. } => kind.has_facts_visible_to(roles),
            Principal::Anonymous => false,
        }
    }

    /// Returns whether the principal has a role.
    #[must_use]
    pub fn has_role(&self, role: Role) -> bool {
        match &self.principal {
            Principal::System => true,
            Principal::Key { roles, .. } => roles.contains(&role),
            Principal::Anonymous => false,
        }
    }

    /// Returns whether the caller is authenticated, and not the public.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        !matches!(self.principal, Principal::Anonymous)
    }

    /// Returns the user that the principal is bound to.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        match self.principal {
            Principal::Key { user, .. } => user,
            Principal::System | Principal::Anonymous => None,
        }
    }

    /// Returns the user that `me` in `field` stands for.
    pub fn me(&self, field: &str) -> Result<UserId> {
        self.user().ok_or_else(|| {
            Error::invalid(field, "says \"me\", but this key is not bound to a user; name the user's id")
        })
    }

    /// Marks the answer as a replay.
    pub fn note_replay(&self) {
        self.replayed.store(true, Ordering::Relaxed);
    }

    /// Returns whether the answer is a replay.
    #[must_use]
    pub fn was_replayed(&self) -> bool {
        self.replayed.load(Ordering::Relaxed)
    }

    /// Returns whether the deadline has passed.
    #[must_use]
    pub fn deadline_passed(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

impl Principal {
    /// Returns its kind in facts and logs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Key { .. } => "key",
            Self::System => "system",
            Self::Anonymous => "anonymous",
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { id, .. } => write!(f, "key:{id}"),
            Self::System | Self::Anonymous => f.write_str(self.kind()),
        }
    }
}
