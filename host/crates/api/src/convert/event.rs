//! Events.

use std::collections::BTreeMap;

use tessera_core::catalog::{ChangeEvent, Event, EventStatus, WriteEvent};
use tessera_core::id::{SeriesId, VenueId};
use tessera_core::text::Faults;
use tessera_core::{Result, Timestamp};
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::{HOLD_FIELDS, read_u32, read_u64, required};
use crate::convert::mask::Mask;
use crate::convert::{non_empty, read_time, text, time, to_i32, to_i64};
use crate::state::etag_with_count;

/// Encodes an event.
#[must_use]
pub(crate) fn event(event: Event) -> pb::Event {
    let attributes = event.attributes;
    let limit = |limit: Option<u32>| limit.map(|limit| to_i32(limit.into()));
    pb::Event {
        id: event.id.to_string(),
        title: attributes.title,
        description: attributes.description,
        category: attributes.category,
        venue_id: text(attributes.venue),
        series_id: text(attributes.series),
        start_date: time(attributes.starts_at),
        end_date: time(attributes.ends_at),
        time_zone: attributes.time_zone,
        status: attributes.status.name().to_owned(),
        featured: attributes.featured,
        image_url: attributes.image_url,
        max_capacity: attributes.capacity.map(to_i64),
        current_capacity: to_i64(event.used),
        hold_seconds: limit(attributes.hold_seconds),
        hold_min_seconds: limit(attributes.hold_min_seconds),
        hold_max_seconds: limit(attributes.hold_max_seconds),
        buyer_limit: limit(attributes.buyer_limit),
        reentry: attributes.reentry,
        created_by: event.created_by,
        created_at: time(event.created_at),
        updated_at: time(event.updated_at),
        etag: etag_with_count(event.version, event.used),
    }
}

/// Encodes categories with the number of their events.
#[must_use]
pub(crate) fn categories(counts: BTreeMap<String, u64>) -> Vec<pb::Category> {
    counts.into_iter().map(|(name, events)| pb::Category { name, events: to_i64(events) }).collect()
}

/// Reads the attributes of an event from either request.
macro_rules! attributes {
    ($request:ident, $faults:ident) => {{
        let [default, min, max] = HOLD_FIELDS;
        WriteEvent {
            title: $request.title,
            description: $request.description,
            category: $request.category,
            venue: venue(&$request.venue_id)?,
            series: series(&$request.series_id)?,
            starts_at: timestamp("start_date", $request.start_date, &mut $faults),
            ends_at: timestamp("end_date", $request.end_date, &mut $faults),
            time_zone: non_empty($request.time_zone),
            status: non_empty($request.status).map(|name| status(&name, &mut $faults)).unwrap_or_default(),
            featured: $request.featured,
            image_url: non_empty($request.image_url),
            capacity: read_u64("max_capacity", $request.max_capacity, &mut $faults),
            hold_seconds: read_u32(default, $request.hold_seconds, &mut $faults),
            hold_min_seconds: read_u32(min, $request.hold_min_seconds, &mut $faults),
            hold_max_seconds: read_u32(max, $request.hold_max_seconds, &mut $faults),
            buyer_limit: read_u32("buyer_limit", $request.buyer_limit, &mut $faults),
            reentry: $request.reentry,
        }
    }};
}

/// Reads a request to create an event.
pub(crate) fn create(request: pb::CreateEventRequest) -> Result<WriteEvent> {
    let mut faults = Faults::default();
    let event = attributes!(request, faults);
    faults.into_result().map(|()| event)
}

/// Reads an update of an event; without a mask, every field changes.
pub(crate) fn change(mut request: pb::UpdateEventRequest) -> Result<ChangeEvent> {
    let mask = Mask::read(request.update_mask, ChangeEvent::FIELDS, None)?;
    for (path, id) in [("venue_id", &mut request.venue_id), ("series_id", &mut request.series_id)] {
        if mask.keep(path, ()).is_none() {
            id.clear();
        }
    }
    let mut faults = Faults::default();
    let has_status = !request.status.is_empty();
    if mask.names("status") && !has_status {
        status("", &mut faults);
    }
    let event = attributes!(request, faults);
    faults.retain(mask.fields());
    let mut change = ChangeEvent::from_write(event, mask.fields());
    // Without a mask, an unset status must not put a draft on sale.
    change.status = change.status.filter(|_| has_status);
    faults.into_result().map(|()| change)
}

fn venue(id: &str) -> Result<Option<VenueId>> {
    if id.is_empty() { Ok(None) } else { VenueId::parse("venue_id", id).map(Some) }
}

fn series(id: &str) -> Result<Option<SeriesId>> {
    if id.is_empty() { Ok(None) } else { SeriesId::parse("series_id", id).map(Some) }
}

fn timestamp(field: &str, at: Option<prost_types::Timestamp>, faults: &mut Faults) -> Timestamp {
    let timestamp = required(field, at, faults).map(|at| read_time(field, &at));
    timestamp.and_then(|timestamp| faults.take(timestamp)).unwrap_or_default()
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
    fn create_reports_all_malformed_fields() {
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
    fn unmasked_fields_stay() {
        let request =
            pb::UpdateEventRequest { status: "active".into(), hold_seconds: Some(60), ..Default::default() };
        let read = masked(&["status", "venue_id"], request.clone()).unwrap();
        assert_eq!((read.status, read.venue), (Some(EventStatus::Active), Some(None)));
        assert_eq!((read.starts_at, read.hold_seconds, read.title), (None, None, None));
        let read = masked(&["hold_seconds"], request.clone()).unwrap();
        assert_eq!((read.hold_seconds, read.hold_min_seconds), (Some(Some(60)), None));
        let read = masked(&HOLD_FIELDS, request).unwrap();
        assert_eq!((read.hold_seconds, read.hold_max_seconds), (Some(Some(60)), Some(None)));
    }

    #[test]
    fn create_defaults_to_active_and_update_keeps_the_status() {
        let at = Some(prost_types::Timestamp { seconds: 1, nanos: 0 });
        let request = pb::CreateEventRequest { start_date: at, end_date: at, ..Default::default() };
        assert_eq!(create(request).unwrap().status, EventStatus::Active);
        let whole = pb::UpdateEventRequest { start_date: at, end_date: at, ..Default::default() };
        assert_eq!(change(whole).unwrap().status, None);
        let refused = masked(&["status"], pb::UpdateEventRequest::default()).unwrap_err();
        assert_eq!(fields(&refused), ["status"]);
    }
}
