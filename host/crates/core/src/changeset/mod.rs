//! The only way to write: rows with the versions that the decision depended on, facts, and the idempotency record.
//! All of it is stored, or nothing.

mod record;
mod set;
mod write;

pub use record::{Expect, Record, Versioned};
pub use set::{Changeset, Committed, MAX_ROWS};
pub use write::{Guard, Write};
