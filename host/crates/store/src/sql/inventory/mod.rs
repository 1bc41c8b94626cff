//! Reservations, seats and hold rules. A batch of commands reads its state in `state`, or takes it from `cached_event`,
//! and writes in `write`.

pub(in super::super) mod batch;
pub(in super::super) mod cached_event;
pub(in super::super) mod hold_rules;
pub(in super::super) mod reservation;
pub(in super::super) mod seat;
mod state;
mod write;
