//! Events: shows that sell admission.

use super::time_zone::check_time_zone;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Kind, Spec};
use crate::id::{EventId, SeriesId, VenueId};
use crate::input::input;
use crate::inventory::HoldRules;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// The largest capacity of an event.
pub const MAX_CAPACITY: u64 = 10_000_000;

/// How often an event's `reentry` can be changed. Each change is recorded, so that late scans are decided by the rule
/// that applied at their time.
pub const MAX_SWITCHES: usize = 100;

/// The status of an event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum EventStatus {
    /// Not public yet.
    Draft,
    /// On sale, once it has ticket types. The default.
    #[default]
    Active,
    /// Cancelled, for good.
    Cancelled,
    /// Over, for good.
    Ended,
}

impl EventStatus {
    /// All statuses.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Active, Self::Cancelled, Self::Ended];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Cancelled => "cancelled",
            Self::Ended => "ended",
        }
    }

    /// Reads a status that a client sent in `field`.
    pub fn parse(field: &str, name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name).ok_or_else(|| {
            Error::invalid(field, format!("is {name:?}; draft, active, cancelled or ended is expected"))
        })
    }

    /// Returns whether no other status can follow.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Ended)
    }

    /// Returns whether an event may change from this status to `next`. `Cancelled` and `Ended` are final.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Draft, Self::Active | Self::Cancelled)
                | (Self::Active, Self::Draft | Self::Cancelled | Self::Ended)
                | (Self::Draft, Self::Draft)
                | (Self::Active, Self::Active)
                | (Self::Cancelled, Self::Cancelled)
                | (Self::Ended, Self::Ended)
        )
    }
}

input! {
    /// The attributes of an event that clients write.
    WriteEvent,
    /// A change of an event; absent attributes stay as they are.
    ChangeEvent {
        /// Its title.
        title: String,
        /// Its description.
        description: String,
        /// Its category.
        category: String,
        /// Its venue.
        venue: Option<VenueId> as "venue_id",
        /// Its series.
        series: Option<SeriesId> as "series_id",
        /// When it begins.
        starts_at: Timestamp as "start_date",
        /// When it ends.
        ends_at: Timestamp as "end_date",
        /// The name of its time zone; `None` for the venue's, or UTC.
        time_zone: Option<String>,
        /// Its status.
        status: EventStatus,
        /// Whether it is listed among the featured events.
        featured: bool,
        /// The URL of a picture.
        image_url: Option<String>,
        /// The number of units of all ticket types together; `None` for no bound.
        capacity: Option<u64> as "max_capacity",
        /// The seconds that a reservation is held by default; `None` for the tenant's rule.
        hold_seconds: Option<u32>,
        /// The minimum that a client may request; `None` for the tenant's rule.
        hold_min_seconds: Option<u32>,
        /// The maximum, with extensions; `None` for the tenant's rule.
        hold_max_seconds: Option<u32>,
        /// The most units that one buyer may hold and have bought together.
        buyer_limit: Option<u32>,
        /// Whether a ticket may be checked in again after a check-out.
        reentry: bool,
    }
}

/// An event.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// The attributes that clients write. The capacity is stored in a pool.
    pub attributes: WriteEvent,
    /// When `reentry` was changed, in order.
    pub reentry_switches: Vec<Timestamp>,
    /// The units of its pool that were held, sold or locked when it was read. Updates do not write them.
    pub used: u64,
    /// The principal that created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its version, incremented by each change.
    pub version: u64,
}

/// The filters and orders of lists of events.
pub const SPEC: Spec = Spec {
    fields: &[
        ("title", Kind::Text),
        ("category", Kind::Text),
        ("status", Kind::Text),
        ("venue", Kind::Id),
        ("series", Kind::Id),
        ("featured", Kind::Boolean),
        ("starts", Kind::Time),
        ("ends", Kind::Time),
        ("created", Kind::Time),
        ("modified", Kind::Time),
    ],
    orders: &["starts", "created", "modified", "title"],
};

/// The largest page of events.
pub const MAX_PAGE: u32 = 200;

impl WriteEvent {
    /// Checks what clients may write.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("title", &self.title, 1, 255);
        faults.text("description", &self.description, 0, 10_000);
        faults.text("category", &self.category, 1, 100);
        if self.ends_at <= self.starts_at {
            faults.add("end_date", "is not after start_date");
        }
        if let Some(zone) = &self.time_zone {
            check_time_zone("time_zone", zone, &mut faults);
        }
        if let Some(url) = &self.image_url {
            faults.text("image_url", url, 1, 500);
            if !url.starts_with("https://") && !url.starts_with("http://") {
                faults.add("image_url", "is not an http or https URL");
            }
        }
        if self.capacity.is_some_and(|capacity| capacity > MAX_CAPACITY) {
            faults.add("max_capacity", format_args!("is more than {MAX_CAPACITY}"));
        }
        if self.buyer_limit == Some(0) {
            faults.add("buyer_limit", "is 0; leave it out for none, or name at least 1");
        }
        self.hold_rules().check(&mut faults);
        faults.into_result()
    }

    /// Returns the event's own hold rules.
    #[must_use]
    pub const fn hold_rules(&self) -> HoldRules {
        HoldRules { default: self.hold_seconds, min: self.hold_min_seconds, max: self.hold_max_seconds }
    }

    /// Refuses a change of status that is not allowed.
    pub fn check_status(&self, before: EventStatus) -> Result<()> {
        if before.may_become(self.status) {
            return Ok(());
        }
        let message = format!("an event that is {} cannot become {}", before.name(), self.status.name());
        Err(Error::new(ErrorKind::Precondition, "TRANSITION_NOT_ALLOWED", message))
    }
}

impl Event {
    /// Returns whether the public may see it.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.attributes.status != EventStatus::Draft
    }

    /// Returns whether `reentry` was set at a moment: each switch since then inverted it.
    #[must_use]
    pub fn reentry_at(&self, at: Timestamp) -> bool {
        let switches_since = self.reentry_switches.iter().filter(|switched| **switched > at).count();
        self.attributes.reentry != (switches_since % 2 == 1)
    }

    /// Records that `reentry` was changed.
    pub(super) fn record_reentry_switch(&mut self, now: Timestamp) -> Result<()> {
        if self.reentry_switches.len() >= MAX_SWITCHES {
            let message = format!("reentry was changed {MAX_SWITCHES} times, and cannot be changed again");
            return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
        }
        let last = self.reentry_switches.last().copied();
        self.reentry_switches.push(last.map_or(now, |last| last.max(now)));
        Ok(())
    }
}

impl Snapshot for Event {
    fn snapshot(&self) -> Vec<Field> {
        let attributes = &self.attributes;
        let seconds = |seconds: Option<u32>| Value::count(seconds.map(u64::from));
        vec![
            Field::new("title", attributes.title.as_str()),
            Field::new("description", attributes.description.as_str()),
            Field::new("category", attributes.category.as_str()),
            Field::new("venue_id", attributes.venue),
            Field::new("series_id", attributes.series),
            Field::new("start_date", attributes.starts_at),
            Field::new("end_date", attributes.ends_at),
            Field::new("time_zone", attributes.time_zone.clone()),
            Field::new("status", attributes.status.name()),
            Field::new("featured", attributes.featured),
            Field::new("image_url", attributes.image_url.clone()),
            Field::new("max_capacity", Value::count(attributes.capacity)),
            Field::new("hold_seconds", seconds(attributes.hold_seconds)),
            Field::new("hold_min_seconds", seconds(attributes.hold_min_seconds)),
            Field::new("hold_max_seconds", seconds(attributes.hold_max_seconds)),
            Field::new("buyer_limit", seconds(attributes.buyer_limit)),
            Field::new("reentry", attributes.reentry),
        ]
    }
}

#[cfg(test)]
impl Event {
    /// Creates a draft for tests.
    pub(crate) fn sample(now: Timestamp) -> Self {
        Self {
            id: EventId::generate(),
            attributes: WriteEvent {
                title: "A night".into(),
                description: String::new(),
                category: "music".into(),
                venue: None,
                series: None,
                starts_at: now,
                ends_at: now,
                time_zone: None,
                status: EventStatus::Draft,
                featured: false,
                image_url: None,
                capacity: None,
                hold_seconds: None,
                hold_min_seconds: None,
                hold_max_seconds: None,
                buyer_limit: None,
                reentry: false,
            },
            reentry_switches: Vec::new(),
            used: 0,
            created_by: String::new(),
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancelled_and_ended_are_final() {
        for from in EventStatus::ALL {
            assert!(from.may_become(from));
            assert_eq!(from.may_become(EventStatus::Active), !from.is_final());
        }
        assert!(!EventStatus::Draft.may_become(EventStatus::Ended));
    }

    #[test]
    fn reentry_at_a_moment_is_the_rule_of_that_moment() {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000).unwrap();
        let mut event = Event::sample(at(0));
        for second in [10, 20, 15] {
            event.attributes.reentry = !event.attributes.reentry;
            event.record_reentry_switch(at(second)).unwrap();
        }
        // The third switch is requested before the second was made, and is recorded after it.
        assert_eq!(event.reentry_switches, [at(10), at(20), at(20)]);
        assert_eq!(
            [0, 9, 10, 19, 20, 30].map(|second| event.reentry_at(at(second))),
            [false, false, true, true, true, true]
        );
        event.reentry_switches.resize(MAX_SWITCHES, at(20));
        assert_eq!(event.record_reentry_switch(at(40)).unwrap_err().reason(), "TOO_LARGE");
    }
}
