//! Baskets for checks, generated from a seed.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;
use tessera_core::plugin::{Adjustment, AdjustmentKind, Basket, BasketLine};
use tessera_core::pricing::{Percent, price_before};
use tessera_core::{Field, Timestamp, money};

/// The most texts of settings that baskets use, and the most characters of each.
const MAX_WORDS: usize = 1_000;
const MAX_WORD: usize = 50;

/// The most lines of a basket, and the most codes.
const MAX_LINES: u64 = 6;
const MAX_CODES: u64 = 3;

const HOUR: u64 = 3_600;

/// The kinds of adjustments of plugins. Fees and taxes of rules come after plugins.
const KINDS: [AdjustmentKind; 4] =
    [AdjustmentKind::Surcharge, AdjustmentKind::Discount, AdjustmentKind::Fee, AdjustmentKind::Tax];

/// Makes baskets. The same seed and words make the same baskets.
pub(super) struct Generator {
    random: Random,
    /// Texts that may be codes, cities and categories.
    words: Vec<String>,
    currencies: Vec<String>,
}

/// Adds the texts of a JSON value that can be codes.
pub(super) fn add_texts(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            let is_usable = (1..=MAX_WORD).contains(&length) && !text.chars().any(char::is_control);
            if is_usable && words.len() < MAX_WORDS {
                words.push(text.clone());
            }
        }
        Value::Array(values) => values.iter().for_each(|value| add_texts(value, words)),
        Value::Object(members) => members.values().for_each(|value| add_texts(value, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Generator {
    /// Creates a generator. `words` are texts that the plugin may know.
    pub(super) fn new(seed: u64, mut words: Vec<String>) -> Self {
        let of_words = words.iter().filter(|word| money::exponent(word).is_some()).cloned();
        let currencies = of_words.chain(["EUR", "USD", "JPY", "KWD"].map(str::to_owned)).collect();
        words.push("UNKNOWN".to_owned());
        Self { random: Random(seed), words, currencies }
    }

    /// Returns the next basket, of an event that starts from a day before to 400 days after `now`.
    pub(super) fn basket(&mut self, now: Timestamp) -> Basket {
        let currency = self.random.pick(&self.currencies).cloned().unwrap_or_default();
        let hours = Duration::from_secs(self.random.within(0..=401 * 24) * HOUR);
        let offset = self.random.pick(&[-480, 0, 60, 330, 765]).copied().unwrap_or_default();
        let summer = if self.random.one_in(2) { 60 } else { 0 };
        let lines = (0..self.random.within(1..=MAX_LINES)).map(|number| self.line(number)).collect();
        let mut basket = Basket {
            event: self.event(),
            starts_at: Some(now.minus(Duration::from_secs(24 * HOUR)).plus(hours)),
            offset_now: offset,
            offset_start: offset + summer,
            currency_exponent: money::exponent(&currency).unwrap_or_default(),
            currency,
            lines,
            codes: self.codes(),
            channel: self.random.pick(&["", "web", "box-office"]).copied().unwrap_or_default().to_owned(),
            buyer: Vec::new(),
            applied: Vec::new(),
        };
        if self.random.one_in(2) {
            basket.buyer.push(Field::new("id", "buyer-1"));
        }
        if self.random.one_in(2) {
            self.add_steps(&mut basket);
        }
        basket
    }

    fn event(&mut self) -> Vec<Field> {
        let city = if self.random.one_in(4) { "Berlin" } else { self.word() };
        vec![
            Field::new("title", "A night"),
            Field::new("category", "music"),
            Field::new("venue_name", "Hall"),
            Field::new("venue_city", city),
            Field::new("venue_country", "DE"),
        ]
    }

    fn line(&mut self, number: u64) -> BasketLine {
        let quantity = if self.random.one_in(6) { 1..=100 } else { 1..=10 };
        let price = match self.random.within(0..=9) {
            0 => 0..=0,
            1 | 2 => 1..=10,
            3 => 1..=1_000_000_000,
            _ => 100..=20_000,
        };
        let quantity = self.random.small(quantity);
        let unit_price = i64::from(self.random.small(price));
        let (available, capacity) = if self.random.one_in(8) {
            // Pools without a bound.
            (u32::MAX, u32::MAX)
        } else {
            let capacity = self.random.small(1..=10_000);
            (self.random.small(0..=u64::from(capacity)), capacity)
        };
        let category = self.random.one_in(4).then(|| Field::new("category", self.word()));
        let sold = Percent::share(self.random.within(0..=1_000), 1_000).to_string();
        BasketLine {
            ticket_type: format!("00000000-0000-7000-8000-{number:012}"),
            name: format!("Ticket {number}"),
            quantity,
            unit_price,
            available,
            capacity,
            attributes: category.into_iter().chain([Field::new("sold", sold.as_str())]).collect(),
        }
    }

    /// Adds adjustments that the host makes before it calls a plugin: of rules, promotions and other plugins.
    fn add_steps(&mut self, basket: &mut Basket) {
        for (source, most) in [("rule", 3), ("promotion", 1), ("plugin", 2)] {
            let version = if source == "plugin" { "0".repeat(64) } else { "1".to_owned() };
            for number in 0..self.random.within(0..=most) {
                let Ok(before) = price_before(basket) else { return };
                let amounts: Vec<i64> = before.lines().iter().map(|line| line.amount).collect();
                let step = self.step(source, &amounts);
                if step.amount != 0 {
                    let id = format!("00000000-0000-7000-8000-{number:012}");
                    basket.applied.push((format!("{source}:{id}@{version}"), step));
                }
            }
        }
    }

    /// Returns an adjustment of a price. A discount may leave nothing of it, and never less than that.
    fn step(&mut self, source: &str, amounts: &[i64]) -> Adjustment {
        let last = (amounts.len() as u64).saturating_sub(1);
        let index = self.random.one_in(2).then(|| self.random.small(0..=last));
        let price: i64 = match index {
            Some(index) => amounts.get(index as usize).copied().unwrap_or_default(),
            None => amounts.iter().sum(),
        };
        let price = u64::try_from(price).unwrap_or_default();
        let amount = match self.random.within(0..=3) {
            0 => price,
            1 => price.saturating_sub(1),
            _ => self.random.within(0..=price),
        };
        let amount = i64::try_from(amount).unwrap_or_default();
        let kinds: &[AdjustmentKind] = match source {
            "rule" => &[AdjustmentKind::Discount, AdjustmentKind::Surcharge],
            "promotion" => &[AdjustmentKind::Discount],
            _ => &KINDS,
        };
        let kind = self.random.pick(kinds).copied().unwrap_or(AdjustmentKind::Discount);
        let can_be_included = matches!(kind, AdjustmentKind::Fee | AdjustmentKind::Tax);
        Adjustment {
            kind,
            line: index,
            amount: if kind == AdjustmentKind::Discount { -amount } else { amount },
            included: can_be_included && self.random.one_in(2),
            label: "Step before".to_owned(),
            code: (source == "promotion").then(|| self.word().to_owned()),
            attributes: Vec::new(),
        }
    }

    fn codes(&mut self) -> Vec<String> {
        let mut codes: Vec<String> = Vec::new();
        for _ in 0..self.random.within(0..=MAX_CODES) {
            let code = self.word();
            if !codes.iter().any(|other| other == code) {
                codes.push(code.to_owned());
            }
        }
        codes
    }

    fn word(&mut self) -> &str {
        self.random.pick(&self.words).map_or("", String::as_str)
    }
}

/// The generator splitmix64: small, and the same numbers on every machine.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Returns a number of a range.
    fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (first, last) = range.into_inner();
        first + self.bits() % last.saturating_sub(first).saturating_add(1)
    }

    /// Returns a number of a range, at most the largest `u32`.
    fn small(&mut self, range: RangeInclusive<u64>) -> u32 {
        u32::try_from(self.within(range)).unwrap_or(u32::MAX)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.within(1..=count) == 1
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let index = self.bits().checked_rem(of.len() as u64)?;
        of.get(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn same_seed_makes_the_same_baskets() {
        let baskets = |seed| -> Vec<Basket> {
            let mut generator = Generator::new(seed, vec!["FRIENDS".to_owned()]);
            (0..20).map(|_| generator.basket(Timestamp::default())).collect()
        };
        assert_eq!(baskets(7), baskets(7));
        assert_ne!(baskets(7), baskets(8));
    }

    #[test]
    fn generated_baskets_have_a_price_and_all_kinds_of_parts() {
        let mut generator = Generator::new(1, vec!["FRIENDS".to_owned()]);
        let baskets: Vec<_> = (0..200).map(|_| generator.basket(Timestamp::default())).collect();
        assert!(baskets.iter().all(|basket| price_before(basket).is_ok()));
        let has = |part: &dyn Fn(&Basket) -> bool| baskets.iter().any(part);
        assert!(has(&|basket| basket.codes.iter().any(|code| code == "FRIENDS")));
        assert!(has(&|basket| basket.codes.is_empty()) && has(&|basket| basket.buyer.is_empty()));
        assert!(has(&|basket| basket.lines.len() == 1) && has(&|basket| basket.lines.len() == 6));
        assert!(has(&|basket| basket.lines.iter().any(|line| line.unit_price == 0)));
        assert!(has(&|basket| basket.lines.iter().any(|line| line.capacity == u32::MAX)));
    }

    #[test]
    fn steps_before_have_all_sources_and_kinds_and_may_leave_no_price() {
        let mut generator = Generator::new(1, vec!["FRIENDS".to_owned()]);
        let baskets: Vec<_> = (0..200).map(|_| generator.basket(Timestamp::default())).collect();
        let applied: Vec<_> = baskets.iter().flat_map(|basket| &basket.applied).collect();
        for source in ["rule:", "promotion:", "plugin:"] {
            assert!(applied.iter().any(|(from, _)| from.starts_with(source)), "{source}");
        }
        for kind in KINDS {
            assert!(applied.iter().any(|(_, step)| step.kind == kind), "{}", kind.name());
        }
        assert!(applied.iter().any(|(_, step)| step.included));
        // A plugin that takes a share of the base price makes this one negative.
        let is_free = |basket: &Basket| {
            let after = price_before(basket).unwrap();
            let mut lines = basket.lines.iter().zip(after.lines());
            lines.any(|(line, after)| line.quantity >= 10 && line.unit_price >= 10 && after.amount == 0)
        };
        assert!(baskets.iter().any(is_free));
    }

    #[test]
    fn texts_of_settings_become_words() {
        let mut words = Vec::new();
        let settings =
            json!({"codes": [{"code": "A", "percent": "10"}, {"code": ""}], "n": 1, "long": "x".repeat(51)});
        add_texts(&settings, &mut words);
        words.sort();
        assert_eq!(words, ["10", "A"]);
    }
}
