//! The model of links between issues.

use crate::error::{Error, Result};
use crate::id::IssueId;
use crate::time::Timestamp;
use crate::value::{Change, Value};

/// The relation of an issue to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Relation {
    /// It blocks the other.
    Blocks,
    /// The other blocks it.
    BlockedBy,
    /// It duplicates the other.
    Duplicates,
    /// The other duplicates it.
    DuplicatedBy,
    /// They are related.
    Relates,
    /// The other is its parent.
    Parent,
    /// The other is its child.
    Child,
}

/// A link: `issue` has the `relation` to `other`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// The issue.
    pub issue: IssueId,
    /// Its relation to the other.
    pub relation: Relation,
    /// The other issue.
    pub other: IssueId,
    /// The time of its creation.
    pub created_at: Timestamp,
}

/// The most links of one issue.
pub const MAX_LINKS: usize = 200;

/// The most ancestors of one issue: its parent, the parent's parent, and so on.
pub const MAX_ANCESTORS: usize = 32;

impl Relation {
    /// All relations.
    pub const ALL: [Self; 7] = [
        Self::Blocks,
        Self::BlockedBy,
        Self::Duplicates,
        Self::DuplicatedBy,
        Self::Relates,
        Self::Parent,
        Self::Child,
    ];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::BlockedBy => "blocked_by",
            Self::Duplicates => "duplicates",
            Self::DuplicatedBy => "duplicated_by",
            Self::Relates => "relates",
            Self::Parent => "parent",
            Self::Child => "child",
        }
    }

    /// Returns the relation of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|relation| relation.name() == name)
    }

    /// Returns the relation from the other side.
    #[must_use]
    pub const fn inverse(self) -> Self {
        match self {
            Self::Blocks => Self::BlockedBy,
            Self::BlockedBy => Self::Blocks,
            Self::Duplicates => Self::DuplicatedBy,
            Self::DuplicatedBy => Self::Duplicates,
            Self::Relates => Self::Relates,
            Self::Parent => Self::Child,
            Self::Child => Self::Parent,
        }
    }
}

impl Link {
    /// Returns a new link between two issues.
    pub fn new(issue: IssueId, relation: Relation, other: IssueId, now: Timestamp) -> Result<Self> {
        if issue == other {
            return Err(Error::invalid("other_id", "must be another issue"));
        }
        Ok(Self { issue, relation, other, created_at: now })
    }

    /// Returns the change that adds or removes it, as a change of the issue.
    #[must_use]
    pub fn change(&self, added: bool) -> Vec<Change> {
        let value = Value::Text(self.other.to_string());
        let (before, after) = if added { (Value::None, value) } else { (value, Value::None) };
        vec![Change { field: format!("links.{}", self.relation.name()), before, after }]
    }

    /// Returns the same link from the side of the other issue.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self { issue: self.other, relation: self.relation.inverse(), other: self.issue, ..self.clone() }
    }

    /// Returns the direction in which a link is stored.
    #[must_use]
    pub fn stored(&self) -> Self {
        let reversed = match self.relation {
            Relation::BlockedBy | Relation::DuplicatedBy | Relation::Child => true,
            Relation::Relates => self.issue > self.other,
            Relation::Blocks | Relation::Duplicates | Relation::Parent => false,
        };
        if reversed { self.inverse() } else { self.clone() }
    }
}
