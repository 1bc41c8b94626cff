//! Tickets and the door: what a confirmed reservation turns into, the signed codes by which tickets are known, and who
//! came in with them.

pub mod check_in;
pub mod code;
pub mod door;
pub mod signing;
pub mod ticket;
pub mod tickets;

pub use check_in::{CheckIn, Direction, Verdict};
pub use code::{Code, Presented};
pub use door::{AskedCheckIn, Door, Inspection, Merged, Noted, Scan};
pub use signing::{Codes, SigningKey};
pub use ticket::{Ticket, TicketState};
pub use tickets::{Revoked, Tickets};
