//! Who asks, for which tenant, when and until when: one argument through every call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::access::Operation;
use crate::error::{Error, Result};
use crate::id::{KeyId, TenantId, UserId};
use crate::idempotency::IdempotencyKey;
use crate::time::Timestamp;

/// What a principal may do, roughly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Runs the host: tenants.
    Operator,
    /// May do everything in its tenant.
    Admin,
    /// Works on issues and tickets.
    Agent,
    /// Checks tickets at the door.
    Gate,
    /// Only looks.
    Viewer,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [Self::Operator, Self::Admin, Self::Agent, Self::Gate, Self::Viewer];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Agent => "agent",
            Self::Gate => "gate",
            Self::Viewer => "viewer",
        }
    }

    /// The role with that name.
    pub fn parse(field: &str, name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
            Error::invalid(field, "is not a role; operator, admin, agent, gate or viewer is expected")
        })
    }
}

/// Who acts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Principal {
    /// A client with an API key.
    Key {
        /// The key.
        id: KeyId,
        /// The user that it is bound to.
        user: Option<UserId>,
        /// What it may do.
        roles: Arc<[Role]>,
    },
    /// Tessera itself: seeding, sweeps, purges.
    System,
    /// Somebody whom nobody knows, as in a refused login.
    Anonymous,
}

/// By what way a command came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// HTTP and JSON.
    Rest,
    /// gRPC.
    Grpc,
    /// Tessera itself.
    Internal,
}

impl Transport {
    /// Its name in facts and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Grpc => "grpc",
            Self::Internal => "internal",
        }
    }
}

/// The context of one request.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// The tenant in which everything of this request happens.
    pub tenant: TenantId,
    /// Who asks.
    pub principal: Principal,
    /// Names the request in logs, facts and errors.
    pub request_id: Arc<str>,
    /// The store's clock when the request began.
    pub now: Timestamp,
    /// After this nobody waits for the answer any more.
    pub deadline: Instant,
    /// By what way it came.
    pub transport: Transport,
    /// Makes a repeat of the command return the first answer.
    pub idempotency: Option<IdempotencyKey>,
    /// The version that the caller changes, if it named one (`If-Match`, `etag`).
    pub if_version: Option<u64>,
    replayed: Arc<AtomicBool>,
}

impl Ctx {
    /// A context with neither idempotency key nor version.
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
            idempotency: None,
            if_version: None,
            replayed,
        }
    }

    /// The same context with the version that the caller named.
    #[must_use]
    pub fn if_version(mut self, version: Option<u64>) -> Self {
        self.if_version = version.or(self.if_version);
        self
    }

    /// Refuses a change when the caller named a version other than the present one.
    pub fn check_version(&self, present: u64) -> Result<()> {
        match self.if_version {
            Some(asked) if asked != present => Err(Error::version_mismatch()),
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses what the principal may not do, as if hidden objects did not exist.
    pub fn allow(&self, operation: Operation) -> Result<()> {
        let roles = match &self.principal {
            Principal::System => return Ok(()),
            Principal::Key { roles, .. } => &**roles,
            Principal::Anonymous if operation.is_public() => return Ok(()),
            Principal::Anonymous => return Err(Error::unauthenticated("a key is needed for this")),
        };
        if operation.is_open_to(roles) {
            return Ok(());
        }
        Err(match operation.hidden_from(roles) {
            Some(kind) => Error::not_found(kind.name()),
            None => Error::denied(format!("none of the key's roles may do {}", operation.name())),
        })
    }

    /// Whether the principal has a role.
    #[must_use]
    pub fn has_role(&self, role: Role) -> bool {
        match &self.principal {
            Principal::System => true,
            Principal::Key { roles, .. } => roles.contains(&role),
            Principal::Anonymous => false,
        }
    }

    /// Whether somebody of the tenant asks, and not the public.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !matches!(self.principal, Principal::Anonymous)
    }

    /// The user that the principal is, where it is one.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        match self.principal {
            Principal::Key { user, .. } => user,
            Principal::System | Principal::Anonymous => None,
        }
    }

    /// The user that `me` stands for.
    pub fn me(&self, field: &str) -> Result<UserId> {
        self.user().ok_or_else(|| {
            Error::invalid(field, "says \"me\", but this key is not bound to a user; name the user's id")
        })
    }

    /// Notes that the answer was given before.
    pub fn note_replay(&self) {
        self.replayed.store(true, Ordering::Relaxed);
    }

    /// Whether the answer was given before.
    #[must_use]
    pub fn was_replayed(&self) -> bool {
        self.replayed.load(Ordering::Relaxed)
    }

    /// Whether nobody waits for the answer any more.
    #[must_use]
    pub fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

impl Principal {
    /// What sort of principal it is, for facts and logs.
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
