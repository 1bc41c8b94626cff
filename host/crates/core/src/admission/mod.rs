//! Tickets, their signed codes, and check-ins at the door.

pub mod check_in;
pub mod code;
pub mod codes;
pub mod door;
pub mod door_stats;
pub mod revoked_codes;
pub mod scan;
pub mod signing_key;
pub mod ticket;
pub mod tickets;

mod check_in_change;

pub use check_in::{CheckIn, Direction, Verdict};
pub use code::{Code, ScannedCode};
pub use codes::Codes;
pub use door::Door;
pub use door_stats::{DoorStats, GateCounts};
pub use revoked_codes::RevokedCodes;
pub use scan::{CreateCheckIn, Inspection, MergedScan, ReportedScan, Scan};
pub use signing_key::SigningKey;
pub use ticket::{Ticket, TicketState};
pub use tickets::Tickets;
