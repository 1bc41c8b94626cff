//! Pricing rules, quotes and displayed prices.

pub(super) mod displayed;
pub(super) mod quote;
pub(super) mod rule;
