//! Exact arithmetic of money in whole minor units. It rounds as the host does.

use std::fmt;

use serde_core::de::{Deserialize, Deserializer, Error, Visitor};

/// Steps of one percent.
const STEPS: u32 = 10_000;

/// A percentage from 0 to 1,000, exact to a ten-thousandth of a percent. In settings it is a text such as `"12.5"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Percent(u32);

impl Percent {
    /// The highest percentage.
    pub const MAX: Self = Self(1_000 * STEPS);
    /// One hundred percent.
    pub const HUNDRED: Self = Self(100 * STEPS);

    /// Makes a whole percentage. More than 1,000 is 1,000.
    #[must_use]
    pub const fn whole(percent: u32) -> Self {
        if percent > 1_000 { Self::MAX } else { Self(percent * STEPS) }
    }

    /// Reads a percentage such as "12.5", with at most 4 decimals.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        if whole.len() > 4 || decimals.len() > 4 {
            return None;
        }
        let scale = 10_u32.pow(4 - decimals.len() as u32);
        let steps = digits(whole)? * STEPS + digits(decimals)? * scale;
        (steps <= Self::MAX.0).then_some(Self(steps))
    }

    /// Returns the percentage of `part` in `whole`, rounded down and at most 100; 0 where `whole` is 0.
    #[must_use]
    pub fn share(part: u64, whole: u64) -> Self {
        let steps = (u128::from(part) * u128::from(Self::HUNDRED.0)).checked_div(whole.into()).unwrap_or(0);
        Self(u32::try_from(steps).unwrap_or(Self::HUNDRED.0).min(Self::HUNDRED.0))
    }

    /// Returns this percentage of an amount, rounded half to even.
    #[must_use]
    pub fn of(self, amount: i64) -> i64 {
        rounded(i128::from(amount) * i128::from(self.0), Self::HUNDRED.0.into())
    }

    /// Returns how much of an amount is this percentage of the rest, rounded half to even: the tax in a price that
    /// includes it.
    #[must_use]
    pub fn included_in(self, amount: i64) -> i64 {
        rounded(i128::from(amount) * i128::from(self.0), i128::from(Self::HUNDRED.0 + self.0))
    }
}

/// Reads a number without a sign.
fn digits(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Divides and rounds half to even. Saturates at the bounds of `i64`.
fn rounded(dividend: i128, divisor: i128) -> i64 {
    let (quotient, twice_rest) = (dividend / divisor, (dividend % divisor).abs() * 2);
    let away = twice_rest > divisor || (twice_rest == divisor && quotient % 2 != 0);
    let rounded = if away { quotient + dividend.signum() } else { quotient };
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Percent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a percentage such as \"12.5\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Percent, E> {
                Percent::parse(text).ok_or_else(|| E::custom("a percentage from 0 to 1000 is expected"))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// Splits an amount in proportion to weights, of which none may be negative. The parts sum to the amount; units that
/// are left over by rounding go to the parts with the largest remainders, the first of equals. All weights zero: the
/// parts are as equal as possible.
#[must_use]
pub fn spread(amount: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    let (equal, sum) = if sum == 0 { (true, weights.len() as i128) } else { (false, sum) };
    let magnitude = i128::from(amount).abs();
    let (mut parts, mut remainders, mut missing) = (Vec::new(), Vec::new(), magnitude);
    for weight in weights {
        let product = magnitude * if equal { 1 } else { i128::from(*weight) };
        parts.push(product / sum);
        remainders.push(product % sum);
        missing -= product / sum;
    }
    // Searched instead of sorted: a basket has few lines, and sorting takes much code.
    for _ in 0..missing {
        let by_remainder = remainders.iter().enumerate().rev();
        let Some((largest, _)) = by_remainder.max_by_key(|(_, remainder)| **remainder) else { break };
        parts[largest] += 1;
        remainders[largest] = -1;
    }
    let sign = i128::from(amount.signum());
    // Each part is at most the amount, so it fits.
    parts.into_iter().map(|part| i64::try_from(part * sign).unwrap_or(amount)).collect()
}

/// Converts a whole amount into minor units: 12 with the exponent 2 is 1200. Returns `None` on overflow.
#[must_use]
pub fn from_major(major: i64, exponent: u8) -> Option<i64> {
    major.checked_mul(10_i64.checked_pow(u32::from(exponent))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str) -> Percent {
        Percent::parse(text).unwrap()
    }

    #[test]
    fn percentage_is_read_exactly_or_not_at_all() {
        assert_eq!(percent("12.5"), Percent(125_000));
        assert_eq!(percent("07.50"), Percent(75_000));
        assert_eq!(percent("0.0001"), Percent(1));
        assert_eq!((percent("1000"), percent("100")), (Percent::MAX, Percent::HUNDRED));
        assert_eq!((Percent::whole(7), Percent::whole(2_000)), (percent("7"), Percent::MAX));
        for bad in ["", "-1", "+1", "1000.0001", "1.00001", "5%", "1e2", ".5", "5.", "1..2", "99999", "٣"] {
            assert_eq!(Percent::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn settings_have_percentages_as_texts() {
        assert_eq!(crate::json::from_str(r#"["12.5"]"#).ok(), Some(vec![percent("12.5")]));
        for bad in [r#""1001""#, "12", "12.5", "null"] {
            assert!(crate::json::from_str::<Percent>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn halves_are_rounded_to_even() {
        let halves = [1, 3, 5, 7, -1, -3, -5, 0].map(|amount| Percent::whole(50).of(amount));
        assert_eq!(halves, [0, 2, 2, 4, 0, -2, -2, 0]);
        assert_eq!(percent("8.875").of(10_000), 888);
        assert_eq!(percent("8.875").of(-10_000), -888);
        assert_eq!(Percent::MAX.of(i64::MAX), i64::MAX);
        assert_eq!(Percent::HUNDRED.of(i64::MIN), i64::MIN);
    }

    #[test]
    fn included_tax_is_part_of_the_price() {
        assert_eq!(Percent::whole(19).included_in(11_900), 1_900);
        assert_eq!(Percent::whole(7).included_in(100), 7);
        assert_eq!(Percent::whole(0).included_in(100), 0);
    }

    #[test]
    fn share_is_rounded_down_and_bounded() {
        assert_eq!(Percent::share(1, 3), percent("33.3333"));
        assert_eq!(Percent::share(7, 0), Percent::whole(0));
        assert_eq!(Percent::share(u64::MAX, 1), Percent::HUNDRED);
    }

    #[test]
    fn remainder_goes_to_the_largest_fractions() {
        assert_eq!(spread(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(spread(-100, &[1, 1, 1]), [-34, -33, -33]);
        assert_eq!(spread(10, &[1, 2, 4]), [1, 3, 6]);
        assert_eq!(spread(5, &[0, 0]), [3, 2]);
        assert_eq!(spread(7, &[0, 3, 0]), [0, 7, 0]);
        assert_eq!(spread(i64::MIN, &[1]), [i64::MIN]);
        assert!(spread(0, &[]).is_empty() && spread(5, &[]).is_empty());
    }

    #[test]
    fn parts_sum_to_the_amount() {
        for amount in [-1_001, -1, 0, 1, 99, 100, 1_000_000_007, i64::MAX] {
            for weights in [&[1, 1, 1][..], &[3, 0, 7], &[0, 0], &[5], &[i64::MAX, i64::MAX, 1]] {
                assert_eq!(spread(amount, weights).iter().sum::<i64>(), amount, "{amount} {weights:?}");
            }
        }
    }

    #[test]
    fn whole_amounts_are_converted_by_exponent() {
        assert_eq!(
            (from_major(12, 2), from_major(12, 0), from_major(1, 3)),
            (Some(1_200), Some(12), Some(1_000))
        );
        assert_eq!(from_major(i64::MAX, 2), None);
    }
}
