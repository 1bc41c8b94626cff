//! The lines of a basket at their base prices.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::TicketType;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{PoolId, TicketTypeId};
use crate::inventory::terms::{TypeTerms, check_lines, unknown_type};
use crate::inventory::{LineRequest, Pool, PoolSort};
use crate::pricing::line::PricedLine;
use crate::pricing::price_request::PriceRequest;
use crate::pricing::rule::PricingRule;
use crate::time::Timestamp;

/// The most categories and ticket types that an error names.
const MAX_NAMED: usize = 20;

/// Returns the request with the ticket type that is sold from the shared pool (zone) which its line names instead of a
/// type; `None`: it names none. Of several types, the one that is on sale and has a price for the category is meant.
/// Hidden types are not.
pub(super) fn with_type_of_zone(
    request: &PriceRequest,
    types: &[TicketType],
    pools: &[Pool],
    now: Timestamp,
) -> Result<Option<PriceRequest>> {
    let [line] = &request.lines[..] else { return Ok(None) };
    let zone = PoolId(line.ticket_type.0);
    let is_zone = pools.iter().any(|pool| pool.id == zone && pool.sort == PoolSort::Shared);
    if !request.by_zone || !is_zone {
        return Ok(None);
    }
    let is_sold = |of: &&TicketType| of.attributes.pools.contains(&zone) && !of.attributes.hidden;
    let mut candidates: Vec<_> = types.iter().filter(is_sold).collect();
    let is_on_sale = |of: &&TicketType| of.is_on_sale(now);
    if candidates.iter().any(is_on_sale) {
        candidates.retain(is_on_sale);
    }
    let has_price = |of: &&TicketType| of.attributes.category_prices.contains_key(&line.category);
    if candidates.iter().any(has_price) {
        candidates.retain(has_price);
    }
    let [ticket_type] = candidates[..] else {
        let named = candidates.iter().take(MAX_NAMED);
        let named = named.map(|of| format!("{} ({:?})", of.id, of.attributes.name)).collect::<Vec<_>>();
        let message = if named.is_empty() {
            format!("is the zone {zone}, from which no ticket type is sold; name a ticket type")
        } else {
            format!(
                "is the zone {zone}, from which several ticket types are sold: name {}",
                named.join(" or ")
            )
        };
        return Err(Error::invalid("lines[0].ticket_type_id", message));
    };
    let line = LineRequest { ticket_type: ticket_type.id, ..line.clone() };
    Ok(Some(PriceRequest { lines: vec![line], ..request.clone() }))
}

/// Leaves out hidden ticket types that no code shows. A caller with a key is told that a line needs a code; for others,
/// there is no such type.
pub(super) fn retain_shown(
    ctx: &Ctx,
    types: &mut Vec<TicketType>,
    lines: &[LineRequest],
    shown: &BTreeSet<TicketTypeId>,
) -> Result<()> {
    let is_shown = |of: &TicketType| !of.attributes.hidden || shown.contains(&of.id);
    if ctx.is_authenticated() {
        for (index, line) in lines.iter().enumerate() {
            if types.iter().any(|of| of.id == line.ticket_type && !is_shown(of)) {
                let message = format!("is {}, which is hidden; enter a code that shows it", line.ticket_type);
                let error = Error::new(ErrorKind::Precondition, "ACCESS_CODE_REQUIRED", "");
                return Err(error.at(&format!("lines[{index}].ticket_type_id"), message));
            }
        }
    }
    types.retain(is_shown);
    Ok(())
}

/// Returns the lines at their base prices, and their currency.
pub(super) fn priced_lines(
    ctx: &Ctx,
    request: &PriceRequest,
    types: &[TicketType],
    rules: &[&PricingRule],
) -> Result<(String, Vec<PricedLine>)> {
    let terms: BTreeMap<_, _> =
        types.iter().map(|ticket_type| (ticket_type.id, TypeTerms::of(ticket_type))).collect();
    let requested = request.lines.iter();
    check_lines(&terms, requested.map(|line| (line.ticket_type, line.quantity as usize, &line.seats[..])))?;
    let mut currency = String::new();
    let mut lines = Vec::with_capacity(request.lines.len());
    for (index, line) in request.lines.iter().enumerate() {
        let ticket_type = types.iter().find(|ticket_type| ticket_type.id == line.ticket_type);
        let ticket_type = ticket_type.ok_or_else(|| unknown_type(index, line.ticket_type))?;
        let attributes = &ticket_type.attributes;
        let unit_price = match attributes.category_prices.get(&line.category) {
            Some(amount) => *amount,
            None if line.category.is_empty() => attributes.price.amount,
            None => {
                check_category(ctx, (index, &line.category), ticket_type, rules)?;
                attributes.price.amount
            }
        };
        currency.clone_from(&attributes.price.currency);
        lines.push(priced_line(ticket_type, &line.category, line.quantity, unit_price));
    }
    Ok((currency, lines))
}

/// Returns a line at its base price.
pub(super) fn priced_line(
    ticket_type: &TicketType,
    category: &str,
    quantity: u32,
    unit_price: i64,
) -> PricedLine {
    PricedLine {
        ticket_type: ticket_type.id,
        name: ticket_type.attributes.name.clone(),
        category: category.to_owned(),
        quantity,
        unit_price,
        amount: unit_price.saturating_mul(quantity.into()),
    }
}

/// Refuses a category that neither the ticket type nor a rule for it prices. Callers without a key are told the
/// categories of the ticket type alone: rules are not public.
fn check_category(
    ctx: &Ctx,
    (index, category): (usize, &str),
    ticket_type: &TicketType,
    rules: &[&PricingRule],
) -> Result<()> {
    let is_for_type = |rule: &&&PricingRule| {
        let types = &rule.attributes.ticket_types;
        types.is_empty() || types.contains(&ticket_type.id)
    };
    let of_rules = rules.iter().filter(is_for_type).flat_map(|rule| &rule.attributes.categories);
    let of_rules: BTreeSet<&str> = of_rules.map(String::as_str).collect();
    if of_rules.contains(category) {
        return Ok(());
    }
    let of_type = ticket_type.attributes.category_prices.keys();
    let mut known: BTreeSet<&str> = of_type.map(String::as_str).collect();
    if ctx.is_authenticated() {
        known.extend(of_rules);
    }
    let known = known.into_iter().take(MAX_NAMED).collect::<Vec<_>>().join(", ");
    let expected = if known.is_empty() {
        "no category has a price".to_owned()
    } else {
        format!("one of {known} is expected")
    };
    Err(Error::invalid(&format!("lines[{index}].pricing_category"), format!("is {category:?}; {expected}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{TypeStatus, WriteTicketType};
    use crate::ctx::{Principal, Transport};
    use crate::id::{EventId, KeyId, RuleId, TenantId};
    use crate::pricing::rule::{WriteRule, test_rule};
    use crate::value::Money;

    fn ticket_type(change: impl FnOnce(&mut WriteTicketType)) -> TicketType {
        let mut attributes = WriteTicketType {
            name: "Seat".into(),
            description: String::new(),
            price: Money { amount: 1_000, currency: "EUR".into() },
            category_prices: BTreeMap::new(),
            min_per_purchase: 1,
            max_per_purchase: 10,
            valid_from: None,
            valid_until: None,
            status: TypeStatus::Active,
            metadata: BTreeMap::new(),
            quantity: None,
            pools: Vec::new(),
            hidden: false,
        };
        change(&mut attributes);
        let now = Timestamp::default();
        TicketType {
            id: TicketTypeId::generate(),
            event: EventId::generate(),
            attributes,
            seated: false,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    fn request(ticket_type: TicketTypeId, category: &str) -> PriceRequest {
        let line = LineRequest { ticket_type, quantity: 1, seats: Vec::new(), category: category.into() };
        PriceRequest {
            event: EventId::generate(),
            lines: vec![line],
            by_zone: true,
            codes: Vec::new(),
            buyer: String::new(),
            channel: String::new(),
        }
    }

    #[test]
    fn ticket_type_on_sale_is_sold_from_a_zone() {
        let now = Timestamp::default();
        let zone = PoolId::generate();
        let pools = [Pool::new(EventId::generate(), (PoolSort::Shared, zone), "Hall", now)];
        let of_zone = |status: TypeStatus, child: Option<i64>| {
            ticket_type(|of| {
                (of.pools, of.status) = (vec![zone], status);
                of.category_prices = child.map(|amount| ("child".to_owned(), amount)).into_iter().collect();
            })
        };
        let sold = |types: &[&TicketType], category: &str| {
            let types: Vec<_> = types.iter().map(|of| (*of).clone()).collect();
            let request = request(TicketTypeId(zone.0), category);
            let found = with_type_of_zone(&request, &types, &pools, now);
            found.map(|found| found.map(|request| request.lines[0].ticket_type))
        };
        let past = of_zone(TypeStatus::Inactive, Some(500));
        let (one, other) = (of_zone(TypeStatus::Active, None), of_zone(TypeStatus::Active, Some(600)));
        assert_eq!(sold(&[&past, &one], "").unwrap(), Some(one.id));
        assert_eq!(sold(&[&past, &one], "child").unwrap(), Some(one.id));
        assert_eq!(sold(&[&past, &one, &other], "child").unwrap(), Some(other.id));
        // The refusal says later that it is not on sale.
        assert_eq!(sold(&[&past], "").unwrap(), Some(past.id));
        let several = sold(&[&past, &one, &other], "").unwrap_err();
        let message = &several.faults()[0].message;
        let is_named = |of: &TicketType| message.contains(&of.id.to_string());
        assert_eq!([&past, &one, &other].map(is_named), [false, true, true], "{message}");
    }

    #[test]
    fn categories_of_rules_are_those_for_the_type_and_named_with_a_key_alone() {
        let seat = ticket_type(|of| of.category_prices = [("child".to_owned(), 500)].into());
        let rule = |category: &str, types: &[TicketTypeId]| {
            let now = Timestamp::default();
            let categories = [category.to_owned()].into();
            let ticket_types = types.iter().copied().collect();
            PricingRule {
                id: RuleId::generate(),
                attributes: WriteRule { categories, ticket_types, ..test_rule() },
                created_at: now,
                updated_at: now,
                version: 1,
            }
        };
        let (all, own) = (rule("senior", &[]), rule("student", &[seat.id]));
        let other = rule("press", &[TicketTypeId::generate()]);
        let check = |principal: Principal, category: &str| {
            let time = (Timestamp::default(), std::time::Instant::now());
            let ctx = Ctx::new(TenantId::generate(), principal, "r".into(), time, Transport::Rest);
            let types = std::slice::from_ref(&seat);
            let priced = priced_lines(&ctx, &request(seat.id, category), types, &[&all, &own, &other]);
            priced.map(|(_, lines)| lines[0].unit_price).map_err(|error| error.faults()[0].message.clone())
        };
        let key = Principal::Key { id: KeyId::parse("id", "shop").unwrap(), user: None, roles: [].into() };
        for (category, price) in [("", 1_000), ("child", 500), ("senior", 1_000), ("student", 1_000)] {
            assert_eq!(check(Principal::Anonymous, category), Ok(price), "{category}");
        }
        let refusal = |known: &str| Err(format!("is \"press\"; one of {known} is expected"));
        assert_eq!(check(Principal::Anonymous, "press"), refusal("child"));
        assert_eq!(check(key, "press"), refusal("child, senior, student"));
    }
}
