//! The boundary to guests, for each version of the contract: generated types and their conversion.
//!
//! A new version is a module beside `v1_0`, a variant of [`Contract`], and an arm where that is matched.

#[cfg(test)]
pub(crate) mod next;
pub(crate) mod v1_0;

use tessera_core::plugin::PluginRequest;
use wasmtime::component::{Instance, InstancePre, Linker};
use wasmtime::{Result, Store};

use crate::call_state::CallState;
use crate::contract::{Contract, GuestResult, TypeMismatch};

/// A component's exports, looked up once for all calls.
pub(crate) enum Exports {
    V1_0(v1_0::Exports),
    #[cfg(test)]
    Next(next::Exports),
}

/// Links the imports of all versions of the contract.
pub(crate) fn link(linker: &mut Linker<CallState>) -> Result<()> {
    #[cfg(test)]
    next::link(linker)?;
    v1_0::link(linker)
}

impl Exports {
    /// Looks up a component's exports; an interface that is exported must be complete.
    pub(crate) fn find(contract: Contract, pre: &InstancePre<CallState>) -> Result<Self> {
        Ok(match contract {
            Contract::V1_0 => Self::V1_0(v1_0::Exports::find(pre)?),
            #[cfg(test)]
            Contract::Next => Self::Next(next::Exports::find(pre)?),
        })
    }

    /// Refuses exports whose types are not the contract's.
    pub(crate) fn check_types(
        &self,
        store: &mut Store<CallState>,
        instance: &Instance,
    ) -> std::result::Result<(), TypeMismatch> {
        match self {
            Self::V1_0(exports) => exports.check_types(store, instance),
            #[cfg(test)]
            Self::Next(_) => Ok(()),
        }
    }

    /// Calls a function of an instance.
    pub(crate) async fn call(
        &self,
        store: &mut Store<CallState>,
        instance: &Instance,
        request: PluginRequest,
    ) -> GuestResult {
        match self {
            Self::V1_0(exports) => exports.call(store, instance, request).await,
            #[cfg(test)]
            Self::Next(exports) => exports.call(store, instance, request).await,
        }
    }
}
