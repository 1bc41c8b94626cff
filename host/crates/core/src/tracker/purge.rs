//! Deleted projects and users whose issues are still to be purged.

use crate::id::{FactId, ProjectId, TenantId, UserId};

/// A deleted project or user that issues may still refer to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Purge {
    /// A project: its issues are deleted.
    Project {
        /// The tenant.
        tenant: TenantId,
        /// The project.
        id: ProjectId,
        /// The fact of its deletion.
        cause: Option<FactId>,
    },
    /// A user: its issues become unassigned.
    User {
        /// The tenant.
        tenant: TenantId,
        /// The user.
        id: UserId,
        /// The fact of its deletion.
        cause: Option<FactId>,
    },
}
