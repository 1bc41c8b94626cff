//! Exact arithmetic of money in whole minor units.

/// How a half minor unit is rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rounding {
    /// To the even neighbour, so that rounding has no bias over many amounts.
    HalfEven,
    /// Away from zero.
    HalfUp,
    /// Towards zero.
    Down,
}

/// Returns a share of an amount in basis points: 750 are 7.5 %.
#[must_use]
pub fn share(amount: i64, basis_points: i64, rounding: Rounding) -> i64 {
    divide(i128::from(amount) * i128::from(basis_points), 10_000, rounding)
}

/// Divides and rounds. Saturates at the bounds of `i64`.
fn divide(number: i128, by: i128, rounding: Rounding) -> i64 {
    let (whole, rest) = (number / by, number % by);
    let away = if (number < 0) == (by < 0) { 1 } else { -1 };
    let twice = rest.abs() * 2;
    let up = match rounding {
        Rounding::Down => false,
        Rounding::HalfUp => twice >= by.abs(),
        Rounding::HalfEven => twice > by.abs() || (twice == by.abs() && whole % 2 != 0),
    };
    let rounded = if up { whole + away } else { whole };
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

/// Splits an amount by weights, so that the parts sum to the amount. The remainder goes to the first parts with a
/// weight above zero, one unit each. If all weights are zero, the first part gets the whole amount.
#[must_use]
pub fn split(amount: i64, weights: &[u64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if sum == 0 {
        return weights.iter().enumerate().map(|(index, _)| if index == 0 { amount } else { 0 }).collect();
    }
    let part = |weight: &u64| divide(i128::from(amount) * i128::from(*weight), sum, Rounding::Down);
    let mut parts: Vec<i64> = weights.iter().map(part).collect();
    let mut remainder = amount - parts.iter().sum::<i64>();
    let step = remainder.signum();
    for (part, weight) in parts.iter_mut().zip(weights) {
        if remainder == 0 {
            break;
        }
        if *weight > 0 {
            *part += step;
            remainder -= step;
        }
    }
    parts
}

/// Converts a whole amount into minor units: 12 with the exponent 2 is 1200. Returns `None` on overflow.
#[must_use]
pub fn from_major(major: i64, exponent: u8) -> Option<i64> {
    major.checked_mul(10_i64.checked_pow(u32::from(exponent))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_is_rounded_by_each_mode() {
        for (amount, points, rounding, expected) in [
            (1_050, 1_000, Rounding::HalfEven, 105),
            (25, 1_000, Rounding::HalfEven, 2),
            (35, 1_000, Rounding::HalfEven, 4),
            (25, 1_000, Rounding::HalfUp, 3),
            (25, 1_000, Rounding::Down, 2),
            (-25, 1_000, Rounding::HalfUp, -3),
            (-25, 1_000, Rounding::HalfEven, -2),
            (i64::MAX, 20_000, Rounding::Down, i64::MAX),
        ] {
            assert_eq!(share(amount, points, rounding), expected, "{amount} {points} {rounding:?}");
        }
    }

    #[test]
    fn parts_sum_to_the_amount() {
        for amount in [-1_001, -1, 0, 1, 99, 100, 1_000_000_007] {
            for weights in [&[1, 1, 1][..], &[3, 0, 7], &[0, 0], &[5]] {
                assert_eq!(split(amount, weights).iter().sum::<i64>(), amount, "{amount} {weights:?}");
            }
        }
        assert_eq!(split(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(split(1, &[0, 1]), [0, 1]);
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
