//! Revoked codes of tickets.

use crate::filter::{Kind, Spec};
use crate::id::TicketId;
use crate::time::Timestamp;

/// The largest page of revoked codes.
pub const MAX_PAGE: u32 = 1_000;

/// The filters and orders of lists of revoked codes, oldest first.
pub const SPEC: Spec = Spec { fields: &[("revoked", Kind::Time)], orders: &["revoked"] };

/// A ticket with authentic codes that are no longer valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RevokedCodes {
    /// The ticket.
    pub ticket: TicketId,
    /// The serial of the only valid code; `None` if no code is valid.
    pub valid_serial: Option<u16>,
    /// When the others became invalid.
    pub at: Timestamp,
}
