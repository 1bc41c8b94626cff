use super::*;
use crate::pricing::Percent;
use crate::pricing::promotion::{WritePromotion, test_promotion};
use crate::pricing::rule::Per;
use crate::value::Money;

fn ten_percent() -> Promotion {
    let percent = Percent::parse("percent", "10").unwrap();
    test_promotion(Some(Discount::Percent(percent)))
}

fn with(change: impl FnOnce(&mut WritePromotion)) -> Promotion {
    let mut promotion = ten_percent();
    change(&mut promotion.attributes);
    promotion
}

fn code(text: &str, promotion: &Promotion) -> (String, Option<(PromotionCode, Promotion)>) {
    let created_at = Timestamp::default();
    let code = canonical(text).unwrap();
    let code = PromotionCode { code, promotion: promotion.id, uses: 0, kept: None, created_at };
    (text.to_owned(), Some((code, promotion.clone())))
}

fn purchase(lines: &[(TicketTypeId, u32)]) -> Purchase<'static> {
    Purchase {
        event: EventId::generate(),
        now: Timestamp::parse("t", "2026-12-01T00:00:00Z").unwrap(),
        currency: Some("EUR"),
        lines: lines.iter().map(|(ticket_type, units)| (Some(*ticket_type), *units)).collect(),
    }
}

fn check(
    codes: Vec<(String, Option<(PromotionCode, Promotion)>)>,
    buyer_uses: &[(PromotionId, u32)],
    purchase: &Purchase<'_>,
) -> CheckedCodes {
    FoundCodes { codes, buyer_uses: buyer_uses.iter().copied().collect() }.check(purchase)
}

/// Returns why the only code is refused; `None`: it is accepted.
fn refusal(promotion: &Promotion, purchase: &Purchase<'_>) -> Option<String> {
    let mut checked = check(vec![code("Summer", promotion)], &[], purchase);
    assert_eq!(checked.accepted.len() + checked.refused.len() + checked.unknown.len(), 1);
    assert!(checked.refused.iter().all(|refused| refused.reason != NOT_VALID), "it looks unknown");
    let unknown = checked.unknown.pop().map(|_| NOT_VALID.to_owned());
    checked.refused.pop().map(|refused| refused.reason).or(unknown)
}

#[test]
fn codes_have_one_canonical_form() {
    for (entered, expected) in [("summer-26", "SUMMER-26"), (" A_b ", "A_B"), ("ABC", "ABC")] {
        assert_eq!(canonical(entered).as_deref(), Some(expected));
    }
    for other in ["", "  ", "two words", "é", "a\0", "ſummer", &"x".repeat(41)] {
        assert_eq!(canonical(other), None, "{other:?}");
    }
}

#[test]
fn accepted_code_is_claimed_in_its_canonical_form_and_shown_as_entered() {
    let promotion = ten_percent();
    let basket = purchase(&[(TicketTypeId::generate(), 1)]);
    let codes = vec![code("Summer", &promotion), ("plugins".to_owned(), None)];
    let checked = check(codes, &[], &basket);
    let claim = CodeClaim { code: "SUMMER".into(), promotion: promotion.id };
    let accepted = AcceptedCode { entered: "Summer".into(), claim, promotion };
    let unknown = vec!["plugins".to_owned()];
    assert_eq!(checked, CheckedCodes { accepted: vec![accepted], refused: Vec::new(), unknown });
}

#[test]
fn code_of_a_closed_promotion_looks_unknown_unless_it_has_expired() {
    let basket = purchase(&[(TicketTypeId::generate(), 1)]);
    let later = Timestamp::parse("t", "2026-12-01T00:00:01Z").unwrap();
    for (promotion, expected) in [
        (with(|of| of.enabled = false), Some(NOT_VALID)),
        (with(|of| of.event = Some(EventId::generate())), Some(NOT_VALID)),
        (with(|of| of.valid_from = Some(later)), Some(NOT_VALID)),
        (with(|of| of.valid_until = Some(basket.now)), Some(EXPIRED)),
        (
            with(|of| {
                of.event = Some(basket.event);
                of.valid_from = Some(basket.now);
                of.valid_until = Some(later);
            }),
            None,
        ),
    ] {
        assert_eq!(refusal(&promotion, &basket).as_deref(), expected);
    }
}

#[test]
fn promotion_is_for_its_ticket_types_quantity_and_currency() {
    let (one, other) = (TicketTypeId::generate(), TicketTypeId::generate());
    let basket = purchase(&[(one, 1), (other, 2), (one, 1)]);
    let amount = |currency: &str| {
        let money = Money { amount: 100, currency: currency.into() };
        test_promotion(Some(Discount::Amount(money, Per::Order)))
    };
    for (promotion, is_accepted) in [
        (with(|of| of.ticket_types = [one].into()), true),
        (with(|of| of.ticket_types = [TicketTypeId::generate()].into()), false),
        (with(|of| of.min_quantity = Some(4)), true),
        (with(|of| of.min_quantity = Some(5)), false),
        (with(|of| (of.ticket_types, of.min_quantity) = ([one].into(), Some(2))), true),
        (with(|of| (of.ticket_types, of.min_quantity) = ([one].into(), Some(3))), false),
        (amount("EUR"), true),
        (amount("USD"), false),
        (test_promotion(None), true),
    ] {
        let expected = (!is_accepted).then_some(OTHER_BASKET);
        assert_eq!(refusal(&promotion, &basket).as_deref(), expected, "{promotion:?}");
    }
    // A price without a ticket type can be that of any.
    let any = Purchase { lines: vec![(None, 1)], currency: None, ..basket };
    assert_eq!(refusal(&with(|of| of.ticket_types = [other].into()), &any), None);
    assert_eq!(refusal(&amount("USD"), &any), None);
}

#[test]
fn shown_ticket_type_is_sold_without_those_that_are_reduced() {
    let (stalls, vip) = (TicketTypeId::generate(), TicketTypeId::generate());
    let club = with(|of| {
        (of.ticket_types, of.shows, of.min_quantity) = ([stalls].into(), [vip].into(), Some(2));
    });
    for (lines, is_reduced) in [
        (vec![(vip, 1)], false),
        (vec![(vip, 1), (stalls, 1)], false),
        (vec![(vip, 1), (stalls, 2)], true),
        (vec![(stalls, 2)], true),
    ] {
        let checked = check(vec![code("CLUB", &club)], &[], &purchase(&lines));
        let discounts: Vec<_> =
            checked.accepted.iter().map(|code| code.promotion.attributes.discount.is_some()).collect();
        assert_eq!(discounts, [is_reduced], "{lines:?}");
    }
    assert_eq!(refusal(&club, &purchase(&[(stalls, 1)])).as_deref(), Some(OTHER_BASKET));
    let other_currency = Purchase { currency: Some("JPY"), ..purchase(&[(vip, 1)]) };
    let money = Money { amount: 100, currency: "EUR".into() };
    let amount = Some(Discount::Amount(money, Per::Order));
    let amount = with(|of| (of.discount, of.shows) = (amount, [vip].into()));
    assert_eq!(refusal(&amount, &other_currency), None);
}

#[test]
fn used_up_codes_are_refused() {
    let basket = purchase(&[(TicketTypeId::generate(), 1)]);
    let mut promotion = with(|of| of.max_uses = Some(3));
    promotion.uses = 2;
    assert_eq!(refusal(&promotion, &basket), None);
    promotion.uses = 3;
    assert_eq!(refusal(&promotion, &basket).as_deref(), Some(USED_UP));
    let of_code = with(|of| of.max_uses_per_code = Some(1));
    let (entered, found) = code("ONCE", &of_code);
    let used = found.map(|(code, promotion)| (PromotionCode { uses: 1, ..code }, promotion));
    let checked = check(vec![(entered, used), code("FRESH", &of_code)], &[], &basket);
    assert_eq!((checked.refused[0].code.as_str(), checked.refused[0].reason.as_str()), ("ONCE", USED_UP));
    assert_eq!(checked.accepted.len(), 1);
    let of_buyer = with(|of| of.max_uses_per_buyer = Some(2));
    for (uses, refused) in [(1, 0), (2, 1)] {
        let checked = check(vec![code("A", &of_buyer)], &[(of_buyer.id, uses)], &basket);
        assert_eq!(checked.refused.len(), refused);
        assert!(checked.refused.iter().all(|refused| refused.reason == USED_BY_BUYER));
    }
}

#[test]
fn codes_of_one_basket_count_together() {
    let basket = purchase(&[(TicketTypeId::generate(), 1)]);
    let promotion = with(|of| (of.combinable, of.max_uses_per_buyer) = (true, Some(2)));
    let codes = ["A", "B", "C"].map(|text| code(text, &promotion)).into();
    let checked = check(codes, &[], &basket);
    assert_eq!(checked.accepted.len(), 2);
    assert_eq!(checked.refused, [RefusedCode { code: "C".into(), reason: USED_BY_BUYER.into() }]);
}

#[test]
fn first_of_codes_that_cannot_be_combined_is_accepted() {
    let basket = purchase(&[(TicketTypeId::generate(), 1)]);
    let (alone, one, other) =
        (ten_percent(), with(|of| of.combinable = true), with(|of| of.combinable = true));
    let accepted = |codes: &[(&str, &Promotion)]| {
        let codes = codes.iter().map(|(text, promotion)| code(text, promotion)).collect();
        let checked = check(codes, &[], &basket);
        assert!(checked.refused.iter().all(|refused| refused.reason == NOT_COMBINABLE));
        checked.accepted.into_iter().map(|accepted| accepted.entered).collect::<Vec<_>>()
    };
    assert_eq!(accepted(&[("A", &one), ("B", &other)]), ["A", "B"]);
    assert_eq!(accepted(&[("A", &one), ("B", &one)]), ["A", "B"]);
    assert_eq!(accepted(&[("A", &one), ("B", &alone), ("C", &other)]), ["A", "C"]);
    assert_eq!(accepted(&[("A", &alone), ("B", &one)]), ["A"]);
    assert_eq!(accepted(&[("A", &alone), ("B", &alone)]), ["A"]);
    // The same code in another case is not two.
    assert_eq!(accepted(&[("A", &one), ("a", &one)]), ["A"]);
}
