//! Rules for how long reservations are held.

use crate::id::TenantId;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// The shortest and the longest duration that a rule may set, in seconds.
pub const HOLD_BOUNDS: std::ops::RangeInclusive<u32> = 1..=86_400;

/// The rules where neither the event nor the tenant sets others: 10 minutes, 30 seconds, an hour.
const DEFAULT: u32 = 600;
const MIN: u32 = 30;
const MAX: u32 = 3_600;

/// How long reservations are held, in seconds; absent values come from the tenant, then from Tessera.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct HoldRules {
    /// When the client does not request a duration.
    pub default: Option<u32>,
    /// The minimum that a client may request.
    pub min: Option<u32>,
    /// The maximum, with extensions.
    pub max: Option<u32>,
}

/// Rules that are complete and in order: `min <= default <= max`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HoldSeconds {
    /// When the client does not request a duration.
    pub default: u32,
    /// The minimum that a client may request.
    pub min: u32,
    /// The maximum, with extensions.
    pub max: u32,
}

impl HoldRules {
    /// Fills absent values from `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            default: self.default.or(others.default),
            min: self.min.or(others.min),
            max: self.max.or(others.max),
        }
    }

    /// Fills absent values from Tessera's own rules. A lower maximum lowers the others.
    #[must_use]
    pub fn seconds(self) -> HoldSeconds {
        let max = self.max.unwrap_or(MAX);
        let min = self.min.unwrap_or(MIN).min(max);
        HoldSeconds { default: self.default.unwrap_or(DEFAULT).clamp(min, max), min, max }
    }

    /// Checks what a client wrote.
    pub fn check(self, faults: &mut Faults) {
        let fields =
            [("hold_seconds", self.default), ("hold_min_seconds", self.min), ("hold_max_seconds", self.max)];
        for (name, seconds) in fields {
            if seconds.is_some_and(|seconds| !HOLD_BOUNDS.contains(&seconds)) {
                let (min, max) = (HOLD_BOUNDS.start(), HOLD_BOUNDS.end());
                faults.add(name, format_args!("is not within {min} to {max}"));
            }
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            faults.add("hold_min_seconds", "is more than hold_max_seconds");
        }
    }
}

/// The hold rules of a tenant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TenantHoldRules {
    /// The tenant.
    pub id: TenantId,
    /// The rules.
    pub rules: HoldRules,
    /// When they were last changed.
    pub updated_at: Timestamp,
    /// Their version, incremented by each change; 0 if none were set.
    pub version: u64,
}

impl Snapshot for TenantHoldRules {
    fn snapshot(&self) -> Vec<Field> {
        let seconds = |seconds: Option<u32>| Value::count(seconds.map(u64::from));
        vec![
            Field::new("hold_seconds", seconds(self.rules.default)),
            Field::new("hold_min_seconds", seconds(self.rules.min)),
            Field::new("hold_max_seconds", seconds(self.rules.max)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completed_rules_are_in_order() {
        let seconds = |rules: HoldRules| {
            let HoldSeconds { default, min, max } = rules.seconds();
            (default, min, max)
        };
        assert_eq!(seconds(HoldRules::default()), (600, 30, 3_600));
        let short = HoldRules { max: Some(10), ..HoldRules::default() };
        assert_eq!(seconds(short), (10, 10, 10));
        let tenant = HoldRules { default: Some(60), min: Some(5), max: None };
        assert_eq!(seconds(short.or(tenant)), (10, 5, 10));
    }
}
