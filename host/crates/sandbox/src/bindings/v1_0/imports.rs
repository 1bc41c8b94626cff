//! Functions that guests of this version import: the log, the settings, and look-ups.

use tessera_core::plugin::{LookupError, LookupRequest};
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

use super::generated::tessera::plugin::{host, lookup, types};
use super::{from_guest, to_guest};
use crate::call_state::{CallState, LookupRefusal};

/// Links the imports of this version.
pub(crate) fn link(linker: &mut Linker<CallState>) -> Result<()> {
    types::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    host::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    lookup::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

impl types::Host for CallState {}

impl host::Host for CallState {
    fn log(&mut self, level: host::Level, message: String) -> Result<()> {
        self.append_log(from_guest::level(level), message);
        Ok(())
    }

    fn settings(&mut self) -> Result<String> {
        Ok(self.settings_json().to_owned())
    }
}

impl lookup::Host for CallState {
    async fn get(
        &mut self,
        kind: String,
        id: String,
    ) -> Result<std::result::Result<Option<types::Entity>, lookup::LookupError>> {
        let found = self.look_up(LookupRequest::Get(kind, id)).await;
        Ok(found.map(|found| found.into_iter().next().map(to_guest::entity)).map_err(to_error))
    }

    async fn find(
        &mut self,
        kind: String,
        filter: String,
        limit: u32,
    ) -> Result<std::result::Result<Vec<types::Entity>, lookup::LookupError>> {
        let found = self.look_up(LookupRequest::Find(kind, filter, limit)).await;
        Ok(found.map(|found| found.into_iter().map(to_guest::entity).collect()).map_err(to_error))
    }
}

fn to_error(refusal: LookupRefusal) -> lookup::LookupError {
    match refusal {
        LookupRefusal::TooMany => lookup::LookupError::TooMany,
        LookupRefusal::NotAvailable => lookup::LookupError::NotHere,
        LookupRefusal::Failed(LookupError::Unsupported(what)) => lookup::LookupError::Unsupported(what),
        LookupRefusal::Failed(LookupError::Unavailable) => lookup::LookupError::Unavailable,
    }
}
