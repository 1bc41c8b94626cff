//! The queue before an event's sale: buyers are served in the order in which they came, a bounded number at once.

pub mod bookings;
pub mod following;
pub mod model;
pub mod turns;

pub use bookings::{AskedBooking, Bookings, QueueStatus, Standing};
pub use following::Following;
pub use model::{Booking, BookingState, Queue};
pub use turns::Turns;
