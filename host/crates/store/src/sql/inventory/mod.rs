//! Reservations and seats. Batches of commands are in `batch`, what they read in `book`, what they write in `write`.

pub(in super::super) mod batch;
mod book;
pub(in super::super) mod holding;
pub(in super::super) mod reservation;
pub(in super::super) mod seat;
mod write;

pub(in super::super) use write::Part;
