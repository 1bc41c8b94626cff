//! Facts: records of what happened, stored with the change itself.

use std::borrow::Cow;

use crate::access::ObjectKind;
use crate::ctx::{Ctx, Principal, Transport};
use crate::filter::{Filter, Kind, Op, Operand, Spec, Term};
use crate::id::{EventId, FactId, ProjectId, TenantId, UserId};
use crate::time::Timestamp;
use crate::value::Change;

/// The number of a fact among all facts of the store, assigned after its commit.
pub type Seq = u64;

/// The type of a fact, such as `issue.created`.
pub type FactType = Cow<'static, str>;

/// The type of a fact about refused logins.
pub const LOGIN_REFUSED: &str = "login.refused";

/// An object at a version.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its id.
    pub id: String,
    /// The version after the fact.
    pub version: u64,
}

/// The party that caused a fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// `key`, `system` or `anonymous`.
    pub kind: Cow<'static, str>,
    /// The id of the key; empty for others.
    pub id: String,
    /// The user that the key is bound to.
    pub user: Option<UserId>,
}

/// A fact about a change, before it is numbered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewFact {
    /// Its id, which is also its id on the bus.
    pub id: FactId,
    /// Its type.
    pub fact_type: FactType,
    /// The object that changed.
    pub object: ObjectRef,
    /// The project that it belongs to.
    pub project: Option<ProjectId>,
    /// The event that it belongs to.
    pub event: Option<EventId>,
    /// The time, by the store's clock.
    pub at: Timestamp,
    /// The party that caused it.
    pub actor: Actor,
    /// The transport of the request.
    pub transport: Cow<'static, str>,
    /// The id of the request.
    pub request_id: String,
    /// The fact that caused it.
    pub cause: Option<FactId>,
    /// The release of the plugin that caused it, such as `support-sla@1.2.0`.
    pub release: Option<String>,
    /// The changed fields.
    pub changes: Vec<Change>,
}

/// A fact as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// Its number; `None` until it is numbered.
    pub seq: Option<Seq>,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its content.
    pub body: NewFact,
}

/// The part of a fact that each host reads: its number, type and object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Its number.
    pub seq: Seq,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its type.
    pub fact_type: FactType,
    /// The object, with its version after the fact.
    pub object: ObjectRef,
}

impl Mark {
    /// Returns whether the fact may end the access of a caller of its tenant.
    #[must_use]
    pub fn may_end_access_of(&self, caller: &Principal) -> bool {
        match (&*self.fact_type, caller) {
            ("tenant.suspended", _) => true,
            ("key.revoked", Principal::Key { id, .. }) => self.object.id == id.as_str(),
            ("user.deactivated" | "user.deleted", Principal::Key { user: Some(user), .. }) => {
                self.object.id == user.to_string()
            }
            _ => false,
        }
    }

    /// Returns the mark of a numbered fact.
    #[must_use]
    pub fn of(fact: &Fact) -> Option<Self> {
        let body = &fact.body;
        let (fact_type, object) = (body.fact_type.clone(), body.object.clone());
        Some(Self { seq: fact.seq?, tenant: fact.tenant, fact_type, object })
    }
}

impl Actor {
    /// Converts a principal.
    #[must_use]
    pub fn of(principal: &Principal) -> Self {
        let (id, user) = match principal {
            Principal::Key { id, user, .. } => (id.to_string(), *user),
            Principal::System | Principal::Anonymous => (String::new(), None),
        };
        Self { kind: principal.kind().into(), id, user }
    }
}

impl NewFact {
    /// Creates a fact about an object, caused by a request.
    #[must_use]
    pub fn new(ctx: &Ctx, fact_type: impl Into<FactType>, object: ObjectRef, changes: Vec<Change>) -> Self {
        Self {
            id: FactId::generate(),
            fact_type: fact_type.into(),
            object,
            project: None,
            event: None,
            at: ctx.now,
            actor: Actor::of(&ctx.principal),
            transport: Cow::Borrowed(ctx.transport.name()),
            request_id: ctx.request_id.to_string(),
            cause: None,
            release: None,
            changes,
        }
    }

    /// Sets the project.
    #[must_use]
    pub fn in_project(mut self, project: ProjectId) -> Self {
        self.project = Some(project);
        self
    }

    /// Sets the event.
    #[must_use]
    pub fn in_event(mut self, event: EventId) -> Self {
        self.event = Some(event);
        self
    }

    /// Sets the fact that caused this one.
    #[must_use]
    pub fn caused_by(mut self, cause: FactId) -> Self {
        self.cause = Some(cause);
        self.transport = Cow::Borrowed(Transport::Internal.name());
        self
    }
}

/// The filters and orders of streams of facts and of the audit log.
pub const SPEC: Spec = Spec {
    fields: &[
        ("type", Kind::Text),
        ("kind", Kind::Text),
        ("object", Kind::Text),
        ("project", Kind::Id),
        ("event", Kind::Id),
        ("actor", Kind::Text),
        ("user", Kind::User),
        ("transport", Kind::Text),
        ("created", Kind::Time),
    ],
    orders: &["seq"],
};

/// The size that a fact counts in addition to its values.
const REST_SIZE: usize = 512;

/// The largest page of the audit log.
pub const MAX_PAGE: u32 = 200;

impl Fact {
    /// Returns its size in bytes that counts towards limits: that of its values, and an allowance for the rest.
    #[must_use]
    pub fn size(&self) -> usize {
        let change = |change: &Change| change.field.len() + change.before.size() + change.after.size();
        REST_SIZE + self.body.changes.iter().map(change).sum::<usize>()
    }

    /// Returns whether a filter over [`SPEC`] accepts it.
    #[must_use]
    pub fn matches(&self, filter: &Filter) -> bool {
        filter.terms.iter().all(|term| self.satisfies(term) != term.negated)
    }

    fn satisfies(&self, term: &Term) -> bool {
        let body = &self.body;
        let text = |actual: &str| {
            term.values.iter().any(|value| matches!(value, Operand::Text(text) if text == actual))
        };
        let id = |actual: Option<uuid::Uuid>| {
            term.values.iter().any(|value| match value {
                Operand::Id(id) => actual == Some(*id),
                Operand::None => actual.is_none(),
                Operand::Text(_) | Operand::Time(_) | Operand::Boolean(_) => false,
            })
        };
        match term.field {
            "type" => term.values.iter().any(
                |value| matches!(value, Operand::Text(pattern) if type_matches(pattern, &body.fact_type)),
            ),
            "kind" => text(body.object.kind.name()),
            "object" => text(&body.object.id),
            "project" => id(body.project.map(|project| project.0)),
            "event" => id(body.event.map(|event| event.0)),
            "actor" => text(&body.actor.id),
            "user" => id(body.actor.user.map(|user| user.0)),
            "transport" => text(&body.transport),
            "created" => term.values.iter().any(|value| match (value, term.op) {
                (Operand::Time(at), Op::OneOf) => body.at == *at,
                (Operand::Time(at), Op::Greater) => body.at > *at,
                (Operand::Time(at), Op::GreaterOrEqual) => body.at >= *at,
                (Operand::Time(at), Op::Less) => body.at < *at,
                (Operand::Time(at), Op::LessOrEqual) => body.at <= *at,
                _ => false,
            }),
            _ => false,
        }
    }
}

/// Returns whether a type matches a pattern, in which a final `*` stands for any text.
#[must_use]
pub fn type_matches(pattern: &str, fact_type: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(head) => fact_type.starts_with(head),
        None => pattern == fact_type,
    }
}
