//! Prices: rules, quotes, and their arithmetic.

pub mod calculation;
pub mod conditions;
pub mod contract;
pub mod displayed;
pub mod line;
pub mod percent;
pub mod promotion;
pub mod quote;
pub mod quotes;
pub mod rule;
mod rules;
mod spread;

pub use calculation::Calculation;
pub use conditions::Circumstances;
pub use contract::{check_reply, price_before};
pub use displayed::{DisplayedPrice, DisplayedPrices};
pub use percent::Percent;
pub use promotion::{CodeClaim, CodeUse, KeptUnits, Promotion, PromotionCode};
pub use quote::{PricingCall, Quote, QuoteAdjustment, QuoteLine, RefusedCode, Source};
pub use quotes::{PriceRequest, PricingSettings, Quotes};
pub use rule::{ChangeRule, PricingRule, RuleValue, WriteRule};
pub use rules::PricingRules;
pub use spread::spread;
