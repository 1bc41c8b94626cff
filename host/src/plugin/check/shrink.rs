//! Smaller and larger variants of a basket.

use std::iter::successors;

use tessera_core::plugin::{Basket, BasketLine};

/// The most units of a basket that a host accepts.
const MAX_UNITS: u32 = 1_000;

/// Returns variants with the quantity of one line grown, by one unit and to twice as many, each with the line's index.
pub(super) fn grown(basket: &Basket) -> Vec<(usize, Basket)> {
    let units: u32 = basket.lines.iter().map(|line| line.quantity).fold(0, u32::saturating_add);
    let lines = basket.lines.iter().enumerate();
    let variants = lines.flat_map(|(index, line)| {
        let more = if line.quantity > 1 { vec![1, line.quantity] } else { vec![1] };
        let more = more.into_iter().filter(move |more| units.saturating_add(*more) <= MAX_UNITS);
        more.map(move |more| {
            (index, with_line(basket, index, |line| line.quantity = line.quantity.saturating_add(more)))
        })
    });
    variants.collect()
}

/// Returns variants of a basket with less in it: what shrinks it most comes first.
pub(super) fn smaller(basket: &Basket) -> Vec<Basket> {
    let mut variants = Vec::new();
    if basket.lines.len() > 1 {
        variants.extend((0..basket.lines.len()).map(|index| without_line(basket, index)));
    }
    let mut vary = |is_smaller: bool, change: &dyn Fn(&mut Basket)| {
        if is_smaller {
            let mut variant = basket.clone();
            change(&mut variant);
            variants.push(variant);
        }
    };
    vary(!basket.codes.is_empty(), &|basket| basket.codes.clear());
    vary(!basket.applied.is_empty(), &|basket| basket.applied.clear());
    vary(!basket.event.is_empty(), &|basket| basket.event.clear());
    vary(!basket.buyer.is_empty(), &|basket| basket.buyer.clear());
    vary(!basket.channel.is_empty(), &|basket| basket.channel.clear());
    vary(basket.offset_now != 0, &|basket| basket.offset_now = 0);
    vary(basket.offset_start != 0, &|basket| basket.offset_start = 0);
    for index in 0..basket.codes.len() {
        vary(basket.codes.len() > 1, &|basket| drop(basket.codes.remove(index)));
    }
    for index in 0..basket.applied.len() {
        vary(basket.applied.len() > 1, &|basket| drop(basket.applied.remove(index)));
    }
    for index in 0..basket.event.len() {
        vary(basket.event.len() > 1, &|basket| drop(basket.event.remove(index)));
    }
    for (index, line) in basket.lines.iter().enumerate() {
        if !line.attributes.is_empty() {
            variants.push(with_line(basket, index, |line| line.attributes.clear()));
        }
        let quantities = less(line.quantity.into()).filter_map(|quantity| u32::try_from(quantity).ok());
        for quantity in quantities.filter(|quantity| *quantity > 0) {
            variants.push(with_line(basket, index, |line| line.quantity = quantity));
        }
        let prices = u64::try_from(line.unit_price).map(less).into_iter().flatten();
        for price in prices.filter_map(|price| i64::try_from(price).ok()) {
            variants.push(with_line(basket, index, |line| line.unit_price = price));
        }
    }
    variants
}

/// Returns numbers that are less, the smallest first: by all, by half, by a quarter, to one less.
fn less(number: u64) -> impl Iterator<Item = u64> {
    let steps = successors((number > 0).then_some(number), |step| (*step > 1).then_some(step / 2));
    steps.map(move |step| number - step)
}

fn with_line(basket: &Basket, index: usize, change: impl Fn(&mut BasketLine)) -> Basket {
    let mut variant = basket.clone();
    if let Some(line) = variant.lines.get_mut(index) {
        change(line);
    }
    variant
}

/// Returns a basket without a line and the adjustments of it. Adjustments of later lines stay with them.
fn without_line(basket: &Basket, index: usize) -> Basket {
    let mut variant = basket.clone();
    variant.lines.remove(index);
    variant.applied.retain(|(_, step)| step.line.is_none_or(|line| line as usize != index));
    for (_, step) in &mut variant.applied {
        step.line = step.line.map(|line| if line as usize > index { line - 1 } else { line });
    }
    variant
}

#[cfg(test)]
mod tests {
    use tessera_core::Timestamp;

    use super::super::baskets::Generator;
    use super::*;

    #[test]
    fn smaller_numbers_end_with_one_less() {
        assert_eq!(less(10).collect::<Vec<_>>(), [0, 5, 8, 9]);
        assert_eq!(less(1).collect::<Vec<_>>(), [0]);
        assert_eq!(less(0).count(), 0);
    }

    #[test]
    fn basket_without_anything_to_leave_out_has_no_smaller_one() {
        let mut basket = Generator::new(1, Vec::new()).basket(Timestamp::default());
        let mut steps = 0;
        while let Some(next) = smaller(&basket).into_iter().next() {
            basket = next;
            steps += 1;
            assert!(steps < 1_000, "{basket:?}");
        }
        let line = &basket.lines[0];
        assert_eq!((basket.lines.len(), line.quantity, line.unit_price), (1, 1, 0));
        assert!(basket.codes.is_empty() && basket.event.is_empty() && basket.applied.is_empty());
    }

    #[test]
    fn adjustments_stay_with_their_lines() {
        let mut generator = Generator::new(2, Vec::new());
        let mut checked = 0;
        for _ in 0..1_000 {
            let basket = generator.basket(Timestamp::default());
            if basket.lines.len() < 2 {
                continue;
            }
            let names = |basket: &Basket| -> Vec<Option<String>> {
                let of = |line: Option<u32>| line.map(|line| basket.lines[line as usize].name.clone());
                basket.applied.iter().map(|(_, step)| of(step.line)).collect()
            };
            let first = Some(basket.lines[0].name.clone());
            let expected: Vec<_> = names(&basket).into_iter().filter(|name| *name != first).collect();
            checked += usize::from(!expected.is_empty());
            assert_eq!(names(&without_line(&basket, 0)), expected);
        }
        assert!(checked > 0);
    }

    #[test]
    fn quantities_grow_by_one_and_to_twice_as_many() {
        let mut basket = Generator::new(3, Vec::new()).basket(Timestamp::default());
        basket.lines.truncate(1);
        let quantities = |quantity: u32| -> Vec<u32> {
            let basket = with_line(&basket, 0, |line| line.quantity = quantity);
            grown(&basket).into_iter().map(|(_, grown)| grown.lines[0].quantity).collect()
        };
        assert_eq!(quantities(1), [2]);
        assert_eq!(quantities(5), [6, 10]);
        assert_eq!(quantities(999), [1_000]);
        assert!(quantities(1_000).is_empty());
    }
}
