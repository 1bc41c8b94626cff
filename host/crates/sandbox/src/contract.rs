//! Versions of the plugin contract, and how the call of a guest ends in each of them.

use tessera_core::plugin::{Hook, Reply};

/// The versions of the contract that are served, newest last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Contract {
    /// `tessera:plugin@1.0.0`
    V1_0,
    /// A version that only tests serve.
    #[cfg(test)]
    Next,
}

impl Contract {
    /// All versions.
    #[cfg(not(test))]
    pub(crate) const ALL: [Self; 1] = [Self::V1_0];
    /// All versions.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 2] = [Self::V1_0, Self::Next];

    /// Returns the version's short name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            #[cfg(test)]
            Self::Next => "2.0",
        }
    }

    /// Returns the version in the names of a component's interfaces.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0.0",
            #[cfg(test)]
            Self::Next => "2.0.0",
        }
    }

    /// Returns the full name of an interface of the contract.
    pub(crate) fn interface(self, name: &str) -> String {
        format!("tessera:plugin/{name}@{}", self.version())
    }

    /// Returns the full name of the interface by which a hook is called.
    pub(crate) fn hook(self, hook: Hook) -> String {
        self.interface(hook.name())
    }
}

/// An answer that breaks the contract, with what in it does.
pub(crate) struct InvalidReply(pub(crate) String);

/// How a guest's call ends: with a trap, with a reply, or with one that breaks the contract.
pub(crate) type GuestResult = wasmtime::Result<Result<Reply, InvalidReply>>;

/// An exported interface whose functions are not of the contract's types.
pub(crate) struct TypeMismatch {
    pub(crate) interface: &'static str,
    /// The functions as the contract has them.
    pub(crate) expected: &'static str,
}
