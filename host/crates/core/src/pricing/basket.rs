//! What rules and pricing plugins are given of an event and a basket.

use std::collections::BTreeMap;

use crate::catalog::{Event, TicketType, Venue, time_zone};
use crate::error::{Error, Result};
use crate::id::TicketTypeId;
use crate::inventory::{Pool, Remaining};
use crate::money;
use crate::plugin::{Basket, BasketLine, Entity};
use crate::pricing::{Calculation, Circumstances, Percent};
use crate::time::Timestamp;
use crate::value::Field;

/// Returns what rules depend on.
pub(super) fn circumstances(
    now: Timestamp,
    event: &Event,
    venue: Option<&Venue>,
    sold: BTreeMap<TicketTypeId, Percent>,
) -> Result<Circumstances> {
    let of_venue = venue.map(|venue| venue.attributes.time_zone.as_str());
    let zone = event.attributes.time_zone.as_deref().or(of_venue).unwrap_or("UTC");
    let starts_at = event.attributes.starts_at;
    Ok(Circumstances {
        event: event.id,
        now,
        starts_at,
        offset_now: time_zone::offset(zone, now)?,
        offset_start: time_zone::offset(zone, starts_at)?,
        sold,
    })
}

/// Returns the largest share of held and sold units among the pools of a ticket type.
pub(super) fn sold_share(ticket_type: &TicketType, pools: &[Pool]) -> Percent {
    let used = ticket_type.all_pools();
    let shares = pools.iter().filter(|pool| used.contains(&pool.id)).map(|pool| {
        let sold = pool.counts.held.saturating_add(pool.counts.sold);
        pool.capacity.map_or(Percent::share(0, 1), |capacity| Percent::share(sold, capacity))
    });
    shares.max().unwrap_or(Percent::share(0, 1))
}

/// Returns the basket as plugins see it, without adjustments, codes, channel and buyer. A number without a bound is the
/// largest one.
pub(super) fn basket(
    (event, venue): (&Event, Option<&Venue>),
    (circumstances, remaining): (&Circumstances, &BTreeMap<TicketTypeId, Remaining>),
    calculation: &Calculation,
) -> Result<Basket> {
    let mut fields = Entity::event(event).fields;
    // It is long, and every quote would keep it.
    fields.retain(|field| field.name != "description");
    if let Some(venue) = venue {
        fields.push(Field::new("venue_name", venue.attributes.name.as_str()));
        fields.push(Field::new("venue_city", venue.attributes.city.as_str()));
        fields.push(Field::new("venue_country", venue.attributes.country.as_str()));
    }
    let bounded = |units: Option<u64>| units.and_then(|units| u32::try_from(units).ok()).unwrap_or(u32::MAX);
    let lines = calculation.lines().iter().map(|line| {
        let of_type = remaining.get(&line.ticket_type);
        let category = (!line.category.is_empty()).then(|| Field::new("category", line.category.as_str()));
        // Available units do not tell it: locked ones are not sold, and both minima may be of different pools.
        let sold = Field::new("sold", circumstances.sold(line.ticket_type).to_string().as_str());
        BasketLine {
            ticket_type: line.ticket_type.to_string(),
            name: line.name.clone(),
            quantity: line.quantity,
            unit_price: line.unit_price,
            available: bounded(of_type.and_then(|of_type| of_type.available)),
            capacity: bounded(of_type.and_then(|of_type| of_type.quantity)),
            attributes: category.into_iter().chain([sold]).collect(),
        }
    });
    let offset = |minutes: i32| i16::try_from(minutes).map_err(Error::internal);
    let currency = calculation.currency().to_owned();
    Ok(Basket {
        event: fields,
        starts_at: Some(event.attributes.starts_at),
        offset_now: offset(circumstances.offset_now)?,
        offset_start: offset(circumstances.offset_start)?,
        currency_exponent: money::exponent(&currency).unwrap_or_default(),
        currency,
        lines: lines.collect(),
        codes: Vec::new(),
        channel: String::new(),
        buyer: Vec::new(),
        applied: Vec::new(),
    })
}
