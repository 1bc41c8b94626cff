//! The terms of sale of events and ticket types, and the checks of requests that depend on them alone.

use std::collections::{BTreeMap, HashSet};

use crate::catalog::{EventStatus, TicketType, TypeStatus};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{PoolId, TicketTypeId};
use crate::inventory::{HoldRules, HoldSeconds};
use crate::time::Timestamp;
use crate::value::Money;

/// The terms of sale of an event.
#[derive(Clone, Debug)]
pub struct EventTerms {
    /// Its status.
    pub status: EventStatus,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Its hold rules, completed by the tenant's.
    pub hold_rules: HoldRules,
    /// The most units of one buyer.
    pub buyer_limit: Option<u32>,
    /// Whether only buyers that are active in the event's queue may reserve.
    pub queue_required: bool,
}

/// The terms of sale of a ticket type.
#[derive(Clone, Debug)]
pub struct TypeTerms {
    /// Its name.
    pub name: String,
    /// The price of one unit.
    pub price: Money,
    /// The fewest and the most units of one purchase.
    pub bounds: (u32, u32),
    /// The begin and the end of its sales window.
    pub window: (Option<Timestamp>, Option<Timestamp>),
    /// Its status.
    pub status: TypeStatus,
    /// The pools that its units are taken from.
    pub pools: Vec<PoolId>,
    /// Whether its units have seats.
    pub seated: bool,
    /// Whether it is sold only with a code of a promotion that shows it.
    pub hidden: bool,
}

impl TypeTerms {
    /// Returns the terms of a ticket type.
    pub(crate) fn of(ticket_type: &TicketType) -> Self {
        let attributes = &ticket_type.attributes;
        Self {
            name: attributes.name.clone(),
            price: attributes.price.clone(),
            bounds: (attributes.min_per_purchase, attributes.max_per_purchase),
            window: (attributes.valid_from, attributes.valid_until),
            status: attributes.status,
            pools: ticket_type.all_pools(),
            seated: ticket_type.seated,
            hidden: attributes.hidden,
        }
    }

    /// Refuses a ticket type that is not on sale.
    pub(crate) fn check_on_sale(&self, now: Timestamp) -> Result<()> {
        let (from, until) = self.window;
        let why = if self.status == TypeStatus::Inactive {
            "is not sold"
        } else if from.is_some_and(|from| now < from) {
            "is not sold yet"
        } else if until.is_some_and(|until| until <= now) {
            "is not sold any more"
        } else {
            return Ok(());
        };
        let message = format!("the ticket type {:?} {why}", self.name);
        Err(Error::new(ErrorKind::Precondition, "TICKET_TYPE_NOT_ON_SALE", message))
    }

    /// Refuses a quantity outside the bounds of one purchase.
    pub(crate) fn check_quantity(&self, field: &str, quantity: usize) -> Result<()> {
        let (min, max) = self.bounds;
        if (min as usize..=max as usize).contains(&quantity) {
            return Ok(());
        }
        let message = format!("is {quantity} of {:?}; {min} to {max} can be bought at once", self.name);
        Err(Error::invalid(field, message))
    }
}

/// The refusal of a line whose ticket type is not one of the event.
pub(crate) fn unknown_type(index: usize, id: TicketTypeId) -> Error {
    let message = format!("is {id}, which is no ticket type of the event");
    Error::not_found("ticket-type").at(&format!("lines[{index}].ticket_type_id"), message)
}

/// The refusal of a line whose ticket type is hidden, and that no code shows.
pub(crate) fn hidden_type(index: usize, name: &str) -> Error {
    let message =
        format!("is {name:?}, which is sold only with a code that shows it; name the code in codes");
    Error::new(ErrorKind::Precondition, "ACCESS_CODE_REQUIRED", "")
        .at(&format!("lines[{index}].ticket_type_id"), message)
}

/// Refuses seat labels that are not one for each unit, or that name a seat twice.
pub(super) fn check_labels(field: &str, labels: &[String], units: usize) -> Result<()> {
    if labels.is_empty() {
        return Ok(());
    }
    if labels.len() != units {
        return Err(Error::invalid(field, format!("names {} seats for {units} units", labels.len())));
    }
    let mut seen = HashSet::with_capacity(units);
    match labels.iter().find(|label| !seen.insert(label.as_str())) {
        Some(label) => Err(Error::invalid(field, format!("names {label:?} twice"))),
        None => Ok(()),
    }
}

/// Checks requested lines, each a ticket type with a number of units and seat labels, against terms that do not depend
/// on the time.
pub(crate) fn check_lines<'a>(
    types: &BTreeMap<TicketTypeId, TypeTerms>,
    lines: impl Iterator<Item = (TicketTypeId, usize, &'a [String])>,
) -> Result<()> {
    // The first line of each type, and the units of all its lines.
    let mut quantities: BTreeMap<TicketTypeId, (usize, usize)> = BTreeMap::new();
    let mut currency = None;
    let mut currencies_differ = false;
    for (index, (id, units, seats)) in lines.enumerate() {
        let terms = types.get(&id).ok_or_else(|| unknown_type(index, id))?;
        let field = format!("lines[{index}].seat_numbers");
        if !seats.is_empty() && !terms.seated {
            return Err(Error::invalid(&field, format!("are given, but {:?} has no seats", terms.name)));
        }
        check_labels(&field, seats, units)?;
        quantities.entry(id).or_insert((index, 0)).1 += units;
        currencies_differ |= *currency.get_or_insert(&terms.price.currency) != &terms.price.currency;
    }
    for (id, (index, quantity)) in quantities {
        if let Some(terms) = types.get(&id) {
            terms.check_quantity(&format!("lines[{index}].quantity"), quantity)?;
        }
    }
    if currencies_differ {
        return Err(Error::invalid(
            "lines",
            "have prices in different currencies; reserve each currency separately",
        ));
    }
    Ok(())
}

/// Refuses an event that is not on sale.
pub(crate) fn check_on_sale((status, ends_at): (EventStatus, Timestamp), now: Timestamp) -> Result<()> {
    let why = match status {
        EventStatus::Active if now < ends_at => return Ok(()),
        EventStatus::Active | EventStatus::Ended => "the event is over",
        EventStatus::Draft => "the event is not on sale yet",
        EventStatus::Cancelled => "the event was cancelled",
    };
    Err(Error::new(ErrorKind::Precondition, "EVENT_NOT_ON_SALE", why))
}

/// Returns the seconds that units are held when a client requests so many.
pub(crate) fn hold_seconds(rules: HoldRules, requested: Option<u32>) -> Result<u32> {
    let HoldSeconds { default, min, max } = rules.seconds();
    match requested {
        None | Some(0) => Ok(default),
        Some(seconds) if (min..=max).contains(&seconds) => Ok(seconds),
        Some(seconds) => {
            let message = format!("is {seconds}; {min} to {max} seconds are allowed, or 0 for {default}");
            Err(Error::invalid("timeout_seconds", message))
        }
    }
}
