//! Queues and bookings.

pub(in super::super) mod bookings;
pub(in super::super) mod queue;
