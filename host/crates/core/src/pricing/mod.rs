//! Prices: rules, quotes, and their arithmetic.

mod access_codes;
pub mod calculation;
pub mod conditions;
pub mod displayed;
pub mod line;
pub mod percent;
pub mod promotion;
pub mod quote;
pub mod quotes;
pub mod rule;
mod rules;
mod spread;

pub use access_codes::AccessCodes;
pub use calculation::Calculation;
pub use conditions::Circumstances;
pub use displayed::{DisplayedPrice, DisplayedPrices};
pub use percent::Percent;
pub use promotion::{CodeClaim, CodeUse, KeptUnits, Promotion, PromotionCode};
pub use quote::{PricingCall, Quote, QuoteAdjustment, QuoteLine, RefusedCode, Source};
pub use quotes::{PriceRequest, PricingSettings, Quotes};
pub use rule::{ChangeRule, PricingRule, RuleValue, WriteRule};
pub use rules::PricingRules;
pub use spread::spread;
