//! What both transports need of queues: what was asked for, whichever way it was written, and what names the versions
//! of what is shown.

use tessera_core::Result;
use tessera_core::booking::{BookingPosition, CreateBooking, QueueStatus};
use tessera_core::id::EventId;
use tessera_core::text::Faults;

use crate::catalog::small;
use crate::inventory::{WrittenLine, read_lines};
use crate::request::{etag, etag_with_count};

/// More than are ever served at once, so that a number may hold both counts of a queue.
const BEYOND_SERVED: u64 = 100_000;

/// A place in a queue, as a client writes it.
#[derive(Debug, Default)]
pub struct WrittenBooking {
    /// Whose place it is to be.
    pub user_id: String,
    /// What is reserved when it is its turn.
    pub lines: Vec<WrittenLine>,
    /// How many seconds that is held; 0: as long as is usual.
    pub timeout_seconds: i32,
}

impl WrittenBooking {
    /// What is asked for.
    pub fn read(self, event: EventId) -> Result<CreateBooking> {
        let mut faults = Faults::default();
        let seconds = small("timeout_seconds", Some(self.timeout_seconds), &mut faults);
        let lines = read_lines(self.lines)?;
        faults.into_result()?;
        let hold_seconds = seconds.filter(|seconds| *seconds > 0);
        Ok(CreateBooking { event, buyer: self.user_id, lines, hold_seconds })
    }
}

/// The terms of a queue, as a client writes them: how many are served at once, for how many seconds, and whether the
/// queue is required.
pub fn terms(max_active: i32, active_seconds: i32, required: bool) -> Result<(u32, u32, bool)> {
    let mut faults = Faults::default();
    let served = small("max_active", Some(max_active), &mut faults).unwrap_or_default();
    let seconds = small("active_seconds", Some(active_seconds), &mut faults).unwrap_or_default();
    faults.into_result().map(|()| (served, seconds, required))
}

/// The entity tag of a booking; its place changes without its version.
#[must_use]
pub fn standing_etag(held: &BookingPosition) -> String {
    let version = held.booking.version;
    held.position.map_or_else(|| etag(version), |position| etag_with_count(version, position))
}

/// The entity tag of a queue's terms and counts; the counts change without the version.
#[must_use]
pub fn status_etag(held: &QueueStatus) -> String {
    let counts = held.waiting.saturating_mul(BEYOND_SERVED).saturating_add(held.active);
    etag_with_count(held.queue.version, counts)
}

#[cfg(test)]
mod tests {
    use tessera_core::Timestamp;
    use tessera_core::booking::Queue;

    use super::*;
    use crate::request::version_of;

    #[test]
    fn every_place_and_count_has_a_tag_of_its_own_that_names_the_version() {
        let now = Timestamp::from_micros(0).unwrap();
        let tag = |(waiting, active)| {
            let queue = Queue { version: 3, ..Queue::default_of(EventId::generate(), now) };
            status_etag(&QueueStatus { queue, waiting, active })
        };
        let tags: Vec<_> = [(0, 0), (0, 1), (1, 0), (1, 1), (10, 0)].map(tag).into();
        for (place, held) in tags.iter().enumerate() {
            assert!(!tags[..place].contains(held), "{held} twice");
            assert_eq!(version_of(held), Some(3));
        }
    }

    #[test]
    fn what_is_negative_is_refused_by_its_field() {
        let event = EventId::generate();
        let line = WrittenLine { quantity: -1, ticket_type_id: event.to_string(), ..WrittenLine::default() };
        let lines = WrittenBooking { lines: vec![line], ..WrittenBooking::default() };
        let seconds = WrittenBooking { timeout_seconds: -1, ..WrittenBooking::default() };
        for (written, field) in [(lines, "lines[0].quantity"), (seconds, "timeout_seconds")] {
            assert_eq!(written.read(event).unwrap_err().faults()[0].field, field);
        }
        let both = terms(-1, -1, false).unwrap_err();
        let fields: Vec<_> = both.faults().iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["max_active", "active_seconds"]);
    }
}
