//! Pools, seats, locks, reservations and availability.
//!
//! Reservation commands are decided by a pure function, many in one transaction; see `rules` and `event_batcher`.

pub mod availability;
pub mod availability_stream;
pub mod batch_state;
pub mod event_batcher;
pub mod hold_rules;
pub mod job;
pub mod lock;
pub mod locks;
pub mod pool;
pub mod pools;
pub mod remaining;
pub mod reservation;
pub mod reservation_request;
pub mod reservations;
pub mod seat;
pub mod seats;
pub mod terms;

pub(crate) mod resize;

mod code_rules;
mod hold_rules_service;
mod rules;
mod seating;
mod supplies;

pub use availability::Availability;
pub use availability_stream::{AvailabilityStream, AvailabilityStreams, AvailabilityUpdate};
pub use batch_state::BatchState;
pub use event_batcher::EventBatcher;
pub use hold_rules::{HoldRules, HoldSeconds, TenantHoldRules};
pub use hold_rules_service::HoldRulesService;
pub use job::{Command, Job, JobOutcome};
pub use lock::Lock;
pub use pool::{Counts, Pool, PoolSort};
pub use remaining::Remaining;
pub use reservation::{Reservation, ReservationState};
pub use reservation_request::{CreateReservation, LineRequest};
pub use reservations::Reservations;
pub use seat::Seat;
pub use supplies::Supplies;
