//! Events.

use std::collections::BTreeMap;

use tessera_core::catalog::{ChangeEvent, Event, EventStatus, WriteEvent};
use tessera_core::id::{SeriesId, VenueId};
use tessera_core::text::Faults;
use tessera_core::{Result, Timestamp};
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::{HOLDS, count as number, required, small};
use crate::convert::mask::Mask;
use crate::convert::{count, large, non_empty, read_time, text as written, time};
use crate::state::etag_with_count;

const PATHS: [&str; 17] = [
    "title",
    "description",
    "category",
    "venue_id",
    "series_id",
    "start_date",
    "end_date",
    "time_zone",
    "status",
    "featured",
    "image_url",
    "max_capacity",
    "hold_seconds",
    "hold_min_seconds",
    "hold_max_seconds",
    "buyer_limit",
    "reentry",
];

/// An event.
#[must_use]
pub(crate) fn event(event: Event) -> pb::Event {
    let text = event.attributes;
    let small = |limit: Option<u32>| limit.map(|limit| count(limit.into()));
    pb::Event {
        id: event.id.to_string(),
        title: text.title,
        description: text.description,
        category: text.category,
        venue_id: written(text.venue),
        series_id: written(text.series),
        start_date: time(text.starts_at),
        end_date: time(text.ends_at),
        time_zone: text.time_zone,
        status: text.status.name().to_owned(),
        featured: text.featured,
        image_url: text.image_url,
        max_capacity: text.capacity.map(large),
        current_capacity: large(event.used),
        hold_seconds: small(text.hold_seconds),
        hold_min_seconds: small(text.hold_min_seconds),
        hold_max_seconds: small(text.hold_max_seconds),
        buyer_limit: small(text.buyer_limit),
        reentry: text.reentry,
        created_by: event.created_by,
        created_at: time(event.created_at),
        updated_at: time(event.updated_at),
        etag: etag_with_count(event.version, event.used),
    }
}

/// Categories with how many events there are of each.
#[must_use]
pub(crate) fn categories(found: BTreeMap<String, u64>) -> Vec<pb::Category> {
    found.into_iter().map(|(name, events)| pb::Category { name, events: large(events) }).collect()
}

/// Reads a request to create an event.
pub(crate) fn create(request: pb::CreateEventRequest) -> Result<WriteEvent> {
    let mut faults = Faults::default();
    let [usual, least, most] = HOLDS;
    let event = WriteEvent {
        title: request.title,
        description: request.description,
        category: request.category,
        venue: venue(&request.venue_id)?,
        series: series(&request.series_id)?,
        starts_at: moment("start_date", request.start_date, &mut faults),
        ends_at: moment("end_date", request.end_date, &mut faults),
        time_zone: non_empty(request.time_zone),
        status: non_empty(request.status).map(|name| status(&name, &mut faults)).unwrap_or_default(),
        featured: request.featured,
        image_url: non_empty(request.image_url),
        capacity: number("max_capacity", request.max_capacity, &mut faults),
        hold_seconds: small(usual, request.hold_seconds, &mut faults),
        hold_min_seconds: small(least, request.hold_min_seconds, &mut faults),
        hold_max_seconds: small(most, request.hold_max_seconds, &mut faults),
        buyer_limit: small("buyer_limit", request.buyer_limit, &mut faults),
        reentry: request.reentry,
    };
    faults.into_result().map(|()| event)
}

/// Reads an update of an event; without a mask, every field changes.
pub(crate) fn change(request: pb::UpdateEventRequest) -> Result<ChangeEvent> {
    let mask = Mask::read(request.update_mask, &PATHS, None)?;
    let mut faults = Faults::default();
    let mut seconds = |path, limit| mask.keep(path, limit).map(|limit| small(path, limit, &mut faults));
    let [usual, least, most] = HOLDS;
    let (hold_seconds, hold_min_seconds) =
        (seconds(usual, request.hold_seconds), seconds(least, request.hold_min_seconds));
    let hold_max_seconds = seconds(most, request.hold_max_seconds);
    let buyer_limit = seconds("buyer_limit", request.buyer_limit);
    // Without a mask, a status that nobody named must not put a draft on sale.
    let named = mask.keep("status", request.status).filter(|name| mask.names("status") || !name.is_empty());
    let event = ChangeEvent {
        title: mask.keep("title", request.title),
        description: mask.keep("description", request.description),
        category: mask.keep("category", request.category),
        venue: mask.keep("venue_id", request.venue_id).map(|id| venue(&id)).transpose()?,
        series: mask.keep("series_id", request.series_id).map(|id| series(&id)).transpose()?,
        starts_at: mask
            .keep("start_date", request.start_date)
            .map(|at| moment("start_date", at, &mut faults)),
        ends_at: mask.keep("end_date", request.end_date).map(|at| moment("end_date", at, &mut faults)),
        time_zone: mask.keep("time_zone", non_empty(request.time_zone)),
        status: named.map(|name| status(&name, &mut faults)),
        featured: mask.keep("featured", request.featured),
        image_url: mask.keep("image_url", non_empty(request.image_url)),
        capacity: mask
            .keep("max_capacity", request.max_capacity)
            .map(|capacity| number("max_capacity", capacity, &mut faults)),
        hold_seconds,
        hold_min_seconds,
        hold_max_seconds,
        buyer_limit,
        reentry: mask.keep("reentry", request.reentry),
    };
    faults.into_result().map(|()| event)
}

fn venue(id: &str) -> Result<Option<VenueId>> {
    if id.is_empty() { Ok(None) } else { VenueId::parse("venue_id", id).map(Some) }
}

fn series(id: &str) -> Result<Option<SeriesId>> {
    if id.is_empty() { Ok(None) } else { SeriesId::parse("series_id", id).map(Some) }
}

fn moment(field: &str, at: Option<prost_types::Timestamp>, faults: &mut Faults) -> Timestamp {
    let read = required(field, at, faults).map(|at| read_time(field, &at));
    read.and_then(|read| faults.take(read)).unwrap_or_default()
}

fn status(name: &str, faults: &mut Faults) -> EventStatus {
    faults.take(EventStatus::parse("status", name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use prost_types::FieldMask;

    use super::*;

    fn fields(error: &tessera_core::Error) -> Vec<&str> {
        error.faults().iter().map(|fault| fault.field.as_str()).collect()
    }

    fn masked(paths: &[&str], mut request: pb::UpdateEventRequest) -> Result<ChangeEvent> {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        request.update_mask = Some(FieldMask { paths });
        change(request)
    }

    #[test]
    fn what_makes_an_event_is_read_with_all_its_faults() {
        let request = pb::CreateEventRequest {
            status: "gone".into(),
            max_capacity: Some(-1),
            hold_min_seconds: Some(-1),
            ..Default::default()
        };
        let refused = create(request).unwrap_err();
        assert_eq!(
            fields(&refused),
            ["start_date", "end_date", "status", "max_capacity", "hold_min_seconds"]
        );
        let request = pb::CreateEventRequest { venue_id: "nowhere".into(), ..Default::default() };
        assert_eq!(fields(&create(request).unwrap_err()), ["venue_id"]);
    }

    #[test]
    fn a_mask_spares_what_it_does_not_name() {
        let request =
            pb::UpdateEventRequest { status: "active".into(), hold_seconds: Some(60), ..Default::default() };
        let read = masked(&["status", "venue_id"], request.clone()).unwrap();
        assert_eq!((read.status, read.venue), (Some(EventStatus::Active), Some(None)));
        assert_eq!((read.starts_at, read.hold_seconds, read.title), (None, None, None));
        let read = masked(&["hold_seconds"], request.clone()).unwrap();
        assert_eq!((read.hold_seconds, read.hold_min_seconds), (Some(Some(60)), None));
        let read = masked(&HOLDS, request).unwrap();
        assert_eq!((read.hold_seconds, read.hold_max_seconds), (Some(Some(60)), Some(None)));
    }

    #[test]
    fn a_status_that_is_not_named_is_active_once_and_stays_afterwards() {
        let at = Some(prost_types::Timestamp { seconds: 1, nanos: 0 });
        let request = pb::CreateEventRequest { start_date: at, end_date: at, ..Default::default() };
        assert_eq!(create(request).unwrap().status, EventStatus::Active);
        let whole = pb::UpdateEventRequest { start_date: at, end_date: at, ..Default::default() };
        assert_eq!(change(whole).unwrap().status, None);
        let refused = masked(&["status"], pb::UpdateEventRequest::default()).unwrap_err();
        assert_eq!(fields(&refused), ["status"]);
    }
}
