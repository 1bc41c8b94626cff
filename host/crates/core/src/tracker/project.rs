//! Projects: where issues live.

use std::sync::Arc;

use crate::filter::{Kind, Spec};
use crate::id::ProjectId;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::tracker::Scheme;
use crate::value::{Field, Snapshot};

/// A project.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Its own scheme; none: the built-in one.
    pub scheme: Option<Arc<Scheme>>,
    /// The tenant's generation of installations that last changed the machine of its issues.
    pub machines: u64,
    /// How many issues it has: counted when it was read, no part of what is written.
    pub issue_count: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub version: u64,
}

/// What projects can be listed by.
pub const SPEC: Spec = Spec {
    fields: &[("name", Kind::Text), ("created", Kind::Time), ("modified", Kind::Time)],
    orders: &["created", "modified", "name"],
};

/// The largest page of projects.
pub const MAX_PAGE: u32 = 1_000;

impl Project {
    /// The scheme that its issues follow.
    #[must_use]
    pub fn scheme(&self) -> Arc<Scheme> {
        self.scheme.clone().unwrap_or_else(|| Arc::new(Scheme::built_in()))
    }

    /// Checks what clients may write.
    pub fn check(&self) -> crate::Result<()> {
        let mut faults = Faults::default();
        faults.text("name", &self.name, 1, 100);
        if !self.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-')) {
            faults.add("name", "may have ASCII letters, digits, spaces, _ and - only");
        }
        faults.text("description", &self.description, 0, 1_000);
        faults.into_result()
    }
}

impl Snapshot for Project {
    fn snapshot(&self) -> Vec<Field> {
        vec![
            Field::new("name", self.name.as_str()),
            Field::new("description", self.description.as_str()),
            Field::new("custom_scheme", self.scheme.is_some()),
        ]
    }
}
