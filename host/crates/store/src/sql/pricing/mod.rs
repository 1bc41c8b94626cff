//! Pricing rules and quotes.

pub(super) mod quote;
pub(super) mod rule;
