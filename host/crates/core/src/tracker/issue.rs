//! Issues: what they are. What may become of them is in `rules`.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::ObjectKind;
use crate::ctx::Ctx;
use crate::filter::{Kind, Spec};
use crate::id::{IssueId, ProjectId, UserId};
use crate::outbox::{NewFact, ObjectRef};
use crate::time::Timestamp;
use crate::value::{Change, Field, Snapshot, Value, diff};

/// An issue.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Issue {
    /// Its id.
    pub id: IssueId,
    /// Its project.
    pub project: ProjectId,
    /// `issue`, or another kind that shares its life.
    pub kind: String,
    /// What it is about, in a line.
    pub summary: String,
    /// What it is about.
    pub description: Option<String>,
    /// Its state in the machine.
    pub status: String,
    /// How it ended; only in a state where work is over.
    pub resolution: Option<String>,
    /// What sort of work it is.
    pub issue_type: String,
    /// How urgent it is.
    pub priority: String,
    /// Who works on it.
    pub assignee: Option<UserId>,
    /// Who reported it, where the key stood for a user.
    pub reporter: Option<UserId>,
    /// The issue that it is a part of.
    pub parent: Option<IssueId>,
    /// Its labels.
    pub labels: BTreeSet<String>,
    /// Fields of the project's own.
    pub fields: BTreeMap<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
    /// Counts its changes, those of its comments, links and watchers included.
    pub version: u64,
}

/// The kind of an ordinary issue.
pub const KIND: &str = "issue";

/// What issues can be listed by.
pub const SPEC: Spec = Spec {
    fields: &[
        ("status", Kind::Text),
        ("type", Kind::Text),
        ("priority", Kind::Text),
        ("resolution", Kind::OptionalText),
        ("project", Kind::Id),
        ("assignee", Kind::User),
        ("reporter", Kind::User),
        ("watcher", Kind::User),
        ("parent", Kind::Id),
        ("label", Kind::OptionalText),
        ("kind", Kind::Text),
        ("created", Kind::Time),
        ("modified", Kind::Time),
        ("field", Kind::Named),
    ],
    orders: &["created", "modified", "summary"],
};

/// The largest page of issues.
pub const MAX_PAGE: u32 = 1_000;

impl Snapshot for Issue {
    fn snapshot(&self) -> Vec<Field> {
        let mut fields = vec![
            Field::new("project_id", self.project.to_string().as_str()),
            Field::new("kind", self.kind.as_str()),
            Field::new("summary", self.summary.as_str()),
            Field::new("description", self.description.as_ref()),
            Field::new("status", self.status.as_str()),
            Field::new("resolution", self.resolution.as_ref()),
            Field::new("type", self.issue_type.as_str()),
            Field::new("priority", self.priority.as_str()),
            Field::new("assignee_id", self.assignee),
            Field::new("reporter_id", self.reporter),
            Field::new("parent_id", self.parent),
        ];
        if !self.labels.is_empty() {
            fields.push(Field::new("labels", Value::Texts(self.labels.iter().cloned().collect())));
        }
        let own = self.fields.iter().map(|(name, value)| Field::new(format!("fields.{name}"), value.clone()));
        fields.extend(own);
        fields
    }
}

impl Issue {
    /// The issue as facts name it.
    #[must_use]
    pub fn object(&self) -> ObjectRef {
        ObjectRef { kind: ObjectKind::Issue, id: self.id.to_string(), version: self.version }
    }

    /// The next version of an issue, of which something else than its own fields changes.
    #[must_use]
    pub fn touched(&self, ctx: &Ctx) -> Self {
        Self { version: self.version + 1, modified_at: ctx.now, ..self.clone() }
    }

    /// The fact that made `after` out of `before`.
    #[must_use]
    pub fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Self>, after: &Self) -> NewFact {
        after.fact_of(ctx, fact_type, diff(before, Some(after)))
    }

    /// A fact about this version.
    #[must_use]
    pub fn fact_of(&self, ctx: &Ctx, fact_type: &'static str, changes: Vec<Change>) -> NewFact {
        NewFact::new(ctx, fact_type, self.object(), changes).in_project(self.project)
    }

    /// The fact that the issue is gone.
    #[must_use]
    pub fn deleted(&self, ctx: &Ctx) -> NewFact {
        let object = ObjectRef { version: self.version + 1, ..self.object() };
        NewFact::new(ctx, "issue.deleted", object, diff(Some(self), None)).in_project(self.project)
    }
}
