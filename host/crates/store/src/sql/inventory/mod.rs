//! Reservations and seats. Batches of commands are in `batch`, what they read in `book`, what they write in `write`,
//! and what is remembered from one to the next in `terms`.

pub(in super::super) mod batch;
mod book;
pub(in super::super) mod holding;
pub(in super::super) mod reservation;
pub(in super::super) mod seat;
mod terms;
mod write;

pub(in super::super) use terms::Known;
