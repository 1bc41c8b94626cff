//! Percentages, exact to a ten-thousandth of a percent.

use std::fmt;

use crate::error::{Error, Result};

/// The steps of one percent.
const STEPS: u32 = 10_000;

/// A percentage from 0 to 1,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Percent(u32);

impl Percent {
    /// The highest percentage.
    pub const MAX: Self = Self(1_000 * STEPS);
    /// One hundred percent.
    pub const HUNDRED: Self = Self(100 * STEPS);

    /// Reads a percentage that a client sent in `field`, such as "12.5".
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let expected = || {
            let message = format!("is {text:?}; a number from 0 to 1000 with at most 4 decimals is expected");
            Error::invalid(field, message)
        };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(decimals) || whole.len() > 4 || decimals.len() > 4 {
            return Err(expected());
        }
        let number = |digits: &str| digits.parse::<u32>().map_err(|_| expected());
        let steps = number(whole)? * STEPS + number(&format!("{decimals:0<4}"))?;
        if steps > Self::MAX.0 { Err(expected()) } else { Ok(Self(steps)) }
    }

    /// Returns the percentage of `part` in `whole`, rounded down; 0 where `whole` is 0.
    #[must_use]
    pub fn share(part: u64, whole: u64) -> Self {
        let steps = (u128::from(part) * u128::from(Self::HUNDRED.0)).checked_div(whole.into()).unwrap_or(0);
        Self(u32::try_from(steps).unwrap_or(Self::HUNDRED.0).min(Self::HUNDRED.0))
    }

    /// Returns this percentage of an amount, rounded half to even.
    #[must_use]
    pub fn of(self, amount: i64) -> i64 {
        rounded(i128::from(amount) * i128::from(self.0), i128::from(Self::HUNDRED.0))
    }

    /// Returns how much of an amount is this percentage of the rest, rounded half to even: the tax in a price that
    /// includes it.
    #[must_use]
    pub fn included_in(self, amount: i64) -> i64 {
        let rate = i128::from(self.0);
        rounded(i128::from(amount) * rate, i128::from(Self::HUNDRED.0) + rate)
    }

    /// Creates a percentage from its stored number of steps.
    #[must_use]
    pub fn from_steps(steps: u32) -> Option<Self> {
        (steps <= Self::MAX.0).then_some(Self(steps))
    }

    /// Returns the number of steps, ten thousand for each percent.
    #[must_use]
    pub const fn steps(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.0 / STEPS, self.0 % STEPS);
        if decimals == 0 {
            return write!(f, "{whole}");
        }
        let decimals = format!("{decimals:04}");
        write!(f, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

/// Divides and rounds half to even. The quotient of an `i64` by a rate fits into an `i64` where the rate is at most 1;
/// a higher rate is bounded by [`Percent::MAX`] and saturates.
fn rounded(dividend: i128, divisor: i128) -> i64 {
    let (quotient, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    let up = match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    let quotient = quotient + i128::from(up);
    i64::try_from(quotient).unwrap_or(if quotient < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str) -> Percent {
        Percent::parse("percent", text).unwrap()
    }

    #[test]
    fn text_is_read_and_written() {
        for text in ["0", "5", "12.5", "8.875", "0.0001", "1000"] {
            assert_eq!(percent(text).to_string(), text);
        }
        assert_eq!(percent("07.50").to_string(), "7.5");
        for bad in ["", "-1", "1000.0001", "1.00001", "5%", "1e2", ".5", "5.", "99999", "٣"] {
            assert!(Percent::parse("percent", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn halves_are_rounded_to_even() {
        let half = percent("50");
        let halves = [1, 3, 5, 7, -1, -3, -5, 0].map(|amount| half.of(amount));
        assert_eq!(halves, [0, 2, 2, 4, 0, -2, -2, 0]);
        assert_eq!(percent("8.875").of(10_000), 888);
        assert_eq!(percent("1000").of(i64::MAX), i64::MAX);
        assert_eq!(percent("100").of(i64::MIN), i64::MIN);
    }

    #[test]
    fn included_tax_is_part_of_the_price() {
        assert_eq!(percent("19").included_in(11_900), 1_900);
        assert_eq!(percent("7").included_in(100), 7);
        assert_eq!(percent("0").included_in(100), 0);
    }

    #[test]
    fn share_is_rounded_down_and_bounded() {
        assert_eq!(Percent::share(1, 3).to_string(), "33.3333");
        assert_eq!(Percent::share(7, 0), percent("0"));
        assert_eq!(Percent::share(u64::MAX, 1), Percent::HUNDRED);
    }
}
