//! Venues, series, events, ticket types, pools and locks as recorded answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tessera_core::catalog::{
    Event, EventStatus, GeoPoint, Series, TicketType, TypeStatus, Venue, WriteEvent, WriteSeries,
    WriteTicketType, WriteVenue,
};
use tessera_core::id::{EventId, LockId, PoolId, SeriesId, TicketTypeId, VenueId};
use tessera_core::inventory::{Counts, Lock, Pool, PoolSort};
use tessera_core::value::Money;
use tessera_core::{Result, Timestamp};

use super::scalar::{corrupt, moment};

/// Times of creation and last change, and version.
#[derive(Serialize, Deserialize)]
pub(crate) struct Stamp {
    created_at: i64,
    updated_at: i64,
    version: u64,
}

fn stamp(created_at: Timestamp, updated_at: Timestamp, version: u64) -> Stamp {
    Stamp { created_at: created_at.micros(), updated_at: updated_at.micros(), version }
}

/// The JSON form of a venue's attributes.
#[derive(Serialize, Deserialize)]
#[serde(remote = "WriteVenue")]
struct VenueAttributes {
    name: String,
    address: String,
    city: String,
    state: Option<String>,
    country: String,
    postal_code: Option<String>,
    #[serde(serialize_with = "serialize_location", deserialize_with = "deserialize_location")]
    location: Option<GeoPoint>,
    capacity: Option<u64>,
    amenities: Vec<String>,
    time_zone: String,
}

fn serialize_location<S: Serializer>(location: &Option<GeoPoint>, serializer: S) -> Result<S::Ok, S::Error> {
    location.map(|point| (point.latitude, point.longitude)).serialize(serializer)
}

fn deserialize_location<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<GeoPoint>, D::Error> {
    let point = Option::<(i64, i64)>::deserialize(deserializer)?;
    Ok(point.map(|(latitude, longitude)| GeoPoint { latitude, longitude }))
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredVenue {
    id: String,
    #[serde(with = "VenueAttributes")]
    attributes: WriteVenue,
    #[serde(flatten)]
    stamp: Stamp,
}

pub(crate) fn stored_venue(venue: &Venue) -> StoredVenue {
    StoredVenue {
        id: venue.id.to_string(),
        attributes: venue.attributes.clone(),
        stamp: stamp(venue.created_at, venue.updated_at, venue.version),
    }
}

pub(crate) fn venue(stored: StoredVenue) -> Result<Venue> {
    Ok(Venue {
        id: VenueId::parse("id", &stored.id)?,
        attributes: stored.attributes,
        created_at: moment(stored.stamp.created_at)?,
        updated_at: moment(stored.stamp.updated_at)?,
        version: stored.stamp.version,
    })
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredSeries {
    id: String,
    name: String,
    description: String,
    #[serde(flatten)]
    stamp: Stamp,
}

pub(crate) fn stored_series(series: &Series) -> StoredSeries {
    StoredSeries {
        id: series.id.to_string(),
        name: series.attributes.name.clone(),
        description: series.attributes.description.clone(),
        stamp: stamp(series.created_at, series.updated_at, series.version),
    }
}

pub(crate) fn series(stored: StoredSeries) -> Result<Series> {
    Ok(Series {
        id: SeriesId::parse("id", &stored.id)?,
        attributes: WriteSeries { name: stored.name, description: stored.description },
        created_at: moment(stored.stamp.created_at)?,
        updated_at: moment(stored.stamp.updated_at)?,
        version: stored.stamp.version,
    })
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredEvent {
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
    #[serde(default)]
    used: u64,
    created_by: String,
    #[serde(flatten)]
    stamp: Stamp,
}

pub(crate) fn stored_event(event: &Event) -> StoredEvent {
    let text = event.attributes.clone();
    StoredEvent {
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
        holds: (text.hold_seconds, text.hold_min_seconds, text.hold_max_seconds),
        buyer_limit: text.buyer_limit,
        reentry: text.reentry,
        reentry_switches: event.reentry_switches.iter().map(|at| at.micros()).collect(),
        used: event.used,
        created_by: event.created_by.clone(),
        stamp: stamp(event.created_at, event.updated_at, event.version),
    }
}

pub(crate) fn event(stored: StoredEvent) -> Result<Event> {
    let (hold_seconds, hold_min_seconds, hold_max_seconds) = stored.holds;
    Ok(Event {
        id: EventId::parse("id", &stored.id)?,
        attributes: WriteEvent {
            title: stored.title,
            description: stored.description,
            category: stored.category,
            venue: stored.venue.map(|id| VenueId::parse("venue", &id)).transpose()?,
            series: stored.series.map(|id| SeriesId::parse("series", &id)).transpose()?,
            starts_at: moment(stored.starts_at)?,
            ends_at: moment(stored.ends_at)?,
            time_zone: stored.time_zone,
            status: EventStatus::parse("status", &stored.status)?,
            featured: stored.featured,
            image_url: stored.image_url,
            capacity: stored.capacity,
            hold_seconds,
            hold_min_seconds,
            hold_max_seconds,
            buyer_limit: stored.buyer_limit,
            reentry: stored.reentry,
        },
        reentry_switches: stored.reentry_switches.into_iter().map(moment).collect::<Result<_>>()?,
        used: stored.used,
        created_by: stored.created_by,
        created_at: moment(stored.stamp.created_at)?,
        updated_at: moment(stored.stamp.updated_at)?,
        version: stored.stamp.version,
    })
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredTicketType {
    id: String,
    event: String,
    name: String,
    description: String,
    price: (i64, String),
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    category_prices: BTreeMap<String, i64>,
    bounds: (u32, u32),
    window: (Option<i64>, Option<i64>),
    status: String,
    metadata: BTreeMap<String, String>,
    quantity: Option<u64>,
    pools: Vec<String>,
    #[serde(default)]
    hidden: bool,
    seated: bool,
    #[serde(flatten)]
    stamp: Stamp,
}

pub(crate) fn stored_ticket_type(ticket_type: &TicketType) -> StoredTicketType {
    let text = ticket_type.attributes.clone();
    StoredTicketType {
        id: ticket_type.id.to_string(),
        event: ticket_type.event.to_string(),
        name: text.name,
        description: text.description,
        price: (text.price.amount, text.price.currency),
        category_prices: text.category_prices,
        bounds: (text.min_per_purchase, text.max_per_purchase),
        window: (text.valid_from.map(Timestamp::micros), text.valid_until.map(Timestamp::micros)),
        status: text.status.name().to_owned(),
        metadata: text.metadata,
        quantity: text.quantity,
        pools: text.pools.iter().map(ToString::to_string).collect(),
        hidden: text.hidden,
        seated: ticket_type.seated,
        stamp: stamp(ticket_type.created_at, ticket_type.updated_at, ticket_type.version),
    }
}

pub(crate) fn ticket_type(stored: StoredTicketType) -> Result<TicketType> {
    let (amount, currency) = stored.price;
    Ok(TicketType {
        id: TicketTypeId::parse("id", &stored.id)?,
        event: EventId::parse("event", &stored.event)?,
        attributes: WriteTicketType {
            name: stored.name,
            description: stored.description,
            price: Money { amount, currency },
            category_prices: stored.category_prices,
            min_per_purchase: stored.bounds.0,
            max_per_purchase: stored.bounds.1,
            valid_from: stored.window.0.map(moment).transpose()?,
            valid_until: stored.window.1.map(moment).transpose()?,
            status: TypeStatus::parse("status", &stored.status)?,
            metadata: stored.metadata,
            quantity: stored.quantity,
            pools: stored.pools.iter().map(|id| PoolId::parse("pools", id)).collect::<Result<_>>()?,
            hidden: stored.hidden,
        },
        seated: stored.seated,
        created_at: moment(stored.stamp.created_at)?,
        updated_at: moment(stored.stamp.updated_at)?,
        version: stored.stamp.version,
    })
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredPool {
    id: String,
    event: String,
    sort: String,
    name: String,
    capacity: Option<u64>,
    counts: (u64, u64, u64),
    #[serde(flatten)]
    stamp: Stamp,
}

pub(crate) fn stored_pool(pool: &Pool) -> StoredPool {
    StoredPool {
        id: pool.id.to_string(),
        event: pool.event.to_string(),
        sort: pool.sort.name().to_owned(),
        name: pool.name.clone(),
        capacity: pool.capacity,
        counts: (pool.counts.held, pool.counts.sold, pool.counts.locked),
        stamp: stamp(pool.created_at, pool.updated_at, pool.version),
    }
}

pub(crate) fn pool(stored: StoredPool) -> Result<Pool> {
    let (held, sold, locked) = stored.counts;
    Ok(Pool {
        id: PoolId::parse("id", &stored.id)?,
        event: EventId::parse("event", &stored.event)?,
        sort: pool_sort(&stored.sort)?,
        name: stored.name,
        capacity: stored.capacity,
        counts: Counts { held, sold, locked },
        created_at: moment(stored.stamp.created_at)?,
        updated_at: moment(stored.stamp.updated_at)?,
        version: stored.stamp.version,
    })
}

/// Decodes a pool's sort.
pub(crate) fn pool_sort(name: &str) -> Result<PoolSort> {
    PoolSort::ALL.into_iter().find(|sort| sort.name() == name).ok_or_else(|| corrupt("a sort of pool", name))
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredLock {
    id: String,
    event: String,
    pool: String,
    quantity: u64,
    reason: String,
    until: Option<i64>,
    created_at: i64,
    version: u64,
}

pub(crate) fn stored_lock(lock: &Lock) -> StoredLock {
    StoredLock {
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

pub(crate) fn lock(stored: StoredLock) -> Result<Lock> {
    Ok(Lock {
        id: LockId::parse("id", &stored.id)?,
        event: EventId::parse("event", &stored.event)?,
        pool: PoolId::parse("pool", &stored.pool)?,
        quantity: stored.quantity,
        reason: stored.reason,
        until: stored.until.map(moment).transpose()?,
        created_at: moment(stored.created_at)?,
        version: stored.version,
    })
}
