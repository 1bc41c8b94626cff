//! Discounts for early birds, until a number of days before the event, and for groups, from a number of tickets in
//! one line.

use serde::Deserialize;
use tessera_plugin::money::{Rounding, share};
use tessera_plugin::pricing::{Adjustment, AdjustmentKind, Basket, Decision};
use tessera_plugin::{Context, DAY, Manifest, Plugin, Pricing, Violation, manifest, settings};

/// The plugin.
pub struct PricingTiers;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    early: Option<Early>,
    group: Option<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Early {
    days: u64,
    basis_points: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    quantity: u32,
    basis_points: i64,
}

impl Plugin for PricingTiers {
    fn manifest() -> Manifest {
        manifest!().settings(include_str!("settings.json"))
    }
}

impl Pricing for PricingTiers {
    fn quote(context: &Context, basket: &Basket) -> Result<Decision, Vec<Violation>> {
        let settings: Settings = settings();
        let mut decision = Decision::none();
        let discount = |index: usize, total: i64, points: i64, label: &str| {
            let amount = -share(total, points, Rounding::HalfEven);
            Adjustment::new(AdjustmentKind::Discount, amount, label).on_line(index)
        };
        for (index, line) in basket.lines.iter().enumerate() {
            if let Some(group) = settings.group.as_ref().filter(|group| line.quantity >= group.quantity) {
                decision = decision.with(discount(index, line.total(), group.basis_points, "Group"));
            }
            let early = settings.early.as_ref().filter(|early| {
                basket.starts_at.is_some_and(|at| at.saturating_sub(context.now) >= early.days * DAY)
            });
            if let Some(early) = early {
                decision = decision.with(discount(index, line.total(), early.basis_points, "Early bird"));
            }
        }
        Ok(decision)
    }
}

tessera_plugin::export!(PricingTiers: pricing);

#[cfg(test)]
mod tests {
    use tessera_plugin::testing::{Harness, basket, line};

    use super::*;

    #[test]
    fn groups_and_early_birds_get_discounts() {
        let harness = Harness::new().settings(
            r#"{"early": {"days": 30, "basis_points": 1000}, "group": {"quantity": 5, "basis_points": 500}}"#,
        );
        let now = harness.context().now;
        let amounts = |quantity, starts_at| -> Vec<i64> {
            let basket = Basket { starts_at: Some(starts_at), ..basket([line(quantity, 1_999)]) };
            let decision = harness.quote::<PricingTiers>(&basket).unwrap();
            decision.adjustments.iter().map(|adjustment| adjustment.amount).collect()
        };
        assert_eq!(amounts(5, now + 40 * DAY), [-500, -1_000]);
        assert_eq!(amounts(1, now + 40 * DAY), [-200]);
        assert!(amounts(1, now + DAY).is_empty());
    }
}
