//! Raises prices by the share of tickets sold and the time to the start of the event. Each line gets the highest
//! percentage of the steps that are reached, of its price after the steps before.

use serde::Deserialize;
use tessera_plugin::money::Percent;
use tessera_plugin::pricing::{Adjustment, Basket, Decision, Line};
use tessera_plugin::{Context, HOUR, Manifest, Plugin, Pricing, Timestamp, Violation, manifest, settings};

/// The plugin.
pub struct Surge;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    steps: Vec<Step>,
    label: Option<String>,
}

/// A percentage that applies where all its conditions hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// The least share of the ticket type's units that are held or sold.
    sold: Option<Percent>,
    /// The most hours to the start of the event.
    hours: Option<u64>,
    percent: Percent,
}

impl Step {
    fn is_reached(&self, line: &Line, time_to_start: Option<Timestamp>) -> bool {
        self.sold.is_none_or(|sold| line.sold() >= sold)
            && self.hours.is_none_or(|hours| time_to_start.is_some_and(|time| time <= hours * HOUR))
    }
}

impl Plugin for Surge {
    fn manifest() -> Manifest {
        manifest!().settings(include_str!("settings.json"))
    }
}

impl Pricing for Surge {
    fn quote(context: &Context, basket: &Basket) -> Result<Decision, Vec<Violation>> {
        let settings: Settings = settings();
        let label = settings.label.as_deref().unwrap_or("High demand");
        let time_to_start = basket.time_to_start(context);
        let mut decision = Decision::none();
        for (index, (line, amount)) in basket.lines.iter().zip(basket.amounts()).enumerate() {
            let reached = settings.steps.iter().filter(|step| step.is_reached(line, time_to_start));
            if let Some(percent) = reached.map(|step| step.percent).max() {
                decision = decision.with(Adjustment::surcharge(percent.of(amount), label).on_line(index));
            }
        }
        Ok(decision)
    }
}

tessera_plugin::export!(Surge: pricing);

#[cfg(test)]
mod tests {
    use tessera_plugin::Field;
    use tessera_plugin::pricing::Applied;
    use tessera_plugin::testing::{Harness, basket, line};

    use super::*;

    #[test]
    fn highest_step_that_is_reached_applies_to_each_line() {
        let harness = Harness::new().settings(
            r#"{"steps": [
                {"sold": "50", "percent": "10"},
                {"hours": 48, "percent": "5"},
                {"sold": "90", "hours": 48, "percent": "12.5"}
            ]}"#,
        );
        let amounts = |hours: u64, sold: &str| -> Vec<i64> {
            let starts_at = Some(harness.context().now + hours * HOUR);
            let [mut first, second] = [line(2, 1_000), line(1, 333)];
            first.attributes = vec![Field::new("sold", sold)];
            let basket = Basket { starts_at, ..basket([first, second]) };
            let decision = harness.quote::<Surge>(&basket).unwrap();
            decision.adjustments.iter().map(|adjustment| adjustment.amount).collect()
        };
        assert!(amounts(49, "49.9999").is_empty());
        assert_eq!(amounts(49, "50"), [200]);
        // 5 % of 333 are 16.65.
        assert_eq!(amounts(48, "49.9999"), [100, 17]);
        assert_eq!(amounts(48, "50"), [200, 17]);
        assert_eq!(amounts(0, "90"), [250, 17]);
        assert_eq!(amounts(49, "90"), [200]);
    }

    #[test]
    fn surcharge_is_of_the_price_after_the_steps_before() {
        let settings = r#"{"steps": [{"sold": "0", "percent": "10"}], "label": "Gala"}"#;
        let harness = Harness::new().settings(settings);
        let discount = Adjustment::discount(600, "Early bird").on_line(0);
        let applied = Applied { source: "rule:1".into(), adjustment: discount };
        let basket = Basket { applied: vec![applied], ..basket([line(1, 1_000)]) };
        let decision = harness.quote::<Surge>(&basket).unwrap();
        assert_eq!(decision.adjustments, [Adjustment::surcharge(40, "Gala").on_line(0)]);
    }

    #[test]
    fn event_without_a_start_is_not_near() {
        let harness = Harness::new().settings(r#"{"steps": [{"hours": 1000, "percent": "10"}]}"#);
        let decision = harness.quote::<Surge>(&basket([line(1, 1_000)])).unwrap();
        assert!(decision.adjustments.is_empty());
    }
}
