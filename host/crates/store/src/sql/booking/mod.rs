//! Queues and the places in them.

pub(in super::super) mod place;
pub(in super::super) mod queue;
