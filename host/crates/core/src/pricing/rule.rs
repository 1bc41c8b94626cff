//! Pricing rules: changes of prices that a tenant describes as data.

use std::collections::BTreeSet;

use crate::catalog::ticket_type::{MAX_CATEGORY, MAX_PURCHASE};
use crate::error::{Error, Result};
use crate::filter::{Kind, Spec};
use crate::id::{EventId, RuleId, TicketTypeId};
use crate::input::input;
use crate::money;
use crate::plugin::AdjustmentKind;
use crate::pricing::Percent;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Money, Snapshot, Value};

/// The most rules of a tenant.
pub const MAX_RULES: usize = 200;

/// The largest page of rules, which holds all those of a tenant.
pub const MAX_PAGE: u32 = 200;
const _: () = assert!(MAX_PAGE as usize >= MAX_RULES, "a tenant's rules fit in one page");

/// The most steps by share sold.
const MAX_STEPS: usize = 20;
/// The most ticket types and categories that a rule names.
const MAX_NAMES: usize = 50;
/// The longest time before an event's start that a rule names: ten years in minutes.
const MAX_MINUTES: u32 = 10 * 366 * 24 * 60;
/// The minutes of a day.
const DAY: u16 = 24 * 60;

/// What an amount is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Per {
    /// Each unit.
    Unit,
    /// The whole basket, once.
    Order,
}

impl Per {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Unit, Self::Order];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Order => "order",
        }
    }
}

/// A percentage that applies from a share of sold units on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SoldStep {
    /// The share of the ticket type's units that must be held or sold.
    pub sold: Percent,
    /// The percentage of the price.
    pub percent: Percent,
}

/// By how much a rule changes the price.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum RuleValue {
    /// A percentage of the price as the steps before left it.
    Percent(Percent),
    /// An amount.
    Amount(Money, Per),
    /// A percentage of the price by the share sold: that of the last step that is reached.
    Steps(Vec<SoldStep>),
}

/// The time that weekdays and hours are compared with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Clock {
    /// The start of the event.
    #[default]
    Start,
    /// The time of the quote.
    Sale,
}

impl Clock {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Start, Self::Sale];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Sale => "sale",
        }
    }
}

/// The names of the days of the week, Monday first.
pub const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

input! {
    /// The attributes of a rule that clients write.
    WriteRule,
    /// A change of a rule; absent attributes stay as they are.
    ChangeRule {
        /// The label of its adjustments, for buyers.
        name: String,
        /// The kind of its adjustments. Discounts reduce the price.
        kind: AdjustmentKind,
        /// By how much it changes the price.
        value: RuleValue as "percent" | "amount" | "per" | "steps",
        /// Whether prices contain it already: the tax or fee is shown and not added.
        included: bool,
        /// The event that it is for; `None`: all.
        event: Option<EventId> as "event_id",
        /// The ticket types that it is for; empty: all.
        ticket_types: BTreeSet<TicketTypeId> as "ticket_type_ids",
        /// The categories of buyers that it is for; empty: all.
        categories: BTreeSet<String>,
        /// When it begins to apply.
        valid_from: Option<Timestamp>,
        /// When it ends.
        valid_until: Option<Timestamp>,
        /// The fewest minutes to the event's start, for early birds.
        min_minutes_to_start: Option<u32>,
        /// The most minutes to the event's start, for last minutes.
        max_minutes_to_start: Option<u32>,
        /// The fewest units in the lines that it is for.
        min_quantity: Option<u32>,
        /// The most units in the lines that it is for.
        max_quantity: Option<u32>,
        /// The days of the week at the venue, 0 for Monday; empty: all.
        weekdays: BTreeSet<u8>,
        /// The first minute of the day at the venue and the one after the last; past midnight if the second is smaller.
        minutes: Option<(u16, u16)> as "from_time" | "until_time",
        /// The time that weekdays and minutes are compared with.
        clock: Clock,
        /// Its order among the rules of its kind; ties are broken by id.
        order: i32,
        /// Whether it applies.
        enabled: bool,
    }
}

/// A pricing rule.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PricingRule {
    /// Its id.
    pub id: RuleId,
    /// The attributes that clients write.
    pub attributes: WriteRule,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its version, incremented by each change.
    pub version: u64,
}

impl PricingRule {
    /// Returns its place in the order in which rules apply: prices first, then fees, then taxes.
    #[must_use]
    pub fn rank(&self) -> (Phase, i32, RuleId) {
        (Phase::of(self.attributes.kind), self.attributes.order, self.id)
    }

    /// Returns whether it is enabled and for the event, whatever its other conditions are.
    #[must_use]
    pub fn applies_to(&self, event: EventId) -> bool {
        self.attributes.enabled && self.attributes.event.is_none_or(|only| only == event)
    }
}

/// The part of a quote that a rule belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// Surcharges and discounts. Plugins are called after them.
    Prices,
    /// Fees.
    Fees,
    /// Taxes.
    Taxes,
}

impl Phase {
    /// Returns the phase of adjustments of that kind.
    #[must_use]
    pub const fn of(kind: AdjustmentKind) -> Self {
        match kind {
            AdjustmentKind::Surcharge | AdjustmentKind::Discount => Self::Prices,
            AdjustmentKind::Fee => Self::Fees,
            AdjustmentKind::Tax => Self::Taxes,
        }
    }
}

/// The filters and orders of lists of rules.
pub const SPEC: Spec = Spec {
    fields: &[("event", Kind::Id), ("kind", Kind::Text), ("enabled", Kind::Boolean)],
    orders: &["created"],
};

impl WriteRule {
    /// Checks what clients may write.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("name", &self.name, 1, 100);
        self.check_value(&mut faults);
        if self.included && !matches!(self.kind, AdjustmentKind::Fee | AdjustmentKind::Tax) {
            faults.add("included", "is only for fees and taxes");
        }
        if self.ticket_types.len() > MAX_NAMES {
            faults.add("ticket_type_ids", format_args!("has more than {MAX_NAMES} entries"));
        }
        if self.categories.len() > MAX_NAMES {
            faults.add("categories", format_args!("has more than {MAX_NAMES} entries"));
        }
        for category in self.categories.iter().take(MAX_NAMES) {
            faults.text("categories", category, 1, MAX_CATEGORY);
        }
        if let (Some(from), Some(until)) = (self.valid_from, self.valid_until)
            && until <= from
        {
            faults.add("valid_until", "is not after valid_from");
        }
        check_bounds(
            ("min_minutes_to_start", self.min_minutes_to_start),
            ("max_minutes_to_start", self.max_minutes_to_start),
            (0, MAX_MINUTES),
            &mut faults,
        );
        let units = (1, MAX_PURCHASE);
        check_bounds(
            ("min_quantity", self.min_quantity),
            ("max_quantity", self.max_quantity),
            units,
            &mut faults,
        );
        if self.weekdays.iter().any(|day| usize::from(*day) >= WEEKDAYS.len()) {
            faults.add("weekdays", "names a day that does not exist");
        }
        if let Some((from, until)) = self.minutes
            && (from >= DAY || until > DAY || from == until)
        {
            faults.add("until_time", "must differ from from_time; both are times of a day such as 18:30");
        }
        faults.into_result()
    }

    fn check_value(&self, faults: &mut Faults) {
        match &self.value {
            RuleValue::Percent(percent) => self.check_percent("percent", *percent, faults),
            RuleValue::Amount(amount, _) => money::check("amount", amount, faults),
            RuleValue::Steps(steps) => {
                if steps.is_empty() || steps.len() > MAX_STEPS {
                    let message = format_args!("has {} entries; 1 to {MAX_STEPS} are allowed", steps.len());
                    faults.add("steps", message);
                }
                for (index, step) in steps.iter().enumerate() {
                    self.check_percent(&format!("steps[{index}].percent"), step.percent, faults);
                    if step.sold > Percent::HUNDRED {
                        faults.add(&format!("steps[{index}].sold"), "is more than 100");
                    }
                }
                if !steps.is_sorted_by(|one, next| one.sold < next.sold) {
                    faults.add(
                        "steps",
                        "must be sorted by \"sold\", each with a larger share than the one before",
                    );
                }
            }
        }
    }

    fn check_percent(&self, field: &str, percent: Percent, faults: &mut Faults) {
        if self.kind == AdjustmentKind::Discount && percent > Percent::HUNDRED {
            faults.add(field, "is more than 100, which no discount can be");
        }
    }
}

fn check_bounds(
    (min_field, min): (&str, Option<u32>),
    (max_field, max): (&str, Option<u32>),
    (least, most): (u32, u32),
    faults: &mut Faults,
) {
    for (field, bound) in [(min_field, min), (max_field, max)] {
        if bound.is_some_and(|bound| !(least..=most).contains(&bound)) {
            faults.add(field, format_args!("is not within {least} to {most}"));
        }
    }
    if let (Some(min), Some(max)) = (min, max)
        && max < min
    {
        faults.add(max_field, format_args!("is less than {min_field}"));
    }
}

/// Reads a time of day such as 18:30 as minutes; 24:00 is the end of the day.
pub fn minute_of_day(field: &str, text: &str) -> Result<u16> {
    let expected =
        || Error::invalid(field, format!("is {text:?}; a time of a day such as 18:30 is expected"));
    let (hours, minutes) = text.split_once(':').ok_or_else(expected)?;
    let number = |digits: &str| {
        let two = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        two.then(|| digits.parse::<u16>().ok()).flatten()
    };
    match (number(hours), number(minutes)) {
        (Some(hours), Some(minutes)) if minutes < 60 && hours * 60 + minutes <= DAY => {
            Ok(hours * 60 + minutes)
        }
        _ => Err(expected()),
    }
}

/// Writes a minute of a day as a time such as 18:30.
#[must_use]
pub fn time_of_day(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

impl Snapshot for PricingRule {
    fn snapshot(&self) -> Vec<Field> {
        let WriteRule {
            name,
            kind,
            value,
            included,
            event,
            ticket_types,
            categories,
            valid_from,
            valid_until,
            min_minutes_to_start,
            max_minutes_to_start,
            min_quantity,
            max_quantity,
            weekdays,
            minutes,
            clock,
            order,
            enabled,
        } = &self.attributes;
        let time = |at: &Option<Timestamp>| at.map_or(Value::None, Value::Time);
        let number = |number: &Option<u32>| Value::count(number.map(u64::from));
        let (mut percent, mut amount, mut per, mut steps) = (None, Value::None, None, Value::None);
        match value {
            RuleValue::Percent(of) => percent = Some(of.to_string()),
            RuleValue::Amount(of, each) => {
                (amount, per) = (Value::Money(of.clone()), Some(each.name()));
            }
            RuleValue::Steps(of) => {
                let texts = of.iter().map(|step| format!("{} % from {} % sold", step.percent, step.sold));
                steps = Value::Texts(texts.collect());
            }
        }
        let weekdays = weekdays.iter().filter_map(|day| WEEKDAYS.get(usize::from(*day)));
        vec![
            Field::new("name", name.as_str()),
            Field::new("kind", kind.name()),
            Field::new("percent", Value::from(percent)),
            Field::new("amount", amount),
            Field::new("per", Value::from(per)),
            Field::new("steps", steps),
            Field::new("included", *included),
            Field::new("event_id", Value::from(*event)),
            Field::new(
                "ticket_type_ids",
                Value::Texts(ticket_types.iter().map(ToString::to_string).collect()),
            ),
            Field::new("categories", Value::Texts(categories.iter().cloned().collect())),
            Field::new("valid_from", time(valid_from)),
            Field::new("valid_until", time(valid_until)),
            Field::new("min_minutes_to_start", number(min_minutes_to_start)),
            Field::new("max_minutes_to_start", number(max_minutes_to_start)),
            Field::new("min_quantity", number(min_quantity)),
            Field::new("max_quantity", number(max_quantity)),
            Field::new("clock", clock.name()),
            Field::new("weekdays", Value::Texts(weekdays.map(|&day| day.to_owned()).collect())),
            Field::new("from_time", Value::from(minutes.map(|(from, _)| time_of_day(from)))),
            Field::new("until_time", Value::from(minutes.map(|(_, until)| time_of_day(until)))),
            Field::new("order", Value::Integer(i64::from(*order))),
            Field::new("enabled", *enabled),
        ]
    }
}

/// Returns a rule for tests: a discount of everything without conditions.
#[cfg(test)]
pub(super) fn test_rule() -> WriteRule {
    WriteRule {
        name: "rule".into(),
        kind: AdjustmentKind::Discount,
        value: RuleValue::Percent(Percent::HUNDRED),
        included: false,
        event: None,
        ticket_types: std::iter::empty().collect(),
        categories: std::iter::empty().collect(),
        valid_from: None,
        valid_until: None,
        min_minutes_to_start: None,
        max_minutes_to_start: None,
        min_quantity: None,
        max_quantity: None,
        weekdays: std::iter::empty().collect(),
        minutes: None,
        clock: Clock::default(),
        order: 0,
        enabled: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_and_written() {
        for (text, minute) in [("00:00", 0), ("18:30", 1_110), ("24:00", 1_440)] {
            assert_eq!(minute_of_day("t", text).unwrap(), minute);
            assert_eq!(time_of_day(minute), text);
        }
        for bad in ["", "8:30", "24:01", "12:60", "12", "12:30:00", "-1:00", "ab:cd"] {
            assert!(minute_of_day("t", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn faulty_rule_is_refused_with_each_fault() {
        let rule = WriteRule {
            name: String::new(),
            kind: AdjustmentKind::Discount,
            value: RuleValue::Percent(Percent::MAX),
            included: true,
            event: None,
            ticket_types: BTreeSet::new(),
            categories: [String::new()].into(),
            valid_from: Some(Timestamp::default()),
            valid_until: Some(Timestamp::default()),
            min_minutes_to_start: Some(10),
            max_minutes_to_start: Some(9),
            min_quantity: Some(0),
            max_quantity: None,
            weekdays: [7].into(),
            minutes: Some((60, 60)),
            clock: Clock::default(),
            order: 0,
            enabled: true,
        };
        let error = rule.check().unwrap_err();
        let fields: Vec<_> = error.faults().iter().map(|fault| fault.field.as_str()).collect();
        let expected = [
            "name",
            "percent",
            "included",
            "categories",
            "valid_until",
            "max_minutes_to_start",
            "min_quantity",
            "weekdays",
            "until_time",
        ];
        assert_eq!(fields, expected);
    }
}
