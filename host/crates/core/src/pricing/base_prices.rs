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

/// The most categories and ticket types that an error names.
const MAX_NAMED: usize = 20;

/// Returns the request with the ticket type that is sold from the shared pool (zone) which its line names instead of a
/// type; `None`: it names none. Of several types, the one with a price for the category is meant. Hidden types are not.
pub(super) fn with_type_of_zone(
    request: &PriceRequest,
    types: &[TicketType],
    pools: &[Pool],
) -> Result<Option<PriceRequest>> {
    let [line] = &request.lines[..] else { return Ok(None) };
    let zone = PoolId(line.ticket_type.0);
    let is_zone = pools.iter().any(|pool| pool.id == zone && pool.sort == PoolSort::Shared);
    if !request.by_zone || !is_zone {
        return Ok(None);
    }
    let is_sold = |of: &&TicketType| of.attributes.pools.contains(&zone) && !of.attributes.hidden;
    let mut candidates: Vec<_> = types.iter().filter(is_sold).collect();
    let has_price = |of: &&TicketType| of.attributes.category_prices.contains_key(&line.category);
    if candidates.len() > 1 && candidates.iter().any(has_price) {
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
                check_category(index, &line.category, rules, attributes.category_prices.keys())?;
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

/// Refuses a category that neither the ticket type nor a rule prices.
fn check_category<'a>(
    index: usize,
    category: &str,
    rules: &'a [&PricingRule],
    of_type: impl Iterator<Item = &'a String>,
) -> Result<()> {
    let of_rules = rules.iter().flat_map(|rule| &rule.attributes.categories);
    let mut known: Vec<_> = of_type.chain(of_rules).collect();
    known.sort_unstable();
    known.dedup();
    if known.iter().any(|known| *known == category) {
        return Ok(());
    }
    let known = known.into_iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let expected = if known.is_empty() {
        "no category has a price".to_owned()
    } else {
        format!("one of {known} is expected")
    };
    Err(Error::invalid(&format!("lines[{index}].pricing_category"), format!("is {category:?}; {expected}")))
}
