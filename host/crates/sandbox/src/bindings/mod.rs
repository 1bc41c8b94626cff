//! What crosses the boundary, for each version of the contract: generated types, and their conversion at
//! one place for each version.
//!
//! A new version is a file beside `v0_1.rs`, a variant of [`Contract`], and an arm where that is matched.

pub(crate) mod v0_1;

use tessera_core::plugin::Hook;

/// The versions of the contract that are served, newest last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Contract {
    /// `tessera:plugin@0.1.x`
    V0_1,
}

impl Contract {
    /// All versions.
    pub(crate) const ALL: [Self; 1] = [Self::V0_1];

    /// The version as people name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1",
        }
    }

    /// The version of the interfaces in a component's names.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1.0",
        }
    }

    /// The interface of the contract with that name.
    pub(crate) fn interface(self, name: &str) -> String {
        format!("tessera:plugin/{name}@{}", self.version())
    }

    /// The interface by which a hook is called.
    pub(crate) fn hook(self, hook: Hook) -> String {
        self.interface(hook.name())
    }
}
