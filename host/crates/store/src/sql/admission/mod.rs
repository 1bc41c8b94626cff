//! Tickets, signing keys and check-ins.

pub(in super::super) mod check_in;
pub(in super::super) mod signing_key;
pub(in super::super) mod ticket;
