//! What is left: pools, reservations and seats.
//!
//! Reservations are judged by a pure function, many in one transaction; see `rules` and `queue`.

pub mod availability;
pub mod holding;
pub mod job;
pub mod lock;
pub mod pool;
pub mod queue;
pub mod reservation;
pub mod reservations;
pub mod rules;
pub mod seat;
mod seating;
pub mod stock;
pub mod supply;
pub mod terms;
pub mod watches;

pub use availability::Availability;
pub use holding::{Holding, TenantHolds};
pub use job::{Command, Job, Outcome};
pub use lock::Lock;
pub use pool::{Counts, Pool, PoolSort};
pub use queue::Combiner;
pub use reservation::{Reservation, ReservationState};
pub use reservations::{AskedLine, AskedReservation, Reservations};
pub use rules::Book;
pub use seat::Seat;
pub use stock::Stock;
pub use supply::Supplies;
pub use watches::{LevelsUpdate, Watcher, Watches};
