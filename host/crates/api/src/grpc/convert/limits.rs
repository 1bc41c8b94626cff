//! What holds calls of plugins.

use tessera_core::plugin::AskedLimits;
use tessera_proto::common::v1 as pb;

/// What holds a call; unset when nothing does.
#[must_use]
pub fn limits(limits: AskedLimits) -> Option<pb::PluginLimits> {
    let AskedLimits { fuel, time_ms, memory, output } = limits;
    let held = pb::PluginLimits { fuel, time_ms, memory, output };
    Some(held).filter(|_| limits != AskedLimits::default())
}

/// What a client wants to hold a call.
#[must_use]
pub fn read_limits(limits: Option<pb::PluginLimits>) -> AskedLimits {
    let pb::PluginLimits { fuel, time_ms, memory, output } = limits.unwrap_or_default();
    AskedLimits { fuel, time_ms, memory, output }
}
