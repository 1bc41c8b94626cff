//! Discounts for codes. Each code of the settings that the buyer entered reduces the basket by a percentage of its
//! price after the steps before. Upper and lower case are the same. A code whose conditions the basket does not meet is
//! refused with a reason.

use serde::Deserialize;
use tessera_plugin::money::Percent;
use tessera_plugin::pricing::{Adjustment, Basket, Decision};
use tessera_plugin::{Context, Manifest, Plugin, Pricing, Violation, manifest, settings};

/// The plugin.
pub struct Loyalty;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    codes: Vec<Code>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
    percent: Percent,
    label: Option<String>,
    /// The lowest price of the basket, in minor units.
    minimum: Option<i64>,
    /// The currency of the minimum.
    currency: Option<String>,
    /// Whether the buyer must be known.
    #[serde(default)]
    members: bool,
}

impl Code {
    /// Returns the code as the buyer entered it, or `None` if it was not entered.
    fn entered<'a>(&self, basket: &'a Basket) -> Option<&'a str> {
        let mut codes = basket.codes.iter().map(String::as_str);
        codes.find(|entered| entered.eq_ignore_ascii_case(&self.code))
    }

    /// Returns why the code is not accepted for a basket with that price.
    fn refusal(&self, basket: &Basket, price: i64) -> Option<&'static str> {
        if self.members && basket.buyer_id().is_none() {
            return Some("the code is for members; sign in to use it");
        }
        let minimum = self.minimum?;
        if self.currency.as_ref().is_some_and(|currency| *currency != basket.currency) {
            return Some("the code is for another currency");
        }
        (price < minimum).then_some("the basket is below the minimum of the code")
    }
}

impl Plugin for Loyalty {
    fn manifest() -> Manifest {
        manifest!().settings(include_str!("settings.json"))
    }
}

impl Pricing for Loyalty {
    fn quote(_: &Context, basket: &Basket) -> Result<Decision, Vec<Violation>> {
        let settings: Settings = settings();
        let mut price: i64 = basket.amounts().iter().sum();
        let mut decision = Decision::none();
        for code in &settings.codes {
            let Some(entered) = code.entered(basket) else { continue };
            if let Some(reason) = code.refusal(basket, price) {
                decision = decision.refusing(entered, reason);
                continue;
            }
            let label = code.label.as_deref().unwrap_or(&code.code);
            let discount = Adjustment::discount(code.percent.of(price), label);
            price += discount.amount;
            decision = decision.with(discount.for_code(entered));
        }
        Ok(decision)
    }
}

tessera_plugin::export!(Loyalty: pricing);

#[cfg(test)]
mod tests {
    use tessera_plugin::Field;
    use tessera_plugin::pricing::RefusedCode;
    use tessera_plugin::testing::{Harness, basket, line};

    use super::*;

    fn quote(codes: &[&str], buyer: Option<&str>, unit_price: i64) -> Decision {
        let harness = Harness::new().settings(
            r#"{"codes": [
                {"code": "FRIENDS", "percent": "10", "label": "Friends"},
                {"code": "BIG", "percent": "20", "minimum": 5000, "currency": "EUR"},
                {"code": "CLUB", "percent": "5", "members": true},
                {"code": "YEN", "percent": "5", "minimum": 1, "currency": "JPY"}
            ]}"#,
        );
        let basket = Basket {
            codes: codes.iter().map(|&code| code.to_owned()).collect(),
            buyer: buyer.into_iter().map(|id| Field::new("id", id)).collect(),
            ..basket([line(2, unit_price)])
        };
        harness.quote::<Loyalty>(&basket).unwrap()
    }

    fn refused(code: &str, reason: &str) -> [RefusedCode; 1] {
        [RefusedCode { code: code.into(), reason: reason.into() }]
    }

    #[test]
    fn accepted_codes_reduce_the_price_one_after_another() {
        let decision = quote(&["BIG", "FRIENDS"], None, 3_000);
        let friends = Adjustment::discount(600, "Friends").for_code("FRIENDS");
        assert_eq!(decision.adjustments, [friends, Adjustment::discount(1_080, "BIG").for_code("BIG")]);
        assert!(decision.refused_codes.is_empty());
    }

    #[test]
    fn conditions_refuse_codes_with_a_reason() {
        for (code, reason) in [
            ("BIG", "the basket is below the minimum of the code"),
            ("CLUB", "the code is for members; sign in to use it"),
            ("YEN", "the code is for another currency"),
        ] {
            let decision = quote(&[code], None, 2_499);
            assert_eq!(decision.refused_codes, refused(code, reason));
            assert!(decision.adjustments.is_empty(), "{code}");
        }
        assert_eq!(quote(&["CLUB"], Some("ann"), 1_000).adjustments[0].amount, -100);
        assert_eq!(quote(&["BIG"], None, 2_500).adjustments[0].amount, -1_000);
    }

    #[test]
    fn code_is_accepted_and_refused_as_it_was_entered() {
        let friends = Adjustment::discount(200, "Friends").for_code("friends");
        assert_eq!(quote(&["friends"], None, 1_000).adjustments, [friends]);
        let reason = "the code is for members; sign in to use it";
        assert_eq!(quote(&["Club"], None, 1_000).refused_codes, refused("Club", reason));
    }

    #[test]
    fn codes_of_others_are_left_alone() {
        let decision = quote(&["FRIEND", "OTHER"], None, 1_000);
        assert!(decision.adjustments.is_empty() && decision.refused_codes.is_empty());
    }
}
