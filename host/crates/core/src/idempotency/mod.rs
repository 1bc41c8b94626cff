//! Idempotency: a command that is repeated with the same key returns the first answer.

mod in_flight;
mod key;
mod record;

pub use in_flight::{InFlight, InFlightGuard};
pub use key::{Fingerprint, IdempotencyKey, RequestKey, Scope};
pub use record::{IdempotencyClaim, IdempotencyRecord, Recordable, RecordedAnswer};
