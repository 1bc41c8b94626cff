//! Prices: rules, quotes, and their arithmetic.

mod access_codes;
pub mod calculation;
pub mod conditions;
pub mod displayed;
pub mod dynamic;
pub mod line;
mod new_codes;
pub mod percent;
pub mod promotion;
mod promotions;
pub mod quote;
pub mod quotes;
pub mod rule;
mod rules;
mod spread;

pub use access_codes::AccessCodes;
pub use calculation::Calculation;
pub use conditions::Circumstances;
pub use displayed::{DisplayedPrice, DisplayedPrices, PriceCurves};
pub use dynamic::DisplayedPricing;
pub use new_codes::NewCodes;
pub use percent::Percent;
pub use promotion::{
    ChangePromotion, CodeClaim, CodeUse, KeptUnits, Promotion, PromotionCode, WritePromotion,
};
pub use promotions::Promotions;
pub use quote::{PricingCall, Quote, QuoteAdjustment, QuoteLine, RefusedCode, Source};
pub use quotes::{PriceRequest, PricingSettings, Quotes};
pub use rule::{ChangeRule, PricingRule, RuleValue, WriteRule};
pub use rules::PricingRules;
pub use spread::spread;
