//! Prices as they are displayed to buyers who have no basket yet.

use std::time::Duration;

use crate::id::{EventId, TicketTypeId};
use crate::pricing::{Percent, QuoteAdjustment};
use crate::time::Timestamp;
use crate::value::{Change, Money, Value};

/// The last point of a curve by time, counted from 0.
const LAST_TIME: i64 = 24;

/// The last point of a curve by the share sold, counted from 0.
const LAST_SHARE: u64 = 10;

/// The price of one unit of a ticket type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DisplayedPrice {
    /// The ticket type.
    pub ticket_type: TicketTypeId,
    /// Its name.
    pub name: String,
    /// The base price.
    pub base: Money,
    /// The price, in the currency of the base price.
    pub price: i64,
    /// The share of its units that are held or sold.
    pub sold: Percent,
    /// The adjustments, in the order in which they were made.
    pub adjustments: Vec<QuoteAdjustment>,
    /// Whether it is not displayed now, because a plugin refuses the unit. Then this is the price that was displayed last.
    pub left_out: bool,
}

/// The prices of an event's ticket types.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DisplayedPrices {
    /// The event.
    pub event: EventId,
    /// The prices, in the order of the ticket types.
    pub prices: Vec<DisplayedPrice>,
    /// When they were computed.
    pub computed_at: Timestamp,
    /// How often they were stored before, and 1 more.
    pub version: u64,
}

/// How the price of one unit of a ticket type would be at other times and shares sold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PriceCurves {
    /// The price by the time of the sale, from now to the start of the event.
    pub by_time: Vec<(Timestamp, Money)>,
    /// The price by the share of the ticket type's units that are held or sold.
    pub by_share_sold: Vec<(Percent, Money)>,
}

impl DisplayedPrice {
    /// Returns the price with its currency.
    #[must_use]
    pub fn money(&self) -> Money {
        Money { amount: self.price, currency: self.base.currency.clone() }
    }
}

impl DisplayedPrices {
    /// Returns whether they may still be displayed.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp, interval: Duration) -> bool {
        now < self.computed_at.plus(interval)
    }

    /// Takes the place of earlier prices, and keeps those of ticket types that exist and are left out now. When they are
    /// displayed again, the change is noticed.
    pub fn replace(&mut self, earlier: &Self, exists: impl Fn(TicketTypeId) -> bool) {
        self.version = earlier.version.saturating_add(1);
        for price in &earlier.prices {
            let is_known = self.prices.iter().any(|known| known.ticket_type == price.ticket_type);
            if !is_known && exists(price.ticket_type) {
                let adjustments = Vec::new();
                self.prices.push(DisplayedPrice { adjustments, left_out: true, ..price.clone() });
            }
        }
    }

    /// Returns the change of a ticket type's price to a newer one; `None` if it is the same, or was not known.
    #[must_use]
    pub fn change_to(&self, newer: &DisplayedPrice) -> Option<Change> {
        let older = self.prices.iter().find(|older| older.ticket_type == newer.ticket_type)?;
        let (before, after) = (older.money(), newer.money());
        let differs = before != after;
        differs.then(|| Change {
            field: "price".to_owned(),
            before: Value::Money(before),
            after: Value::Money(after),
        })
    }
}

/// Returns the times of a curve, evenly from now to the start of the event; now alone where it has started.
#[must_use]
pub fn times(now: Timestamp, starts_at: Timestamp) -> Vec<Timestamp> {
    let span = starts_at.micros().saturating_sub(now.micros());
    if span <= 0 {
        return vec![now];
    }
    let at = |point: i64| now.micros().saturating_add(span.saturating_mul(point) / LAST_TIME);
    (0..=LAST_TIME).map(|point| Timestamp::from_micros(at(point)).unwrap_or(starts_at)).collect()
}

/// Returns the shares sold of a curve, from 0 to 100 percent.
pub fn shares() -> impl Iterator<Item = Percent> {
    (0..=LAST_SHARE).map(|point| Percent::share(point, LAST_SHARE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse("t", text).unwrap()
    }

    fn price(ticket_type: TicketTypeId, price: i64) -> DisplayedPrice {
        DisplayedPrice {
            ticket_type,
            name: "Stalls".into(),
            base: Money { amount: 1_000, currency: "EUR".into() },
            price,
            sold: Percent::share(0, 1),
            adjustments: Vec::new(),
            left_out: false,
        }
    }

    #[test]
    fn times_are_even_and_end_at_the_start() {
        let (now, start) = (at("2026-11-29T00:00:00Z"), at("2026-11-30T00:00:00.000007Z"));
        let points = times(now, start);
        assert_eq!((points.len(), points[0], points[24]), (25, now, start));
        assert_eq!(points[6], at("2026-11-29T06:00:00.000001Z"));
        let longest = times(at("0001-01-01T00:00:00Z"), at("9999-12-31T23:59:59.999999Z"));
        assert_eq!(longest[24], at("9999-12-31T23:59:59.999999Z"));
        assert!(longest.is_sorted());
        for started in [now, now.minus(Duration::from_secs(1))] {
            assert_eq!(times(now, started), [now]);
        }
    }

    #[test]
    fn shares_are_tenths() {
        let texts: Vec<_> = shares().map(|share| share.to_string()).collect();
        assert_eq!(texts, ["0", "10", "20", "30", "40", "50", "60", "70", "80", "90", "100"]);
    }

    #[test]
    fn change_names_prices_that_differ() {
        let (known, other) = (TicketTypeId::generate(), TicketTypeId::generate());
        let (prices, computed_at) = (vec![price(known, 1_100)], at("2026-11-29T00:00:00Z"));
        let before = DisplayedPrices { event: EventId::generate(), prices, computed_at, version: 1 };
        assert_eq!(before.change_to(&price(known, 1_100)), None);
        assert_eq!(before.change_to(&price(other, 1_200)), None);
        let change = before.change_to(&price(known, 1_200)).unwrap();
        let euros = |amount| Value::Money(Money { amount, currency: "EUR".into() });
        assert_eq!((change.before, change.after), (euros(1_100), euros(1_200)));
    }

    #[test]
    fn price_that_is_left_out_is_kept_until_it_is_back() {
        let [known, away, gone] = [(); 3].map(|()| TicketTypeId::generate());
        let (event, computed_at) = (EventId::generate(), at("2026-11-29T00:00:00Z"));
        let of = |prices| DisplayedPrices { event, prices, computed_at, version: 1 };
        let first = of(vec![price(known, 1_000), price(away, 2_000), price(gone, 3_000)]);
        let mut second = of(vec![price(known, 1_100)]);
        second.replace(&first, |id| id != gone);
        let left_out = DisplayedPrice { left_out: true, ..price(away, 2_000) };
        assert_eq!((second.version, &second.prices[..]), (2, &[price(known, 1_100), left_out.clone()][..]));
        assert_eq!(first.change_to(&left_out), None);
        let mut third = of(vec![price(known, 1_100)]);
        third.replace(&second, |_| true);
        assert_eq!((third.version, &third.prices), (3, &second.prices));
        assert!(third.change_to(&price(away, 2_200)).is_some());
        let mut fourth = of(vec![price(away, 2_200)]);
        fourth.replace(&third, |id| id == away);
        assert_eq!((fourth.version, fourth.prices), (4, vec![price(away, 2_200)]));
    }

    #[test]
    fn prices_are_fresh_for_the_interval() {
        let computed_at = at("2026-11-29T00:00:00Z");
        let event = EventId::generate();
        let prices = DisplayedPrices { event, prices: Vec::new(), computed_at, version: 1 };
        let interval = Duration::from_secs(300);
        assert!(prices.is_fresh(at("2026-11-29T00:04:59.999999Z"), interval));
        assert!(!prices.is_fresh(at("2026-11-29T00:05:00Z"), interval));
    }
}
