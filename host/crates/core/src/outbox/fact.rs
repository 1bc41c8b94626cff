//! What a fact is.

use std::borrow::Cow;

use crate::access::ObjectKind;
use crate::ctx::{Ctx, Principal, Transport};
use crate::filter::{Filter, Kind, Op, Operand, Spec, Term};
use crate::id::{EventId, FactId, ProjectId, TenantId, UserId};
use crate::time::Timestamp;
use crate::value::Change;

/// The place of a fact among all facts of the store, given after it has committed.
pub type Seq = u64;

/// What sort of thing happened: `issue.created`.
pub type FactType = Cow<'static, str>;

/// An object at a version.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its id.
    pub id: String,
    /// The version that the fact made.
    pub version: u64,
}

/// Who brought a fact about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// `key`, `system` or `anonymous`.
    pub kind: Cow<'static, str>,
    /// The key's id; empty for the others.
    pub id: String,
    /// The user whom the key stands for.
    pub user: Option<UserId>,
}

/// A fact that a changeset makes true.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewFact {
    /// Its id, which is also its id on the bus.
    pub id: FactId,
    /// What happened.
    pub fact_type: FactType,
    /// To what.
    pub object: ObjectRef,
    /// The project in which it happened.
    pub project: Option<ProjectId>,
    /// The event for which it happened.
    pub event: Option<EventId>,
    /// When, by the store's clock.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// By what way.
    pub transport: Cow<'static, str>,
    /// In which request.
    pub request_id: String,
    /// The fact that led to it.
    pub cause: Option<FactId>,
    /// The plugin's release whose effect it is: `support-sla@1.2.0`.
    pub release: Option<String>,
    /// What became of which field.
    pub changes: Vec<Change>,
}

/// A fact as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// Its place; none until it has been numbered.
    pub seq: Option<Seq>,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it says.
    pub what: NewFact,
}

/// What a host must know of each fact: where it stands, and what it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Its place.
    pub seq: Seq,
    /// Whose it is.
    pub tenant: TenantId,
    /// What happened.
    pub fact_type: FactType,
    /// To which object, which has this version since.
    pub object: ObjectRef,
}

impl Mark {
    /// The mark of a fact that is numbered.
    #[must_use]
    pub fn of(fact: &Fact) -> Option<Self> {
        let what = &fact.what;
        let (fact_type, object) = (what.fact_type.clone(), what.object.clone());
        Some(Self { seq: fact.seq?, tenant: fact.tenant, fact_type, object })
    }
}

impl Actor {
    /// The principal as an actor.
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
    /// A fact about an object, brought about by this request.
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

    /// The same fact, in a project.
    #[must_use]
    pub fn in_project(mut self, project: ProjectId) -> Self {
        self.project = Some(project);
        self
    }

    /// The same fact, for an event.
    #[must_use]
    pub fn in_event(mut self, event: EventId) -> Self {
        self.event = Some(event);
        self
    }

    /// The same fact, brought about by another.
    #[must_use]
    pub fn caused_by(mut self, cause: FactId) -> Self {
        self.cause = Some(cause);
        self.transport = Cow::Borrowed(Transport::Internal.name());
        self
    }
}

/// What can be asked of facts, in streams and in the audit log.
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

/// The largest page of the audit log.
pub const MAX_PAGE: u32 = 200;

impl Fact {
    /// Whether every term of a filter over [`SPEC`] holds for it.
    #[must_use]
    pub fn matches(&self, filter: &Filter) -> bool {
        filter.terms.iter().all(|term| self.satisfies(term) != term.negated)
    }

    fn satisfies(&self, term: &Term) -> bool {
        let what = &self.what;
        let text =
            |held: &str| term.values.iter().any(|value| matches!(value, Operand::Text(text) if text == held));
        let id = |held: Option<uuid::Uuid>| {
            term.values.iter().any(|value| match value {
                Operand::Id(id) => held == Some(*id),
                Operand::None => held.is_none(),
                Operand::Text(_) | Operand::Time(_) | Operand::Boolean(_) => false,
            })
        };
        match term.field {
            "type" => term
                .values
                .iter()
                .any(|value| matches!(value, Operand::Text(asked) if type_matches(asked, &what.fact_type))),
            "kind" => text(what.object.kind.name()),
            "object" => text(&what.object.id),
            "project" => id(what.project.map(|project| project.0)),
            "event" => id(what.event.map(|event| event.0)),
            "actor" => text(&what.actor.id),
            "user" => id(what.actor.user.map(|user| user.0)),
            "transport" => text(&what.transport),
            "created" => term.values.iter().any(|value| match (value, term.op) {
                (Operand::Time(at), Op::OneOf) => what.at == *at,
                (Operand::Time(at), Op::Greater) => what.at > *at,
                (Operand::Time(at), Op::GreaterOrEqual) => what.at >= *at,
                (Operand::Time(at), Op::Less) => what.at < *at,
                (Operand::Time(at), Op::LessOrEqual) => what.at <= *at,
                _ => false,
            }),
            _ => false,
        }
    }
}

/// Whether a fact's type is the one asked for; `issue.*` stands for all that begin so.
#[must_use]
pub fn type_matches(asked: &str, held: &str) -> bool {
    match asked.strip_suffix('*') {
        Some(head) => held.starts_with(head),
        None => asked == held,
    }
}
