//! What events and their ticket types say of their sale, and what can be told of a wish by that alone.

use std::collections::BTreeMap;

use crate::catalog::event::HoldRules;
use crate::catalog::{EventStatus, TicketType, TypeStatus};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{PoolId, TicketTypeId};
use crate::inventory::seating::check_labels;
use crate::time::Timestamp;
use crate::value::Money;

/// What an event says of its sale.
#[derive(Clone, Debug)]
pub struct EventTerms {
    /// Whether it sells.
    pub status: EventStatus,
    /// When it is over.
    pub ends_at: Timestamp,
    /// How long is held, the tenant's rules included.
    pub holds: HoldRules,
    /// The most units of one buyer.
    pub buyer_limit: Option<u32>,
    /// Whether only those reserve whose turn it is in the event's queue.
    pub queued: bool,
}

/// What a ticket type says of its sale.
#[derive(Clone, Debug)]
pub struct TypeTerms {
    /// Its name.
    pub name: String,
    /// The price of one.
    pub price: Money,
    /// The least and the most of one purchase.
    pub bounds: (u32, u32),
    /// When its sale begins and ends.
    pub window: (Option<Timestamp>, Option<Timestamp>),
    /// Whether it is sold.
    pub status: TypeStatus,
    /// The pools that it draws on.
    pub pools: Vec<PoolId>,
    /// Whether its units have seats.
    pub seated: bool,
}

impl TypeTerms {
    /// What a type says.
    pub(crate) fn of(held: &TicketType) -> Self {
        let text = &held.text;
        Self {
            name: text.name.clone(),
            price: text.price.clone(),
            bounds: (text.min_per_purchase, text.max_per_purchase),
            window: (text.valid_from, text.valid_until),
            status: text.status,
            pools: held.draws_on(),
            seated: held.seated,
        }
    }

    /// Refuses to sell when it is not sold.
    pub(crate) fn check(&self, now: Timestamp) -> Result<()> {
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

    /// Refuses to sell so many at once.
    pub(crate) fn check_quantity(&self, field: &str, quantity: usize) -> Result<()> {
        let (least, most) = self.bounds;
        if (least as usize..=most as usize).contains(&quantity) {
            return Ok(());
        }
        let message = format!("is {quantity} of {:?}; {least} to {most} can be bought at once", self.name);
        Err(Error::invalid(field, message))
    }
}

/// A line wants a type that the event does not have.
pub(crate) fn unknown_type(index: usize, id: TicketTypeId) -> Error {
    let message = format!("is {id}, which is no ticket type of the event");
    Error::not_found("ticket-type").at(&format!("lines[{index}].ticket_type_id"), message)
}

/// Checks what is wanted of types, each with how many and which seats, by what they say at any time.
pub(crate) fn check_wanted<'a>(
    types: &BTreeMap<TicketTypeId, TypeTerms>,
    wanted: impl Iterator<Item = (TicketTypeId, usize, &'a [String])>,
) -> Result<()> {
    // With the first line that wants the type.
    let mut of_type: BTreeMap<TicketTypeId, (usize, usize)> = BTreeMap::new();
    let mut currency = None;
    let mut differ = false;
    for (index, (id, units, seats)) in wanted.enumerate() {
        let terms = types.get(&id).ok_or_else(|| unknown_type(index, id))?;
        let field = format!("lines[{index}].seat_numbers");
        if !seats.is_empty() && !terms.seated {
            return Err(Error::invalid(&field, format!("are given, but {:?} has no seats", terms.name)));
        }
        check_labels(&field, seats, units)?;
        of_type.entry(id).or_insert((index, 0)).1 += units;
        differ |= *currency.get_or_insert(&terms.price.currency) != &terms.price.currency;
    }
    for (id, (index, quantity)) in of_type {
        if let Some(terms) = types.get(&id) {
            terms.check_quantity(&format!("lines[{index}].quantity"), quantity)?;
        }
    }
    if differ {
        return Err(Error::invalid(
            "lines",
            "have prices in different currencies; reserve them by themselves",
        ));
    }
    Ok(())
}

/// Refuses what is wanted of an event that sells nothing.
pub(crate) fn on_sale((status, ends_at): (EventStatus, Timestamp), now: Timestamp) -> Result<()> {
    let why = match status {
        EventStatus::Active if now < ends_at => return Ok(()),
        EventStatus::Active | EventStatus::Ended => "the event is over",
        EventStatus::Draft => "the event is not on sale yet",
        EventStatus::Cancelled => "the event was cancelled",
    };
    Err(Error::new(ErrorKind::Precondition, "EVENT_NOT_ON_SALE", why))
}

/// How many seconds are held where a client asks for so many.
pub(crate) fn hold_for(holds: HoldRules, seconds: Option<u32>) -> Result<u32> {
    let (usual, least, most) = holds.seconds();
    match seconds {
        None | Some(0) => Ok(usual),
        Some(seconds) if (least..=most).contains(&seconds) => Ok(seconds),
        Some(seconds) => {
            let message = format!("is {seconds}; {least} to {most} seconds are allowed, or 0 for {usual}");
            Err(Error::invalid("timeout_seconds", message))
        }
    }
}
