//! The budget of one command: how much the calls and effects of its plugins may use together.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::changeset::Expect;
use crate::error::{Error, ErrorKind, Result};
use crate::plugin::limits::CallLimits;

/// The most calls that the effects of one command may lead to.
const MAX_CALLS: u32 = 32;

/// The most instructions of all calls together.
const MAX_FUEL: u64 = 100_000_000;

/// The most effects of all calls together.
const MAX_EFFECTS: usize = 256;

/// How much one command's calls have used, and the versions that their look-ups make it depend on.
#[derive(Default)]
pub struct Budget {
    calls: u32,
    fuel: u64,
    effects: usize,
    expects: Arc<Mutex<Vec<Expect>>>,
}

impl Budget {
    /// Creates an unused budget.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the versions of what was looked up by id.
    #[must_use]
    pub fn expects(&self) -> Vec<Expect> {
        self.expects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The list to which look-ups add versions.
    pub(super) fn shared_expects(&self) -> &Arc<Mutex<Vec<Expect>>> {
        &self.expects
    }

    /// Counts a call that effects led to.
    pub(super) fn add_call(&mut self, chain: &[String]) -> Result<()> {
        self.calls += 1;
        if self.calls > MAX_CALLS {
            return Err(loop_error(chain, format_args!("lead to more than {MAX_CALLS} calls")));
        }
        Ok(())
    }

    /// Counts effects.
    pub(super) fn add_effects(&mut self, count: usize, chain: &[String]) -> Result<()> {
        self.effects += count;
        if self.effects > MAX_EFFECTS {
            return Err(loop_error(chain, format_args!("are more than {MAX_EFFECTS}")));
        }
        Ok(())
    }

    /// Counts instructions.
    pub(super) fn add_fuel(&mut self, fuel: u64) {
        self.fuel = self.fuel.saturating_add(fuel);
    }

    /// Returns the limits of a call within the fuel that is left.
    pub(super) fn limit(&self, limits: CallLimits) -> CallLimits {
        CallLimits { fuel: limits.fuel.min(MAX_FUEL.saturating_sub(self.fuel)), ..limits }
    }
}

/// The error for effects that lead to further effects without end; `chain` are the plugins that returned them.
pub(super) fn loop_error(chain: &[String], excess: fmt::Arguments<'_>) -> Error {
    let mut plugins = chain.to_vec();
    plugins.dedup();
    let plugins = plugins.join(", ");
    let message = format!("the effects of {plugins} {excess} in one command; nothing was changed");
    Error::new(ErrorKind::PluginFailed, "PLUGIN_LOOP", message)
}
