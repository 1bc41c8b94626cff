//! Limits of plugin calls.

use tessera_core::plugin::LimitOverrides;
use tessera_proto::common::v1 as pb;

/// Encodes the limits of a call; `None` if none is set.
#[must_use]
pub(crate) fn limits(limits: LimitOverrides) -> Option<pb::PluginLimits> {
    let LimitOverrides { fuel, time_ms, memory, output } = limits;
    let message = pb::PluginLimits { fuel, time_ms, memory, output };
    Some(message).filter(|_| limits != LimitOverrides::default())
}

/// Reads the limits of a call.
#[must_use]
pub(crate) fn read_limits(limits: Option<pb::PluginLimits>) -> LimitOverrides {
    let pb::PluginLimits { fuel, time_ms, memory, output } = limits.unwrap_or_default();
    LimitOverrides { fuel, time_ms, memory, output }
}
