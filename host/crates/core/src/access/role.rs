//! The roles of principals.

use crate::error::{Error, Result};

/// A set of rights that a principal has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Manages tenants.
    Operator,
    /// Has every right within its tenant.
    Admin,
    /// Works on issues and tickets.
    Agent,
    /// Checks tickets at the door.
    Gate,
    /// Reads only.
    Viewer,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [Self::Operator, Self::Admin, Self::Agent, Self::Gate, Self::Viewer];

    /// Returns its stable name.
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

    /// Reads a role that a client sent in `field`.
    pub fn parse(field: &str, name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
            Error::invalid(field, "is not a role; operator, admin, agent, gate or viewer is expected")
        })
    }
}
