//! Distribution of an amount over parts, without a remainder.

/// Splits an amount in proportion to weights. The parts sum to the amount; units that are left over by rounding go to
/// the parts with the largest remainders, the first of equals. All weights zero: the parts are as equal as possible.
///
/// No weight may be negative. The amount of no parts is lost, so there must be at least one part unless it is zero.
#[must_use]
pub fn spread(amount: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    let equal = sum == 0;
    let sum = if equal { weights.len() as i128 } else { sum };
    let weight_of = |weight: &i64| if equal { 1 } else { i128::from(*weight) };
    let magnitude = i128::from(amount).abs();
    let mut parts: Vec<i128> = weights.iter().map(|weight| magnitude * weight_of(weight) / sum).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|index| {
        let weight = weights.get(*index).map_or(0, weight_of);
        (std::cmp::Reverse(magnitude * weight % sum), *index)
    });
    let missing = magnitude - parts.iter().sum::<i128>();
    for index in by_remainder.into_iter().take(usize::try_from(missing).unwrap_or(0)) {
        if let Some(part) = parts.get_mut(index) {
            *part += 1;
        }
    }
    let sign = i128::from(amount.signum());
    // Each part is at most the amount, so it fits.
    parts.into_iter().map(|part| i64::try_from(part * sign).unwrap_or(amount)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn remainder_goes_to_the_largest_fractions() {
        assert_eq!(spread(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(spread(-100, &[1, 1, 1]), [-34, -33, -33]);
        assert_eq!(spread(10, &[1, 2, 4]), [1, 3, 6]);
        assert_eq!(spread(5, &[0, 0]), [3, 2]);
        assert_eq!(spread(7, &[0, 3, 0]), [0, 7, 0]);
        assert!(spread(0, &[]).is_empty());
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_amount_and_none_is_more_than_its_share_rounded_up(
            amount: i64,
            weights in prop::collection::vec(0..=i64::MAX, 1..60),
        ) {
            let parts = spread(amount, &weights);
            prop_assert_eq!(parts.iter().map(|part| i128::from(*part)).sum::<i128>(), i128::from(amount));
            let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(*part == 0 || part.signum() == amount.signum());
                if sum > 0 {
                    let exact = i128::from(amount).abs() * i128::from(*weight);
                    let share = i128::from(*part).abs() * sum;
                    prop_assert!((share - exact).abs() < sum, "{} of {}", part, amount);
                }
            }
        }
    }
}
