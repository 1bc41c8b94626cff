//! Promotions, their codes, and what a code takes off a price.

use std::collections::BTreeSet;

use tessera_core::id::{EventId, TicketTypeId};
use tessera_core::pricing::promotion::{ChangePromotion, Discount, WritePromotion};
use tessera_core::pricing::rule::Per;
use tessera_core::pricing::{AppliedDiscount, ApplyDiscount, NewCodes, Percent, Promotion, PromotionCode};
use tessera_core::text::Faults;
use tessera_core::value::Money;
use tessera_core::{Error, Result};
use tessera_proto::common::v1 as common;
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::{check_group, read_u32};
use crate::convert::mask::Mask;
use crate::convert::pricing::{buyer, event, named, ticket_types};
use crate::convert::reservation::money;
use crate::convert::ticket_type::timestamp;
use crate::convert::{non_empty, text, time, to_i32};
use crate::state::etag_with_count;

/// Encodes a promotion. Its uses change without its version.
#[must_use]
pub(crate) fn promotion(promotion: Promotion) -> pb::Promotion {
    let attributes = promotion.attributes;
    let (mut percent, mut amount, mut per) = (None, None, None);
    match &attributes.discount {
        Some(Discount::Percent(of)) => percent = Some(of.to_string()),
        Some(Discount::Amount(of, each)) => (amount, per) = (Some(money(of)), Some(each.name().to_owned())),
        None => {}
    }
    let count = |number: Option<u32>| number.map(|number| to_i32(number.into()));
    let ids = |types: &BTreeSet<TicketTypeId>| types.iter().map(ToString::to_string).collect();
    pb::Promotion {
        id: promotion.id.to_string(),
        name: attributes.name,
        event_id: text(attributes.event),
        ticket_type_ids: ids(&attributes.ticket_types),
        percent,
        amount,
        per,
        shown_ticket_type_ids: ids(&attributes.shows),
        min_quantity: count(attributes.min_quantity),
        valid_from: attributes.valid_from.and_then(time),
        valid_until: attributes.valid_until.and_then(time),
        max_uses: count(attributes.max_uses),
        max_uses_per_buyer: count(attributes.max_uses_per_buyer),
        max_uses_per_code: count(attributes.max_uses_per_code),
        combinable: attributes.combinable,
        enabled: attributes.enabled,
        code_count: to_i32(promotion.codes.into()),
        uses: to_i32(promotion.uses.into()),
        created_at: time(promotion.created_at),
        updated_at: time(promotion.updated_at),
        etag: etag_with_count(promotion.version, promotion.uses.into()),
    }
}

/// Encodes a code.
#[must_use]
pub(crate) fn code(code: PromotionCode) -> pb::PromotionCode {
    let units = code.kept.as_ref().map_or(0, |kept| kept.units);
    pb::PromotionCode {
        code: code.code,
        uses: to_i32(code.uses.into()),
        kept_ticket_type_id: text(code.kept.map(|kept| kept.ticket_type)),
        kept_units: to_i32(units.into()),
        created_at: time(code.created_at),
    }
}

/// Reads the attributes of a promotion, except for its discount, from either request.
macro_rules! attributes {
    ($request:ident, $discount:expr, $faults:ident) => {
        WritePromotion {
            name: $request.name,
            event: event(&$request.event_id, &mut $faults),
            ticket_types: ticket_types("ticket_type_ids", &$request.ticket_type_ids, &mut $faults),
            discount: $discount,
            shows: ticket_types("shown_ticket_type_ids", &$request.shown_ticket_type_ids, &mut $faults),
            min_quantity: read_u32("min_quantity", $request.min_quantity, &mut $faults),
            valid_from: timestamp("valid_from", $request.valid_from, &mut $faults),
            valid_until: timestamp("valid_until", $request.valid_until, &mut $faults),
            max_uses: read_u32("max_uses", $request.max_uses, &mut $faults),
            max_uses_per_buyer: read_u32("max_uses_per_buyer", $request.max_uses_per_buyer, &mut $faults),
            max_uses_per_code: read_u32("max_uses_per_code", $request.max_uses_per_code, &mut $faults),
            combinable: $request.combinable,
            enabled: $request.enabled.unwrap_or(true),
        }
    };
}

/// Reads a request to create a promotion, with its first codes.
pub(crate) fn create(request: pb::CreatePromotionRequest) -> Result<(WritePromotion, Vec<String>)> {
    let mut faults = Faults::default();
    let discount = faults.take(discount(&request.percent, request.amount, &request.per)).flatten();
    let promotion = attributes!(request, discount, faults);
    faults.into_result()?;
    Ok((promotion, request.codes))
}

/// Reads an update of a promotion; without a mask, every field changes. A mask with a part of the discount changes all
/// of it.
pub(crate) fn change(request: pb::UpdatePromotionRequest) -> Result<ChangePromotion> {
    let mask = Mask::read(request.update_mask, ChangePromotion::FIELDS, None)?;
    let mut faults = Faults::default();
    let promotion = attributes!(request, None, faults);
    faults.retain(mask.fields());
    let mut change = ChangePromotion::from_write(promotion, mask.fields());
    if change.discount.is_some() {
        change.discount = faults.take(discount(&request.percent, request.amount, &request.per));
    }
    if !mask.is_absent() && matches!(change.discount, Some(Some(Discount::Amount(..)))) {
        check_group(&["amount", "per"].map(|name| (name, mask.names(name))), &mut faults);
    }
    faults.into_result().map(|()| change)
}

/// Reads a discount: a percentage, an amount, or none.
fn discount(percent: &str, amount: Option<common::Money>, per: &str) -> Result<Option<Discount>> {
    match (percent, amount) {
        (_, None) if !per.is_empty() => Err(Error::invalid("per", "is given without an amount")),
        ("", None) => Ok(None),
        (percent, None) => Percent::parse("percent", percent).map(|percent| Some(Discount::Percent(percent))),
        ("", Some(common::Money { amount, currency })) => {
            let per = if per.is_empty() { Per::Order } else { named("per", per, &Per::ALL, Per::name)? };
            Ok(Some(Discount::Amount(Money { amount, currency }, per)))
        }
        (_, Some(_)) => Err(Error::invalid("amount", "is given beside percent; give at most one of them")),
    }
}

/// Reads a request for codes.
pub(crate) fn new_codes(request: pb::CreatePromotionCodesRequest) -> Result<NewCodes> {
    let mut faults = Faults::default();
    let count = read_u32("count", Some(request.count), &mut faults).unwrap_or_default();
    let kept = kept(&request.kept_ticket_type_id, request.kept_units, &mut faults);
    faults.into_result()?;
    Ok(NewCodes { codes: request.codes, count, prefix: request.prefix, kept })
}

/// Reads the units that each code keeps free; ticket type and number are given, or neither.
fn kept(ticket_type: &str, units: i32, faults: &mut Faults) -> Option<(TicketTypeId, u32)> {
    let missing = match (ticket_type, units) {
        ("", 0) => return None,
        ("", _) => "kept_ticket_type_id",
        (_, 0) => "kept_units",
        _ => {
            let ticket_type = faults.take(TicketTypeId::parse("kept_ticket_type_id", ticket_type));
            return ticket_type.zip(read_u32("kept_units", Some(units), faults));
        }
    };
    faults.add(missing, "must be given: kept_ticket_type_id and kept_units go together");
    None
}

/// Reads a request to apply a code to a price.
pub(crate) fn apply_discount(request: pb::ApplyDiscountRequest) -> Result<ApplyDiscount> {
    let event = EventId::parse("event_id", &request.event_id)?;
    let price = request.original_price.ok_or_else(|| Error::invalid("original_price", "must be given"))?;
    let ticket_type =
        non_empty(request.ticket_type_id).map(|id| TicketTypeId::parse("ticket_type_id", &id)).transpose()?;
    let mut faults = Faults::default();
    let quantity = read_u32("quantity", Some(request.quantity), &mut faults);
    faults.into_result()?;
    Ok(ApplyDiscount {
        event,
        code: request.discount_code,
        original: Money { amount: price.amount, currency: price.currency },
        buyer: buyer(request.user_id, request.buyer_id)?,
        ticket_type,
        quantity: quantity.filter(|quantity| *quantity > 0).unwrap_or(1),
    })
}

/// Encodes what a code takes off a price.
#[must_use]
pub(crate) fn applied_discount(original: &Money, applied: AppliedDiscount) -> pb::ApplyDiscountResponse {
    let amount = |amount| Some(common::Money { amount, currency: original.currency.clone() });
    pb::ApplyDiscountResponse {
        discount_amount: amount(applied.amount),
        final_price: amount(original.amount.saturating_sub(applied.amount)),
        discount_reason: applied.reason,
        is_valid: applied.is_valid,
    }
}

#[cfg(test)]
mod tests {
    use prost_types::FieldMask;
    use tessera_core::Timestamp;
    use tessera_core::id::PromotionId;

    use super::*;

    fn fields(error: &Error) -> Vec<&str> {
        error.faults().iter().map(|fault| fault.field.as_str()).collect()
    }

    fn euros(amount: i64) -> Option<common::Money> {
        Some(common::Money { amount, currency: "EUR".into() })
    }

    fn request() -> pb::CreatePromotionRequest {
        pb::CreatePromotionRequest { name: "Friends".into(), ..Default::default() }
    }

    fn update(paths: &[&str]) -> pb::UpdatePromotionRequest {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        pb::UpdatePromotionRequest { update_mask: Some(FieldMask { paths }), ..Default::default() }
    }

    #[test]
    fn discount_is_a_percentage_an_amount_or_none() {
        let read = |percent: &str, amount, per: &str| {
            create(pb::CreatePromotionRequest {
                percent: percent.into(),
                amount,
                per: per.into(),
                ..request()
            })
            .map(|(promotion, _)| promotion.discount)
        };
        let five = Money { amount: 500, currency: "EUR".into() };
        assert_eq!(read("", None, "").unwrap(), None);
        assert_eq!(read("100", None, "").unwrap(), Some(Discount::Percent(Percent::HUNDRED)));
        assert_eq!(read("", euros(500), "").unwrap(), Some(Discount::Amount(five.clone(), Per::Order)));
        assert_eq!(read("", euros(500), "unit").unwrap(), Some(Discount::Amount(five, Per::Unit)));
        for (percent, amount, per, field) in [
            ("10", euros(500), "", "amount"),
            ("10", None, "unit", "per"),
            ("", None, "order", "per"),
            ("", euros(500), "seat", "per"),
            ("many", None, "", "percent"),
        ] {
            assert_eq!(fields(&read(percent, amount, per).unwrap_err()), [field]);
        }
    }

    #[test]
    fn all_faults_of_a_promotion_are_named() {
        let faulty = pb::CreatePromotionRequest {
            event_id: "e".into(),
            ticket_type_ids: vec![TicketTypeId::generate().to_string(), "t".into()],
            percent: "many".into(),
            shown_ticket_type_ids: vec!["t".into()],
            min_quantity: Some(-1),
            max_uses: Some(-1),
            ..request()
        };
        let expected = [
            "percent",
            "event_id",
            "ticket_type_ids[1]",
            "shown_ticket_type_ids[0]",
            "min_quantity",
            "max_uses",
        ];
        assert_eq!(fields(&create(faulty).unwrap_err()), expected);
    }

    #[test]
    fn masked_part_of_the_discount_replaces_all_of_it() {
        let percent = change(pb::UpdatePromotionRequest { percent: "10".into(), ..update(&["percent"]) });
        assert!(matches!(percent.unwrap().discount, Some(Some(Discount::Percent(_)))));
        assert_eq!(change(update(&["percent"])).unwrap().discount, Some(None));
        assert_eq!(change(update(&["name"])).unwrap().discount, None);
        let half = pb::UpdatePromotionRequest { amount: euros(500), ..update(&["amount"]) };
        assert_eq!(fields(&change(half).unwrap_err()), ["per"]);
        let whole = pb::UpdatePromotionRequest {
            amount: euros(500),
            per: "unit".into(),
            event_id: "not masked".into(),
            ..update(&["amount", "per"])
        };
        let change = change(whole).unwrap();
        assert!(matches!(change.discount, Some(Some(Discount::Amount(_, Per::Unit)))));
        assert_eq!((change.name, change.enabled), (None, None));
    }

    #[test]
    fn kept_units_need_a_ticket_type() {
        let ticket_type = TicketTypeId::generate();
        let read = |ticket_type: &str, kept_units| {
            let kept_ticket_type_id = ticket_type.to_owned();
            new_codes(pb::CreatePromotionCodesRequest {
                kept_ticket_type_id,
                kept_units,
                ..Default::default()
            })
            .map(|codes| codes.kept)
        };
        let id = ticket_type.to_string();
        assert_eq!(read("", 0).unwrap(), None);
        assert_eq!(read(&id, 2).unwrap(), Some((ticket_type, 2)));
        assert_eq!(fields(&read(&id, 0).unwrap_err()), ["kept_units"]);
        assert_eq!(fields(&read(&id, -1).unwrap_err()), ["kept_units"]);
        assert_eq!(fields(&read("", 2).unwrap_err()), ["kept_ticket_type_id"]);
    }

    #[test]
    fn code_is_applied_to_one_unit_by_default() {
        let request = pb::ApplyDiscountRequest {
            event_id: EventId::generate().to_string(),
            discount_code: "friends".into(),
            original_price: euros(1_000),
            user_id: "ann".into(),
            ..Default::default()
        };
        let read = apply_discount(request.clone()).unwrap();
        assert_eq!((read.quantity, read.ticket_type, read.buyer.as_str()), (1, None, "ann"));
        let refused = |request| fields(&apply_discount(request).unwrap_err()).join(" ");
        assert_eq!(refused(pb::ApplyDiscountRequest { quantity: -1, ..request.clone() }), "quantity");
        let without_price = pb::ApplyDiscountRequest { original_price: None, ..request.clone() };
        assert_eq!(refused(without_price), "original_price");
        assert_eq!(refused(pb::ApplyDiscountRequest { buyer_id: "ben".into(), ..request }), "user_id");
        let applied = AppliedDiscount { amount: 100, reason: "Friends".into(), is_valid: true };
        let answer = applied_discount(&read.original, applied);
        assert_eq!((answer.discount_amount, answer.final_price), (euros(100), euros(900)));
    }

    #[test]
    fn use_changes_the_entity_tag() {
        let (attributes, _) = create(request()).unwrap();
        let (id, at) = (PromotionId::generate(), Timestamp::default());
        let stored =
            Promotion { id, attributes, codes: 2, uses: 7, created_at: at, updated_at: at, version: 3 };
        let encoded = promotion(stored);
        assert_eq!((encoded.etag.as_str(), encoded.uses, encoded.code_count), ("3.7", 7, 2));
    }
}
