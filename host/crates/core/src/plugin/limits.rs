//! What holds a call. The host's maxima, the tenant's and the installation's: the smallest wins.

use std::time::Duration;

use crate::text::Faults;
use crate::value::{Field, Value};

/// What holds one call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CallLimits {
    /// Instructions, as fuel counts them.
    pub fuel: u64,
    /// The guest's own time.
    pub time: Duration,
    /// Bytes of memory and tables, summed over the instance.
    pub memory: u64,
    /// Bytes of what it is told.
    pub input: u64,
    /// Bytes of what it answers.
    pub output: u64,
    /// Bytes of log, in at most [`CallLimits::LOG_LINES`] lines.
    pub log: u64,
    /// Look-ups, of at most [`CallLimits::LOOKUP_ENTITIES`] entities each.
    pub lookups: u32,
    /// Effects.
    pub effects: u32,
}

impl CallLimits {
    /// The most lines of log that a call keeps.
    pub const LOG_LINES: usize = 100;

    /// The most entities that a look-up finds.
    pub const LOOKUP_ENTITIES: u32 = 100;

    /// What holds a call when nobody says otherwise.
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

    /// The smaller of each.
    #[must_use]
    pub fn at_most(self, asked: &LimitOverrides) -> Self {
        let number = |held: u64, asked: Option<u64>| asked.map_or(held, |asked| held.min(asked));
        let millis = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        Self {
            fuel: number(self.fuel, asked.fuel),
            time: Duration::from_millis(number(millis, asked.time_ms)),
            memory: number(self.memory, asked.memory),
            output: number(self.output, asked.output),
            ..self
        }
    }
}

/// What an operator asks of a tenant, or an admin of an installation; none: what the next one up allows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LimitOverrides {
    /// Instructions for a call.
    pub fuel: Option<u64>,
    /// Milliseconds of the guest's own time for a call.
    pub time_ms: Option<u64>,
    /// Bytes of memory for an instance.
    pub memory: Option<u64>,
    /// Bytes of an answer.
    pub output: Option<u64>,
}

impl LimitOverrides {
    /// Finds limits that no call could keep.
    pub fn check(&self, field: &str, faults: &mut Faults) {
        let asked = [
            ("fuel", self.fuel),
            ("time_ms", self.time_ms),
            ("memory", self.memory),
            ("output", self.output),
        ];
        for (name, _) in asked.iter().filter(|(_, held)| *held == Some(0)) {
            faults.add(
                &format!("{field}.{name}"),
                "is 0, with which no call could end well; leave it out for no limit of its own",
            );
        }
    }

    /// The smaller of each.
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

    /// The limits that are asked for, as fields below `name`.
    pub(crate) fn snapshot(&self, name: &str) -> Vec<Field> {
        let number = |held: Option<u64>| held.and_then(|n| i64::try_from(n).ok()).map(Value::Integer);
        [("fuel", self.fuel), ("time_ms", self.time_ms), ("memory", self.memory), ("output", self.output)]
            .into_iter()
            .filter_map(|(limit, held)| Some(Field { name: format!("{name}.{limit}"), value: number(held)? }))
            .collect()
    }
}
