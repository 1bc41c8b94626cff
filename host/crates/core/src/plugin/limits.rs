//! Limits of a call. Of the host's maxima, the tenant's and the installation's limits the smallest applies.

use std::time::Duration;

use crate::text::Faults;
use crate::value::{Field, Value};

/// Limits of one call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CallLimits {
    /// Instructions, in units of fuel.
    pub fuel: u64,
    /// The time that the guest runs.
    pub time: Duration,
    /// Bytes of memory and tables, summed over the instance.
    pub memory: u64,
    /// Bytes of the request.
    pub input: u64,
    /// Bytes of the reply.
    pub output: u64,
    /// Bytes of log, in at most [`CallLimits::LOG_LINES`] lines.
    pub log: u64,
    /// Look-ups, of at most [`CallLimits::LOOKUP_ENTITIES`] entities each.
    pub lookups: u32,
    /// Effects.
    pub effects: u32,
}

impl CallLimits {
    /// The most log lines of a call.
    pub const LOG_LINES: usize = 100;

    /// The most entities that a look-up returns.
    pub const LOOKUP_ENTITIES: u32 = 100;

    /// Returns the default limits.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            fuel: 10_000_000,
            time: Duration::from_millis(250),
            memory: 16 << 20,
            input: 256 << 10,
            output: 256 << 10,
            log: 8 << 10,
            lookups: 16,
            effects: 64,
        }
    }

    /// Returns the smaller of each limit.
    #[must_use]
    pub fn at_most(self, overrides: &LimitOverrides) -> Self {
        let least = |limit: u64, other: Option<u64>| other.map_or(limit, |other| limit.min(other));
        let millis = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        Self {
            fuel: least(self.fuel, overrides.fuel),
            time: Duration::from_millis(least(millis, overrides.time_ms)),
            memory: least(self.memory, overrides.memory),
            output: least(self.output, overrides.output),
            ..self
        }
    }
}

/// Limits that an operator sets for a tenant, or an admin for an installation; `None`: no limit of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LimitOverrides {
    /// Instructions for a call.
    pub fuel: Option<u64>,
    /// Milliseconds that the guest runs in a call.
    pub time_ms: Option<u64>,
    /// Bytes of memory for an instance.
    pub memory: Option<u64>,
    /// Bytes of a reply.
    pub output: Option<u64>,
}

impl LimitOverrides {
    /// Finds limits of zero, with which every call would fail.
    pub fn check(&self, field: &str, faults: &mut Faults) {
        let limits = [
            ("fuel", self.fuel),
            ("time_ms", self.time_ms),
            ("memory", self.memory),
            ("output", self.output),
        ];
        for (name, _) in limits.iter().filter(|(_, limit)| *limit == Some(0)) {
            faults.add(&format!("{field}.{name}"), "must be greater than 0; omit it for no limit of its own");
        }
    }

    /// Returns the smaller of each limit.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Self {
            fuel: least(self.fuel, other.fuel),
            time_ms: least(self.time_ms, other.time_ms),
            memory: least(self.memory, other.memory),
            output: least(self.output, other.output),
        }
    }

    /// Returns the limits as fields below `name`.
    pub(crate) fn snapshot(&self, name: &str) -> Vec<Field> {
        let number = |limit: Option<u64>| limit.and_then(|n| i64::try_from(n).ok()).map(Value::Integer);
        [("fuel", self.fuel), ("time_ms", self.time_ms), ("memory", self.memory), ("output", self.output)]
            .into_iter()
            .filter_map(|(key, limit)| Some(Field { name: format!("{name}.{key}"), value: number(limit)? }))
            .collect()
    }
}
