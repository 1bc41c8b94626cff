//! Discounts from a number of tickets in the basket on. Each line is reduced by the highest percentage of the steps
//! that are reached, of its price after the steps before.

use serde::Deserialize;
use tessera_plugin::money::Percent;
use tessera_plugin::pricing::{Adjustment, Basket, Decision};
use tessera_plugin::{Context, Manifest, Plugin, Pricing, Violation, manifest, settings};

/// The plugin.
pub struct GroupDiscount;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    steps: Vec<Step>,
    label: Option<String>,
}

/// A percentage that applies from a number of tickets on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    units: u64,
    percent: Percent,
}

impl Plugin for GroupDiscount {
    fn manifest() -> Manifest {
        manifest!().settings(include_str!("settings.json"))
    }
}

impl Pricing for GroupDiscount {
    fn quote(_: &Context, basket: &Basket) -> Result<Decision, Vec<Violation>> {
        let settings: Settings = settings();
        let label = settings.label.as_deref().unwrap_or("Group");
        let units = basket.units();
        let reached = settings.steps.iter().filter(|step| units >= step.units);
        let mut decision = Decision::none();
        if let Some(percent) = reached.map(|step| step.percent).max() {
            for (index, amount) in basket.amounts().into_iter().enumerate() {
                decision = decision.with(Adjustment::discount(percent.of(amount), label).on_line(index));
            }
        }
        Ok(decision)
    }
}

tessera_plugin::export!(GroupDiscount: pricing);

#[cfg(test)]
mod tests {
    use tessera_plugin::testing::{Harness, basket, line};

    use super::*;

    #[test]
    fn highest_step_that_the_basket_reaches_applies() {
        let harness = Harness::new()
            .settings(r#"{"steps": [{"units": 5, "percent": "5"}, {"units": 10, "percent": "12.5"}]}"#);
        let amounts = |first: u32, second: u32| -> Vec<i64> {
            let basket = basket([line(first, 1_999), line(second, 100)]);
            let decision = harness.quote::<GroupDiscount>(&basket).unwrap();
            decision.adjustments.iter().map(|adjustment| adjustment.amount).collect()
        };
        assert!(amounts(3, 1).is_empty());
        // 5 % of 5,997 are 299.85.
        assert_eq!(amounts(3, 2), [-300, -10]);
        // 12.5 % of 17,991 are 2,248.875, and of 100 they are 12.5, which is rounded to even.
        assert_eq!(amounts(9, 1), [-2_249, -12]);
    }
}
