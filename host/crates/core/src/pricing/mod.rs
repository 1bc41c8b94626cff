//! Prices: rules, quotes, and their arithmetic.

mod access_codes;
mod base_prices;
mod basket;
pub mod calculation;
mod code_guesses;
mod codes;
pub mod conditions;
pub mod contract;
pub mod displayed;
pub mod dynamic;
pub mod line;
mod new_codes;
pub mod percent;
mod price_failures;
mod price_request;
pub mod promotion;
mod promotions;
pub mod quote;
pub mod quotes;
pub mod rule;
mod rules;
mod spread;

pub use access_codes::AccessCodes;
pub use calculation::Calculation;
pub use code_guesses::CodeGuesses;
pub use conditions::Circumstances;
pub use contract::{check_reply, price_before};
pub use displayed::{DisplayedPrice, DisplayedPrices, PriceCurves};
pub use dynamic::DisplayedPricing;
pub use new_codes::NewCodes;
pub use percent::Percent;
pub use price_request::{AppliedDiscount, ApplyDiscount, PriceRequest, UnitCircumstances};
pub use promotion::{
    ChangePromotion, CodeClaim, CodeUse, KeptUnits, Promotion, PromotionCode, WritePromotion,
};
pub use promotions::Promotions;
pub use quote::{PricingCall, Quote, QuoteAdjustment, QuoteLine, RefusedCode, Source};
pub use quotes::{PricingSettings, Quotes};
pub use rule::{ChangeRule, PricingRule, RuleValue, WriteRule};
pub use rules::PricingRules;
pub use spread::spread;
