//! What crosses the boundary, for each version of the contract: generated types, and their conversion at
//! one place for each version.
//!
//! A new version is a file beside `v0_1.rs`, a variant of [`Contract`], and an arm where that is matched.

#[cfg(test)]
pub(crate) mod next;
pub(crate) mod v0_1;

use tessera_core::plugin::{Ask, Hook, Reply};
use wasmtime::component::{Instance, InstancePre, Linker};
use wasmtime::{Result, Store};

use crate::state::Guest;

/// The versions of the contract that are served, newest last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Contract {
    /// `tessera:plugin@0.1.x`
    V0_1,
    /// What the tests serve beside it.
    #[cfg(test)]
    Next,
}

impl Contract {
    /// All versions.
    #[cfg(not(test))]
    pub(crate) const ALL: [Self; 1] = [Self::V0_1];
    /// All versions.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 2] = [Self::V0_1, Self::Next];

    /// The version as people name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1",
            #[cfg(test)]
            Self::Next => "0.2",
        }
    }

    /// The version of the interfaces in a component's names.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1.0",
            #[cfg(test)]
            Self::Next => "0.2.0",
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

/// Why an answer cannot be taken: what in it breaks the contract.
pub(crate) struct Broken(pub(crate) String);

/// How a call of a guest ends: with a trap, with an answer, or with one that breaks the contract.
pub(crate) type Answer = Result<std::result::Result<Reply, Broken>>;

/// An interface whose functions are not of the contract's types, and how they should look.
pub(crate) type Misfit = (&'static str, &'static str);

/// A component's exports, found once for all calls, by the version that it was built for.
pub(crate) enum Exports {
    V0_1(v0_1::Exports),
    #[cfg(test)]
    Next(next::Exports),
}

/// Gives guests what all versions of the contract import.
pub(crate) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    #[cfg(test)]
    next::link(linker)?;
    v0_1::link(linker)
}

impl Exports {
    /// Finds a component's exports; an interface that is there must be whole.
    pub(crate) fn find(contract: Contract, pre: &InstancePre<Guest>) -> Result<Self> {
        Ok(match contract {
            Contract::V0_1 => Self::V0_1(v0_1::Exports::find(pre)?),
            #[cfg(test)]
            Contract::Next => Self::Next(next::Exports::find(pre)?),
        })
    }

    /// Refuses exports whose types are not the contract's.
    pub(crate) fn check(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
    ) -> std::result::Result<(), Misfit> {
        match self {
            Self::V0_1(exports) => exports.check(store, instance),
            #[cfg(test)]
            Self::Next(_) => Ok(()),
        }
    }

    /// Puts a question to an instance.
    pub(crate) async fn call(&self, store: &mut Store<Guest>, instance: &Instance, ask: Ask) -> Answer {
        match self {
            Self::V0_1(exports) => exports.call(store, instance, ask).await,
            #[cfg(test)]
            Self::Next(exports) => exports.call(store, instance, ask).await,
        }
    }
}
