//! Counts of an event's tickets and check-ins.

use crate::time::Timestamp;

/// Counts of check-ins at a gate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GateCounts {
    /// Accepted check-ins.
    pub entries: u64,
    /// Accepted check-outs.
    pub exits: u64,
    /// Check-ins that were not accepted.
    pub refused: u64,
}

/// Counts of an event's tickets and check-ins.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DoorStats {
    /// Valid tickets.
    pub valid: u64,
    /// Cancelled tickets.
    pub cancelled: u64,
    /// Tickets that were checked in at least once.
    pub admitted: u64,
    /// Tickets whose holders are inside.
    pub inside: u64,
    /// Counts by gate.
    pub gates: Vec<(String, GateCounts)>,
    /// Counts by minute and gate, oldest first.
    pub minutes: Vec<(Timestamp, String, GateCounts)>,
}
