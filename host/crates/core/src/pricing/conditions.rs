//! When a rule applies to a line.

use std::collections::BTreeMap;

use crate::id::{EventId, TicketTypeId};
use crate::pricing::Percent;
use crate::pricing::line::PricedLine;
use crate::pricing::rule::{Clock, WriteRule};
use crate::time::Timestamp;

/// The minutes of a day.
const DAY: i64 = 24 * 60;

/// What rules depend on, apart from the basket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Circumstances {
    /// The event.
    pub event: EventId,
    /// The time of the quote.
    pub now: Timestamp,
    /// When the event starts.
    pub starts_at: Timestamp,
    /// The minutes by which the venue is ahead of UTC at the time of the quote.
    pub offset_now: i32,
    /// The same when the event starts.
    pub offset_start: i32,
    /// The share of each ticket type's units that are held or sold.
    pub sold: BTreeMap<TicketTypeId, Percent>,
}

impl Circumstances {
    /// Returns the share of a ticket type's units that are held or sold.
    #[must_use]
    pub fn sold(&self, ticket_type: TicketTypeId) -> Percent {
        self.sold.get(&ticket_type).copied().unwrap_or(Percent::share(0, 1))
    }

    /// Returns the indexes of the lines that a rule applies to.
    #[must_use]
    pub fn lines(&self, rule: &WriteRule, lines: &[PricedLine]) -> Vec<usize> {
        if !rule.enabled || !self.holds(rule) {
            return Vec::new();
        }
        let applies = |line: &PricedLine| {
            (rule.ticket_types.is_empty() || rule.ticket_types.contains(&line.ticket_type))
                && (rule.categories.is_empty() || rule.categories.contains(&line.category))
        };
        let matching = lines.iter().enumerate().filter(|(_, line)| applies(line));
        let (indexes, units): (Vec<_>, Vec<_>) = matching.map(|(index, line)| (index, line.quantity)).unzip();
        let units: u64 = units.into_iter().map(u64::from).sum();
        let enough = rule.min_quantity.is_none_or(|min| units >= min.into());
        let few = rule.max_quantity.is_none_or(|max| units <= max.into());
        if enough && few { indexes } else { Vec::new() }
    }

    /// Returns whether the conditions hold that do not depend on lines.
    fn holds(&self, rule: &WriteRule) -> bool {
        let minutes = self.starts_at.micros().saturating_sub(self.now.micros()).div_euclid(60_000_000);
        rule.event.is_none_or(|event| event == self.event)
            && rule.valid_from.is_none_or(|from| from <= self.now)
            && rule.valid_until.is_none_or(|until| self.now < until)
            && rule.min_minutes_to_start.is_none_or(|min| minutes >= min.into())
            && rule.max_minutes_to_start.is_none_or(|max| minutes < i64::from(max))
            && self.is_within(rule)
    }

    fn is_within(&self, rule: &WriteRule) -> bool {
        let (at, offset) = match rule.clock {
            Clock::Sale => (self.now, self.offset_now),
            Clock::Start => (self.starts_at, self.offset_start),
        };
        let local = at.micros().div_euclid(60_000_000).saturating_add(offset.into());
        // 1970-01-01 was a Thursday, three days after a Monday.
        let (weekday, minute) = ((local.div_euclid(DAY) + 3).rem_euclid(7), local.rem_euclid(DAY));
        let of_day = rule.weekdays.is_empty() || rule.weekdays.iter().any(|day| i64::from(*day) == weekday);
        let of_hour = rule.minutes.is_none_or(|(from, until)| {
            let (from, until) = (i64::from(from), i64::from(until));
            if from < until { (from..until).contains(&minute) } else { minute >= from || minute < until }
        });
        of_day && of_hour
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::rule::test_rule as rule;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse("t", text).unwrap()
    }

    /// A Tuesday evening in Berlin, quoted on the Sunday before.
    fn circumstances() -> Circumstances {
        Circumstances {
            event: EventId::generate(),
            now: at("2026-11-29T23:30:00Z"),
            starts_at: at("2026-12-01T19:00:00Z"),
            offset_now: 60,
            offset_start: 60,
            sold: BTreeMap::new(),
        }
    }

    fn line(category: &str, quantity: u32) -> PricedLine {
        PricedLine {
            ticket_type: TicketTypeId::generate(),
            name: "line".into(),
            category: category.into(),
            quantity,
            unit_price: 100,
            amount: 100 * i64::from(quantity),
        }
    }

    #[test]
    fn rule_without_conditions_applies_to_all_lines() {
        let lines = [line("", 1), line("child", 2)];
        assert_eq!(circumstances().lines(&rule(), &lines), [0, 1]);
        assert!(circumstances().lines(&WriteRule { enabled: false, ..rule() }, &lines).is_empty());
    }

    #[test]
    fn rule_applies_to_the_lines_that_it_names() {
        let lines = [line("", 1), line("child", 2), line("child", 1)];
        let by_category = WriteRule { categories: ["child".into()].into(), ..rule() };
        assert_eq!(circumstances().lines(&by_category, &lines), [1, 2]);
        let by_type = WriteRule { ticket_types: [lines[0].ticket_type].into(), ..rule() };
        assert_eq!(circumstances().lines(&by_type, &lines), [0]);
    }

    #[test]
    fn quantity_counts_the_units_of_all_matching_lines() {
        let lines = [line("", 1), line("child", 2), line("child", 3)];
        for (min, max, applies) in [(5, 5, true), (6, 9, false), (1, 4, false)] {
            let by_quantity = WriteRule {
                categories: ["child".into()].into(),
                min_quantity: Some(min),
                max_quantity: Some(max),
                ..rule()
            };
            assert_eq!(!circumstances().lines(&by_quantity, &lines).is_empty(), applies, "{min} to {max}");
        }
    }

    #[test]
    fn times_are_compared_half_open() {
        let lines = [line("", 1)];
        let now = circumstances().now;
        let applies = |rule: WriteRule| !circumstances().lines(&rule, &lines).is_empty();
        assert!(applies(WriteRule { valid_from: Some(now), ..rule() }));
        assert!(!applies(WriteRule { valid_until: Some(now), ..rule() }));
        // 43.5 hours before the start.
        assert!(applies(WriteRule { min_minutes_to_start: Some(2_610), ..rule() }));
        assert!(!applies(WriteRule { min_minutes_to_start: Some(2_611), ..rule() }));
        assert!(!applies(WriteRule { max_minutes_to_start: Some(2_610), ..rule() }));
        assert!(applies(WriteRule { max_minutes_to_start: Some(2_611), ..rule() }));
    }

    #[test]
    fn weekdays_and_hours_are_those_of_the_venue() {
        let lines = [line("", 1)];
        let applies = |clock, weekdays: &[u8], minutes| {
            let weekdays = weekdays.iter().copied().collect();
            !circumstances().lines(&WriteRule { clock, weekdays, minutes, ..rule() }, &lines).is_empty()
        };
        // The show is on a Tuesday at 20:00; the quote is made on Monday at 00:30.
        assert!(applies(Clock::Start, &[1], Some((20 * 60, 21 * 60))));
        assert!(!applies(Clock::Start, &[1], Some((19 * 60, 20 * 60))));
        assert!(!applies(Clock::Start, &[0], None));
        assert!(applies(Clock::Sale, &[0], Some((22 * 60, 60))));
        assert!(!applies(Clock::Sale, &[6], None));
        assert!(!applies(Clock::Sale, &[], Some((60, 22 * 60))));
    }
}
