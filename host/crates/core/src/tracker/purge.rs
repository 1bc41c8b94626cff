//! Deleted projects and users whose issues are still to be purged.

use crate::id::{FactId, ProjectId, TenantId, UserId};

/// Something deleted, on which issues may still hang.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Purge {
    /// A project: its issues go.
    Project {
        /// Whose it was.
        tenant: TenantId,
        /// The project.
        id: ProjectId,
        /// The fact that it was deleted.
        cause: Option<FactId>,
    },
    /// A user: its issues become unassigned.
    User {
        /// Whose it was.
        tenant: TenantId,
        /// The user.
        id: UserId,
        /// The fact that it was deleted.
        cause: Option<FactId>,
    },
}
