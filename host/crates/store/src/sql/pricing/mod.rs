//! Pricing rules, promotions, quotes and displayed prices.

pub(super) mod displayed;
pub(super) mod promotion;
pub(super) mod quote;
pub(super) mod rule;
