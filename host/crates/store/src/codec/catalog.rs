//! Venues, series, events, ticket types, pools and locks, as they are answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tessera_core::catalog::{
    Event, EventStatus, Place, Series, TicketType, TypeStatus, Venue, WriteEvent, WriteSeries,
    WriteTicketType, WriteVenue,
};
use tessera_core::id::{EventId, LockId, PoolId, SeriesId, TicketTypeId, VenueId};
use tessera_core::inventory::{Counts, Lock, Pool, PoolSort};
use tessera_core::value::Money;
use tessera_core::{Result, Timestamp};

use super::{corrupt, moment};

/// When something was made and last changed, and how often.
#[derive(Serialize, Deserialize)]
pub(crate) struct Stamp {
    created_at: i64,
    updated_at: i64,
    version: u64,
}

fn stamp(created_at: Timestamp, updated_at: Timestamp, version: u64) -> Stamp {
    Stamp { created_at: created_at.micros(), updated_at: updated_at.micros(), version }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct VenueForm {
    id: String,
    name: String,
    address: String,
    city: String,
    state: Option<String>,
    country: String,
    postal_code: Option<String>,
    place: Option<(i64, i64)>,
    capacity: Option<u64>,
    amenities: Vec<String>,
    time_zone: String,
    #[serde(flatten)]
    stamp: Stamp,
}

pub(crate) fn venue_form(venue: &Venue) -> VenueForm {
    let text = venue.text.clone();
    VenueForm {
        id: venue.id.to_string(),
        name: text.name,
        address: text.address,
        city: text.city,
        state: text.state,
        country: text.country,
        postal_code: text.postal_code,
        place: text.place.map(|place| (place.latitude, place.longitude)),
        capacity: text.capacity,
        amenities: text.amenities,
        time_zone: text.time_zone,
        stamp: stamp(venue.created_at, venue.updated_at, venue.version),
    }
}

pub(crate) fn venue(form: VenueForm) -> Result<Venue> {
    Ok(Venue {
        id: VenueId::parse("id", &form.id)?,
        text: WriteVenue {
            name: form.name,
            address: form.address,
            city: form.city,
            state: form.state,
            country: form.country,
            postal_code: form.postal_code,
            place: form.place.map(|(latitude, longitude)| Place { latitude, longitude }),
            capacity: form.capacity,
            amenities: form.amenities,
            time_zone: form.time_zone,
        },
        created_at: moment(form.stamp.created_at)?,
        updated_at: moment(form.stamp.updated_at)?,
        version: form.stamp.version,
    })
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SeriesForm {
    id: String,
    name: String,
    description: String,
    #[serde(flatten)]
    stamp: Stamp,
}

pub(crate) fn series_form(series: &Series) -> SeriesForm {
    SeriesForm {
        id: series.id.to_string(),
        name: series.text.name.clone(),
        description: series.text.description.clone(),
        stamp: stamp(series.created_at, series.updated_at, series.version),
    }
}

pub(crate) fn series(form: SeriesForm) -> Result<Series> {
    Ok(Series {
        id: SeriesId::parse("id", &form.id)?,
        text: WriteSeries { name: form.name, description: form.description },
        created_at: moment(form.stamp.created_at)?,
        updated_at: moment(form.stamp.updated_at)?,
        version: form.stamp.version,
    })
}

#[derive(Serialize, Deserialize)]
pub(crate) struct EventForm {
    id: String,
    title: String,
    description: String,
    category: String,
    venue: Option<String>,
    series: Option<String>,
    starts_at: i64,
    ends_at: i64,
    time_zone: Option<String>,
    status: String,
    featured: bool,
    image_url: Option<String>,
    capacity: Option<u64>,
    holds: (Option<u32>, Option<u32>, Option<u32>),
    buyer_limit: Option<u32>,
    reentry: bool,
    #[serde(default)]
    reentry_switches: Vec<i64>,
    created_by: String,
    #[serde(flatten)]
    stamp: Stamp,
}

pub(crate) fn event_form(event: &Event) -> EventForm {
    let text = event.text.clone();
    EventForm {
        id: event.id.to_string(),
        title: text.title,
        description: text.description,
        category: text.category,
        venue: text.venue.map(|venue| venue.to_string()),
        series: text.series.map(|series| series.to_string()),
        starts_at: text.starts_at.micros(),
        ends_at: text.ends_at.micros(),
        time_zone: text.time_zone,
        status: text.status.name().to_owned(),
        featured: text.featured,
        image_url: text.image_url,
        capacity: text.capacity,
        holds: (text.hold_usual, text.hold_least, text.hold_most),
        buyer_limit: text.buyer_limit,
        reentry: text.reentry,
        reentry_switches: event.reentry_switches.iter().map(|at| at.micros()).collect(),
        created_by: event.created_by.clone(),
        stamp: stamp(event.created_at, event.updated_at, event.version),
    }
}

pub(crate) fn event(form: EventForm) -> Result<Event> {
    let (hold_usual, hold_least, hold_most) = form.holds;
    Ok(Event {
        id: EventId::parse("id", &form.id)?,
        text: WriteEvent {
            title: form.title,
            description: form.description,
            category: form.category,
            venue: form.venue.map(|id| VenueId::parse("venue", &id)).transpose()?,
            series: form.series.map(|id| SeriesId::parse("series", &id)).transpose()?,
            starts_at: moment(form.starts_at)?,
            ends_at: moment(form.ends_at)?,
            time_zone: form.time_zone,
            status: EventStatus::parse("status", &form.status)?,
            featured: form.featured,
            image_url: form.image_url,
            capacity: form.capacity,
            hold_usual,
            hold_least,
            hold_most,
            buyer_limit: form.buyer_limit,
            reentry: form.reentry,
        },
        reentry_switches: form.reentry_switches.into_iter().map(moment).collect::<Result<_>>()?,
        created_by: form.created_by,
        created_at: moment(form.stamp.created_at)?,
        updated_at: moment(form.stamp.updated_at)?,
        version: form.stamp.version,
    })
}

#[derive(Serialize, Deserialize)]
pub(crate) struct TicketTypeForm {
    id: String,
    event: String,
    name: String,
    description: String,
    price: (i64, String),
    bounds: (u32, u32),
    window: (Option<i64>, Option<i64>),
    status: String,
    metadata: BTreeMap<String, String>,
    quantity: Option<u64>,
    pools: Vec<String>,
    seated: bool,
    #[serde(flatten)]
    stamp: Stamp,
}

pub(crate) fn ticket_type_form(held: &TicketType) -> TicketTypeForm {
    let text = held.text.clone();
    TicketTypeForm {
        id: held.id.to_string(),
        event: held.event.to_string(),
        name: text.name,
        description: text.description,
        price: (text.price.amount, text.price.currency),
        bounds: (text.min_per_purchase, text.max_per_purchase),
        window: (text.valid_from.map(Timestamp::micros), text.valid_until.map(Timestamp::micros)),
        status: text.status.name().to_owned(),
        metadata: text.metadata,
        quantity: text.quantity,
        pools: text.pools.iter().map(ToString::to_string).collect(),
        seated: held.seated,
        stamp: stamp(held.created_at, held.updated_at, held.version),
    }
}

pub(crate) fn ticket_type(form: TicketTypeForm) -> Result<TicketType> {
    let (amount, currency) = form.price;
    Ok(TicketType {
        id: TicketTypeId::parse("id", &form.id)?,
        event: EventId::parse("event", &form.event)?,
        text: WriteTicketType {
            name: form.name,
            description: form.description,
            price: Money { amount, currency },
            min_per_purchase: form.bounds.0,
            max_per_purchase: form.bounds.1,
            valid_from: form.window.0.map(moment).transpose()?,
            valid_until: form.window.1.map(moment).transpose()?,
            status: TypeStatus::parse("status", &form.status)?,
            metadata: form.metadata,
            quantity: form.quantity,
            pools: form.pools.iter().map(|id| PoolId::parse("pools", id)).collect::<Result<_>>()?,
        },
        seated: form.seated,
        created_at: moment(form.stamp.created_at)?,
        updated_at: moment(form.stamp.updated_at)?,
        version: form.stamp.version,
    })
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PoolForm {
    id: String,
    event: String,
    sort: String,
    name: String,
    capacity: Option<u64>,
    counts: (u64, u64, u64),
    #[serde(flatten)]
    stamp: Stamp,
}

pub(crate) fn pool_form(pool: &Pool) -> PoolForm {
    PoolForm {
        id: pool.id.to_string(),
        event: pool.event.to_string(),
        sort: pool.sort.name().to_owned(),
        name: pool.name.clone(),
        capacity: pool.capacity,
        counts: (pool.counts.held, pool.counts.sold, pool.counts.locked),
        stamp: stamp(pool.created_at, pool.updated_at, pool.version),
    }
}

pub(crate) fn pool(form: PoolForm) -> Result<Pool> {
    let (held, sold, locked) = form.counts;
    Ok(Pool {
        id: PoolId::parse("id", &form.id)?,
        event: EventId::parse("event", &form.event)?,
        sort: pool_sort(&form.sort)?,
        name: form.name,
        capacity: form.capacity,
        counts: Counts { held, sold, locked },
        created_at: moment(form.stamp.created_at)?,
        updated_at: moment(form.stamp.updated_at)?,
        version: form.stamp.version,
    })
}

/// A sort of pool from its name.
pub(crate) fn pool_sort(name: &str) -> Result<PoolSort> {
    PoolSort::ALL.into_iter().find(|sort| sort.name() == name).ok_or_else(|| corrupt("a sort of pool", name))
}

#[derive(Serialize, Deserialize)]
pub(crate) struct LockForm {
    id: String,
    event: String,
    pool: String,
    quantity: u64,
    reason: String,
    until: Option<i64>,
    created_at: i64,
    version: u64,
}

pub(crate) fn lock_form(lock: &Lock) -> LockForm {
    LockForm {
        id: lock.id.to_string(),
        event: lock.event.to_string(),
        pool: lock.pool.to_string(),
        quantity: lock.quantity,
        reason: lock.reason.clone(),
        until: lock.until.map(Timestamp::micros),
        created_at: lock.created_at.micros(),
        version: lock.version,
    }
}

pub(crate) fn lock(form: LockForm) -> Result<Lock> {
    Ok(Lock {
        id: LockId::parse("id", &form.id)?,
        event: EventId::parse("event", &form.event)?,
        pool: PoolId::parse("pool", &form.pool)?,
        quantity: form.quantity,
        reason: form.reason,
        until: form.until.map(moment).transpose()?,
        created_at: moment(form.created_at)?,
        version: form.version,
    })
}
