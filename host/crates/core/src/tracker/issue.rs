//! The model of issues. The rules of changes are in `rules`.

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
    /// Its kind: `issue`.
    pub kind: String,
    /// A summary of one line.
    pub summary: String,
    /// The description.
    pub description: Option<String>,
    /// Its state in the state machine.
    pub status: String,
    /// Its resolution; only in a done state.
    pub resolution: Option<String>,
    /// Its type.
    pub issue_type: String,
    /// Its priority.
    pub priority: String,
    /// Its assignee.
    pub assignee: Option<UserId>,
    /// The user of the API key that created it, if any.
    pub reporter: Option<UserId>,
    /// Its parent.
    pub parent: Option<IssueId>,
    /// Its labels.
    pub labels: BTreeSet<String>,
    /// The fields that the project's scheme defines.
    pub fields: BTreeMap<String, Value>,
    /// The time of its creation.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub modified_at: Timestamp,
    /// Its version, which changes of its comments, links and watchers increment too.
    pub version: u64,
}

/// The kind of an ordinary issue.
pub const KIND: &str = "issue";

/// The filters and orders of lists of issues.
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
    /// Returns the reference of this version for facts.
    #[must_use]
    pub fn object(&self) -> ObjectRef {
        ObjectRef { kind: ObjectKind::Issue, id: self.id.to_string(), version: self.version }
    }

    /// Returns the next version with the same fields.
    #[must_use]
    pub fn touched(&self, ctx: &Ctx) -> Self {
        Self { version: self.version + 1, modified_at: ctx.now, ..self.clone() }
    }

    /// Returns the fact of the change from `before` to `after`.
    #[must_use]
    pub fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Self>, after: &Self) -> NewFact {
        after.fact_of(ctx, fact_type, diff(before, Some(after)))
    }

    /// Returns a fact about this version.
    #[must_use]
    pub fn fact_of(&self, ctx: &Ctx, fact_type: &'static str, changes: Vec<Change>) -> NewFact {
        NewFact::new(ctx, fact_type, self.object(), changes).in_project(self.project)
    }

    /// Returns the fact of its deletion.
    #[must_use]
    pub fn deleted(&self, ctx: &Ctx) -> NewFact {
        let object = ObjectRef { version: self.version + 1, ..self.object() };
        NewFact::new(ctx, "issue.deleted", object, diff(Some(self), None)).in_project(self.project)
    }
}
