//! Taxes tickets by the city of the venue: a percentage of the price after the steps before, or an amount for each
//! ticket. A tax that the prices include is shown and not added.

use serde::Deserialize;
use tessera_plugin::money::Percent;
use tessera_plugin::pricing::{Adjustment, Basket, Decision};
use tessera_plugin::{Context, Manifest, Plugin, Pricing, Violation, manifest, settings};

/// The plugin.
pub struct CityTax;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    cities: Vec<City>,
}

/// The tax of a city: a percentage, or an amount in a currency. Another currency is not taxed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct City {
    city: String,
    percent: Option<Percent>,
    /// Minor units for each ticket.
    amount: Option<i64>,
    currency: Option<String>,
    #[serde(default)]
    included: bool,
    label: Option<String>,
}

impl City {
    /// Returns the tax of a number of tickets with that price.
    fn tax(&self, quantity: u32, price: i64, currency: &str) -> i64 {
        match (self.percent, self.amount) {
            (Some(percent), _) if self.included => percent.included_in(price),
            (Some(percent), _) => percent.of(price),
            (None, Some(amount)) if self.currency.as_deref() == Some(currency) => {
                amount.saturating_mul(quantity.into())
            }
            (None, _) => 0,
        }
    }
}

impl Plugin for CityTax {
    fn manifest() -> Manifest {
        manifest!().settings(include_str!("settings.json"))
    }
}

impl Pricing for CityTax {
    fn quote(_: &Context, basket: &Basket) -> Result<Decision, Vec<Violation>> {
        let settings: Settings = settings();
        let mut decision = Decision::none();
        let Some(name) = basket.event_text("venue_city") else { return Ok(decision) };
        let Some(city) = settings.cities.iter().find(|city| city.city.eq_ignore_ascii_case(name)) else {
            return Ok(decision);
        };
        let label = city.label.as_deref().unwrap_or("City tax");
        for (index, (line, price)) in basket.lines.iter().zip(basket.amounts()).enumerate() {
            let tax = Adjustment::tax(city.tax(line.quantity, price, &basket.currency), label).on_line(index);
            decision = decision.with(if city.included { tax.as_included() } else { tax });
        }
        Ok(decision)
    }
}

tessera_plugin::export!(CityTax: pricing);

#[cfg(test)]
mod tests {
    use tessera_plugin::Field;
    use tessera_plugin::testing::{Harness, basket, line};

    use super::*;

    fn taxes(city: &str, currency: &str) -> Vec<Adjustment> {
        let harness = Harness::new().settings(
            r#"{"cities": [
                {"city": "Berlin", "percent": "7.5"},
                {"city": "Vienna", "amount": 150, "currency": "EUR", "label": "Ortstaxe"},
                {"city": "Rome", "percent": "10", "included": true}
            ]}"#,
        );
        let basket = Basket {
            event: vec![Field::new("venue_city", city)],
            currency: currency.to_owned(),
            ..basket([line(2, 1_000), line(1, 333)])
        };
        harness.quote::<CityTax>(&basket).unwrap().adjustments
    }

    #[test]
    fn percentage_or_amount_is_added() {
        // 7.5 % of 333 are 24.975.
        let berlin = [(0, 150), (1, 25)].map(|(line, tax)| Adjustment::tax(tax, "City tax").on_line(line));
        assert_eq!(taxes("berlin", "EUR"), berlin);
        let vienna = [(0, 300), (1, 150)].map(|(line, tax)| Adjustment::tax(tax, "Ortstaxe").on_line(line));
        assert_eq!(taxes("Vienna", "EUR"), vienna);
        assert!(taxes("Vienna", "JPY").iter().all(|tax| tax.amount == 0));
    }

    #[test]
    fn included_tax_is_part_of_the_price() {
        // 2,000 of 110 % contain 181.82, and 333 contain 30.27.
        let rome = [(0, 182), (1, 30)].map(|(line, tax)| Adjustment::tax(tax, "City tax").on_line(line));
        assert_eq!(taxes("Rome", "EUR"), rome.map(Adjustment::as_included));
    }

    #[test]
    fn other_cities_and_events_without_a_venue_are_not_taxed() {
        assert!(taxes("Paris", "EUR").is_empty());
        let harness = Harness::new().settings(r#"{"cities": [{"city": "Berlin", "percent": "7.5"}]}"#);
        assert!(harness.quote::<CityTax>(&basket([line(1, 100)])).unwrap().adjustments.is_empty());
    }
}
