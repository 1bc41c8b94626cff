//! The queue of an event: buyers wait in order, and a bounded number is active at once.

#[allow(clippy::module_inception, reason = "models are named alike in all areas")]
pub mod booking;
pub mod bookings;
pub mod queue;

mod position_stream;
mod queue_positions;
mod queue_worker;

pub use booking::{Booking, BookingPosition, BookingState, CreateBooking};
pub use bookings::Bookings;
pub use position_stream::PositionStream;
pub use queue::{Queue, QueueStatus};
pub use queue_worker::QueueWorker;
