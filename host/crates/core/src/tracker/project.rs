//! The model of projects.

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
    /// Its description.
    pub description: String,
    /// Its own scheme; `None`: the built-in one.
    pub scheme: Option<Arc<Scheme>>,
    /// The tenant's generation of installations that last changed the state machine of its issues.
    pub machines: u64,
    /// The number of its issues, counted when it is read and not written.
    pub issue_count: u64,
    /// The time of its creation.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// Its version.
    pub version: u64,
}

/// The filters and orders of lists of projects.
pub const SPEC: Spec = Spec {
    fields: &[("name", Kind::Text), ("created", Kind::Time), ("modified", Kind::Time)],
    orders: &["created", "modified", "name"],
};

/// The largest page of projects.
pub const MAX_PAGE: u32 = 1_000;

impl Project {
    /// Returns its own scheme, or the built-in one.
    #[must_use]
    pub fn scheme(&self) -> Arc<Scheme> {
        self.scheme.clone().unwrap_or_else(|| Arc::new(Scheme::built_in()))
    }

    /// Checks the fields that clients write.
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
