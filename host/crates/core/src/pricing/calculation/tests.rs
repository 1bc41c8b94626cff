use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::id::{EventId, InstallationId, RuleId, TicketTypeId};
use crate::plugin::Digest;
use crate::pricing::promotion::test_promotion;
use crate::pricing::rule::{SoldStep, WriteRule, test_rule};
use crate::time::Timestamp;
use crate::value::Money;

fn percent(text: &str) -> Percent {
    Percent::parse("percent", text).unwrap()
}

fn rule(kind: AdjustmentKind, value: RuleValue) -> PricingRule {
    PricingRule {
        id: RuleId::generate(),
        attributes: WriteRule { kind, value, ..test_rule() },
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        version: 1,
    }
}

fn euros(amount: i64) -> Money {
    Money { amount, currency: "EUR".into() }
}

fn circumstances() -> Circumstances {
    Circumstances {
        event: EventId::generate(),
        now: Timestamp::default(),
        starts_at: Timestamp::default(),
        offset_now: 0,
        offset_start: 0,
        sold: BTreeMap::new(),
    }
}

/// A basket of lines, each with a quantity and a unit price.
fn basket(lines: &[(u32, i64)]) -> Calculation {
    let lines = lines.iter().map(|(quantity, unit_price)| PricedLine {
        ticket_type: TicketTypeId::generate(),
        name: "line".into(),
        category: String::new(),
        quantity: *quantity,
        unit_price: *unit_price,
        amount: unit_price * i64::from(*quantity),
    });
    Calculation::new("EUR".into(), lines.collect())
}

fn amounts(calculation: &Calculation) -> Vec<i64> {
    calculation.lines().iter().map(|line| line.amount).collect()
}

fn plugin() -> Source {
    Source::Plugin(InstallationId::generate(), Digest([1; 32]))
}

fn of_plugin(kind: AdjustmentKind, line: Option<u32>, amount: i64) -> Adjustment {
    let (label, code, attributes) = ("plugin".to_owned(), None, Vec::new());
    Adjustment { kind, line, amount, included: false, label, code, attributes }
}

#[test]
fn percentages_apply_to_the_price_that_the_steps_before_left() {
    let mut basket = basket(&[(2, 1_000), (1, 333)]);
    let early = rule(AdjustmentKind::Discount, RuleValue::Percent(percent("20")));
    let tax = rule(AdjustmentKind::Tax, RuleValue::Percent(percent("10")));
    basket.apply_rule(&early, &circumstances()).unwrap();
    assert_eq!(amounts(&basket), [1_600, 266]);
    basket.apply_rule(&tax, &circumstances()).unwrap();
    assert_eq!(amounts(&basket), [1_760, 293]);
    let sources: Vec<_> = basket.adjustments().iter().map(|step| step.source).collect();
    assert_eq!(sources[0], Source::Rule(early.id, 1));
    assert_eq!(sources.len(), 4);
}

#[test]
fn included_tax_is_shown_and_not_added() {
    let mut basket = basket(&[(1, 11_900)]);
    let mut tax = rule(AdjustmentKind::Tax, RuleValue::Percent(percent("19")));
    tax.attributes.included = true;
    basket.apply_rule(&tax, &circumstances()).unwrap();
    assert_eq!(amounts(&basket), [11_900]);
    assert_eq!(basket.adjustments()[0].adjustment.amount, 1_900);
}

#[test]
fn included_amount_of_a_rule_is_at_most_the_price() {
    for (per, expected) in [(Per::Unit, vec![100, 200]), (Per::Order, vec![300])] {
        let mut basket = basket(&[(1, 100), (1, 200)]);
        let mut fee = rule(AdjustmentKind::Fee, RuleValue::Amount(euros(5_000), per));
        fee.attributes.included = true;
        basket.apply_rule(&fee, &circumstances()).unwrap();
        let shown: Vec<_> = basket.adjustments().iter().map(|step| step.adjustment.amount).collect();
        assert_eq!((shown, amounts(&basket)), (expected, vec![100, 200]));
    }
}

#[test]
fn amount_for_each_unit_is_multiplied_and_a_discount_ends_at_zero() {
    let mut basket = basket(&[(3, 100), (1, 1_000)]);
    let discount = rule(AdjustmentKind::Discount, RuleValue::Amount(euros(150), Per::Unit));
    basket.apply_rule(&discount, &circumstances()).unwrap();
    assert_eq!(amounts(&basket), [0, 850]);
    let in_yen = Money { currency: "JPY".into(), ..euros(1) };
    let other = rule(AdjustmentKind::Fee, RuleValue::Amount(in_yen, Per::Unit));
    basket.apply_rule(&other, &circumstances()).unwrap();
    assert_eq!(amounts(&basket), [0, 850], "an amount in another currency does not apply");
}

#[test]
fn amount_for_the_order_is_one_adjustment_or_split_over_the_lines_of_the_rule() {
    let mut all = basket(&[(1, 100), (1, 200)]);
    let mut fee = rule(AdjustmentKind::Fee, RuleValue::Amount(euros(50), Per::Order));
    all.apply_rule(&fee, &circumstances()).unwrap();
    assert_eq!(amounts(&all), [117, 233]);
    assert_eq!((all.adjustments().len(), all.adjustments()[0].adjustment.line), (1, None));
    let mut some = basket(&[(1, 100), (1, 200), (1, 100)]);
    fee.attributes.ticket_types = [some.lines()[0].ticket_type, some.lines()[2].ticket_type].into();
    some.apply_rule(&fee, &circumstances()).unwrap();
    assert_eq!(amounts(&some), [125, 200, 125]);
    assert_eq!(some.adjustments().len(), 2);
}

#[test]
fn last_step_that_the_share_sold_reaches_applies() {
    let steps = [("50", "10"), ("90", "25")];
    let steps = steps.map(|(sold, more)| SoldStep { sold: percent(sold), percent: percent(more) });
    let surge = rule(AdjustmentKind::Surcharge, RuleValue::Steps(steps.to_vec()));
    for (sold, expected) in [("0", 1_000), ("49.9999", 1_000), ("50", 1_100), ("100", 1_250)] {
        let mut basket = basket(&[(1, 1_000)]);
        let ticket_type = basket.lines()[0].ticket_type;
        let circumstances = Circumstances { sold: [(ticket_type, percent(sold))].into(), ..circumstances() };
        basket.apply_rule(&surge, &circumstances).unwrap();
        assert_eq!(amounts(&basket), [expected], "{sold} % sold");
    }
}

#[test]
fn answers_that_the_contract_does_not_allow_are_refused() {
    use AdjustmentKind::{Discount, Fee, Surcharge};
    let refused = [
        (of_plugin(Surcharge, Some(2), 1), "for line 2, and the basket has 2 lines"),
        (of_plugin(Surcharge, None, -1), "wrong sign"),
        (of_plugin(Discount, None, 1), "wrong sign"),
        (of_plugin(Discount, Some(0), -101), "below zero"),
        (of_plugin(Discount, None, -301), "below zero"),
        (of_plugin(Fee, None, MAX_TOTAL), "more than"),
        (of_plugin(Fee, Some(1), i64::MAX), "not within"),
        (Adjustment { included: true, ..of_plugin(Surcharge, None, 1) }, "cannot be included"),
        (Adjustment { included: true, ..of_plugin(Fee, Some(0), 101) }, "more than the price that contains"),
        (Adjustment { included: true, ..of_plugin(Fee, None, 301) }, "more than the price that contains"),
    ];
    for (adjustment, reason) in refused {
        let mut basket = basket(&[(1, 100), (1, 200)]);
        let before = basket.clone();
        let error = basket.add(plugin(), adjustment.clone()).unwrap_err();
        assert!(error.contains(reason), "{adjustment:?}: {error}");
        assert_eq!(basket, before);
    }
}

#[test]
fn adjustment_of_zero_is_kept_where_a_plugin_accepts_a_code_with_it() {
    let mut free = basket(&[(1, 0)]);
    let zero = of_plugin(AdjustmentKind::Discount, None, 0);
    let accepting = Adjustment { code: Some("FRIENDS".into()), ..zero.clone() };
    free.add(plugin(), zero).unwrap();
    free.add(Source::Rule(RuleId::generate(), 1), accepting.clone()).unwrap();
    assert!(free.adjustments().is_empty());
    free.add(plugin(), accepting).unwrap();
    assert_eq!((free.adjustments().len(), amounts(&free)), (1, vec![0]));
}

#[test]
fn adjustments_of_plugins_are_bounded_apart_from_those_of_rules() {
    let mut basket = basket(&[(1, 100); 50]);
    let fee = rule(AdjustmentKind::Fee, RuleValue::Amount(euros(1), Per::Unit));
    for _ in 0..21 {
        basket.apply_rule(&fee, &circumstances()).unwrap();
    }
    assert_eq!(basket.adjustments().len(), 1_050);
    for _ in 0..MAX_PLUGIN_ADJUSTMENTS {
        basket.add(plugin(), of_plugin(AdjustmentKind::Fee, None, 1)).unwrap();
    }
    assert!(basket.add(plugin(), of_plugin(AdjustmentKind::Fee, None, 1)).is_err());
    basket.apply_rule(&fee, &circumstances()).unwrap();
    assert_eq!(basket.adjustments().len(), 1_100 + MAX_PLUGIN_ADJUSTMENTS);
}

fn any_step() -> impl Strategy<Value = Adjustment> {
    let kinds = prop::sample::select(vec![
        AdjustmentKind::Surcharge,
        AdjustmentKind::Discount,
        AdjustmentKind::Fee,
        AdjustmentKind::Tax,
    ]);
    let amounts = prop_oneof![0..2_000_i64, 0..=MAX_TOTAL, Just(i64::MAX)];
    (kinds, prop::option::of(0..6_u32), amounts, any::<bool>()).prop_map(|(kind, line, amount, included)| {
        let amount = if kind == AdjustmentKind::Discount { -amount } else { amount };
        Adjustment { included, ..of_plugin(kind, line, amount) }
    })
}

fn any_percent(most: Percent) -> impl Strategy<Value = Percent> {
    (0..=most.steps()).prop_filter_map("a percentage", Percent::from_steps)
}

fn any_per() -> impl Strategy<Value = Per> {
    prop::sample::select(Per::ALL.to_vec())
}

/// An amount, often one of the size of a price.
fn any_amount() -> impl Strategy<Value = Money> {
    prop_oneof![0..2_000_i64, 0..=crate::money::MAX_AMOUNT].prop_map(euros)
}

/// Whether a rule or a promotion is for each line; for none of them: it is for all.
fn any_subset() -> impl Strategy<Value = Vec<bool>> {
    prop::collection::vec(any::<bool>(), 5)
}

/// A rule with the lines that it is for.
fn any_rule() -> impl Strategy<Value = (PricingRule, Vec<bool>)> {
    let kinds = prop::sample::select(vec![
        AdjustmentKind::Surcharge,
        AdjustmentKind::Discount,
        AdjustmentKind::Fee,
        AdjustmentKind::Tax,
    ]);
    let step = (any_percent(Percent::HUNDRED), any_percent(Percent::MAX));
    let steps = prop::collection::vec(step.prop_map(|(sold, percent)| SoldStep { sold, percent }), 1..5);
    let steps = steps.prop_map(|mut steps| {
        steps.sort_by_key(|step| step.sold);
        steps
    });
    let values = prop_oneof![
        any_percent(Percent::MAX).prop_map(RuleValue::Percent),
        (any_amount(), any_per()).prop_map(|(amount, per)| RuleValue::Amount(amount, per)),
        steps.prop_map(RuleValue::Steps),
    ];
    (kinds, values, any::<bool>(), any_subset()).prop_map(|(kind, value, included, subset)| {
        let mut rule = rule(kind, value);
        rule.attributes.included = included && matches!(kind, AdjustmentKind::Fee | AdjustmentKind::Tax);
        (rule, subset)
    })
}

/// A promotion with the lines that it is for.
fn any_promotion() -> impl Strategy<Value = (Promotion, Vec<bool>)> {
    let discounts = prop_oneof![
        any_percent(Percent::HUNDRED).prop_map(Discount::Percent),
        (any_amount(), any_per()).prop_map(|(amount, per)| Discount::Amount(amount, per)),
    ];
    (discounts.prop_map(promotion), any_subset())
}

/// Returns the ticket types of the lines of a subset.
fn subset_types(basket: &Calculation, subset: &[bool]) -> BTreeSet<TicketTypeId> {
    let chosen = basket.lines().iter().zip(subset).filter(|(_, chosen)| **chosen);
    chosen.map(|(line, _)| line.ticket_type).collect()
}

proptest! {
    #[test]
    fn lines_and_adjustments_sum_to_the_total_and_nothing_is_below_zero(
        lines in prop::collection::vec((1..=1_000_u32, 0..=crate::money::MAX_AMOUNT / 1_000), 1..6),
        sold in prop::collection::vec(any_percent(Percent::HUNDRED), 5),
        rules in prop::collection::vec(any_rule(), 0..6),
        promotions in prop::collection::vec(any_promotion(), 0..4),
        steps in prop::collection::vec(any_step(), 0..20),
    ) {
        let mut basket = basket(&lines);
        let base: i64 = amounts(&basket).iter().sum();
        let sold = basket.lines().iter().map(|line| line.ticket_type).zip(sold).collect();
        let circumstances = Circumstances { sold, ..circumstances() };
        for (mut rule, subset) in rules {
            rule.attributes.ticket_types = subset_types(&basket, &subset);
            let applied = basket.apply_rule(&rule, &circumstances);
            let cannot_fail = rule.attributes.kind == AdjustmentKind::Discount || rule.attributes.included;
            prop_assert!(applied.is_ok() || !cannot_fail, "{:?}", applied);
        }
        for (mut promotion, subset) in promotions {
            promotion.attributes.ticket_types = subset_types(&basket, &subset);
            prop_assert_eq!(basket.apply_promotion(&promotion, "A"), Ok(()));
        }
        for step in steps {
            let _ = basket.add(plugin(), step);
        }
        prop_assert!(amounts(&basket).iter().all(|amount| *amount >= 0));
        let added: i128 = basket
            .adjustments()
            .iter()
            .filter(|step| !step.adjustment.included)
            .map(|step| i128::from(step.adjustment.amount))
            .sum();
        let total: i128 = amounts(&basket).iter().map(|amount| i128::from(*amount)).sum();
        prop_assert_eq!(i128::from(base) + added, total);
        prop_assert!(total <= i128::from(MAX_TOTAL));
    }

    #[test]
    fn percentage_is_the_nearest_amount_and_halves_are_even(
        amount in -MAX_TOTAL..=MAX_TOTAL,
        percent in any_percent(Percent::MAX),
    ) {
        let hundred = i128::from(Percent::HUNDRED.steps());
        let rate = i128::from(percent.steps());
        let (added, included) = (percent.of(amount), percent.included_in(amount));
        for (rounded, divisor) in [(added, hundred), (included, hundred + rate)] {
            // By how much the exact result differs, in units of the divisor.
            let rest = i128::from(amount) * rate - i128::from(rounded) * divisor;
            prop_assert!(rest.abs() * 2 <= divisor);
            prop_assert!(rest.abs() * 2 < divisor || rounded % 2 == 0);
        }
    }
}

fn promotion(discount: Discount) -> Promotion {
    test_promotion(Some(discount))
}

#[test]
fn percentage_of_a_promotion_is_taken_off_each_line_of_its_ticket_types() {
    let mut basket = basket(&[(2, 1_000), (1, 333)]);
    let mut ten = promotion(Discount::Percent(percent("10")));
    basket.apply_promotion(&ten, "Ten").unwrap();
    assert_eq!(amounts(&basket), [1_800, 300]);
    let QuoteAdjustment { source, adjustment } = basket.adjustments()[0].clone();
    assert_eq!(source, Source::Promotion(ten.id, 1));
    assert_eq!(
        (adjustment.kind, adjustment.line, adjustment.amount),
        (AdjustmentKind::Discount, Some(0), -200)
    );
    assert_eq!((adjustment.label.as_str(), adjustment.code.as_deref()), ("promotion", Some("Ten")));
    ten.attributes.ticket_types = [basket.lines()[1].ticket_type].into();
    basket.apply_promotion(&ten, "Ten").unwrap();
    assert_eq!(amounts(&basket), [1_800, 270]);
    ten.attributes.ticket_types = [TicketTypeId::generate()].into();
    let before = basket.clone();
    basket.apply_promotion(&ten, "Ten").unwrap();
    assert_eq!(basket, before);
}

#[test]
fn amount_of_a_promotion_ends_at_zero() {
    let mut of_units = basket(&[(3, 1_000), (1, 100)]);
    of_units.apply_promotion(&promotion(Discount::Amount(euros(200), Per::Unit)), "A").unwrap();
    assert_eq!(amounts(&of_units), [2_400, 0]);
    let mut of_order = basket(&[(1, 300), (1, 100)]);
    let order = promotion(Discount::Amount(euros(100), Per::Order));
    of_order.apply_promotion(&order, "A").unwrap();
    assert_eq!((amounts(&of_order), of_order.adjustments().len()), (vec![225, 75], 1));
    of_order.apply_promotion(&promotion(Discount::Amount(euros(1_000), Per::Order)), "B").unwrap();
    assert_eq!(amounts(&of_order), [0, 0]);
    // Nothing is left to reduce.
    of_order.apply_promotion(&order, "C").unwrap();
    assert_eq!(of_order.adjustments().len(), 2);
}

#[test]
fn amount_for_the_order_is_split_over_the_lines_of_a_promotion() {
    let mut basket = basket(&[(1, 300), (1, 100), (1, 1_000)]);
    let mut order = promotion(Discount::Amount(euros(200), Per::Order));
    order.attributes.ticket_types = basket.lines().iter().take(2).map(|line| line.ticket_type).collect();
    basket.apply_promotion(&order, "A").unwrap();
    assert_eq!(amounts(&basket), [150, 50, 1_000]);
    let lines: Vec<_> = basket.adjustments().iter().map(|step| step.adjustment.line).collect();
    assert_eq!(lines, [Some(0), Some(1)]);
}

#[test]
fn promotion_without_a_discount_in_the_currency_changes_nothing() {
    let mut basket = basket(&[(1, 300)]);
    let dollars = Money { amount: 100, currency: "USD".into() };
    for other in [test_promotion(None), promotion(Discount::Amount(dollars, Per::Unit))] {
        basket.apply_promotion(&other, "A").unwrap();
    }
    assert_eq!(amounts(&basket), [300]);
    assert!(basket.adjustments().is_empty());
}

#[test]
fn promotions_apply_to_the_price_that_the_ones_before_left() {
    let mut basket = basket(&[(1, 1_000)]);
    let half = promotion(Discount::Percent(percent("50")));
    let hundred = promotion(Discount::Amount(euros(100), Per::Order));
    basket.apply_promotion(&half, "A").unwrap();
    basket.apply_promotion(&hundred, "B").unwrap();
    basket.apply_promotion(&half, "C").unwrap();
    assert_eq!(amounts(&basket), [200]);
    let codes: Vec<_> = basket.adjustments().iter().map(|step| step.adjustment.code.as_deref()).collect();
    assert_eq!(codes, [Some("A"), Some("B"), Some("C")]);
}
