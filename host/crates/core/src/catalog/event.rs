//! Events: a show at a venue that sells admission.

use super::place::check_zone;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Kind, Spec};
use crate::id::{EventId, SeriesId, VenueId};
use crate::input::input;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// The most people that an event admits.
pub const MAX_CAPACITY: u64 = 10_000_000;

/// How often an event's `reentry` can be changed: each change is remembered, so that scans that are reported late are
/// judged by the rule of their time.
pub const MAX_SWITCHES: usize = 100;

/// The shortest and the longest that a hold may be told to last, in seconds.
pub const HOLD_BOUNDS: std::ops::RangeInclusive<u32> = 1..=86_400;

/// Whether an event sells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum EventStatus {
    /// It is prepared; the public does not see it.
    Draft,
    /// It sells, once it has ticket types: so is an event of which nothing else was said.
    #[default]
    Active,
    /// It will not take place.
    Cancelled,
    /// It is over.
    Ended,
}

impl EventStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Active, Self::Cancelled, Self::Ended];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Cancelled => "cancelled",
            Self::Ended => "ended",
        }
    }

    /// The status with that name.
    pub fn parse(field: &str, name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name).ok_or_else(|| {
            Error::invalid(field, format!("is {name:?}; draft, active, cancelled or ended is expected"))
        })
    }

    /// Whether an event may go from this to `next`: what was cancelled or has ended stays so.
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

/// How long reservations of an event are held, in seconds; what is absent is the tenant's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct HoldRules {
    /// When the client does not say.
    pub usual: Option<u32>,
    /// The least that a client may ask for.
    pub least: Option<u32>,
    /// The most that a hold lasts, extensions included.
    pub most: Option<u32>,
}

/// The rules in force where neither the tenant nor the event says otherwise: 10 minutes, 30 seconds, an hour.
const USUAL: u32 = 600;
const LEAST: u32 = 30;
const MOST: u32 = 3_600;

impl HoldRules {
    /// What these leave open is taken from `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            usual: self.usual.or(others.usual),
            least: self.least.or(others.least),
            most: self.most.or(others.most),
        }
    }

    /// The usual, the least and the most, in their order whatever was said.
    #[must_use]
    pub fn seconds(self) -> (u32, u32, u32) {
        let most = self.most.unwrap_or(MOST);
        let least = self.least.unwrap_or(LEAST).min(most);
        (self.usual.unwrap_or(USUAL).clamp(least, most), least, most)
    }

    /// Checks what clients may write.
    pub fn check(self, faults: &mut Faults) {
        let named =
            [("hold_seconds", self.usual), ("hold_min_seconds", self.least), ("hold_max_seconds", self.most)];
        for (name, seconds) in named {
            if seconds.is_some_and(|seconds| !HOLD_BOUNDS.contains(&seconds)) {
                let (least, most) = (HOLD_BOUNDS.start(), HOLD_BOUNDS.end());
                faults.add(name, format_args!("is not within {least} to {most}"));
            }
        }
        if let (Some(least), Some(most)) = (self.least, self.most)
            && least > most
        {
            faults.add("hold_min_seconds", "is more than hold_max_seconds");
        }
    }
}

input! {
    /// What a client writes of an event.
    WriteEvent,
    /// What changes an event; what is absent stays.
    ChangeEvent {
        /// Its title.
        title: String,
        /// What it is.
        description: String,
        /// Its category.
        category: String,
        /// Where it takes place.
        venue: Option<VenueId> as "venue_id",
        /// The series to which it belongs.
        series: Option<SeriesId> as "series_id",
        /// When it begins.
        starts_at: Timestamp as "start_date",
        /// When it ends.
        ends_at: Timestamp as "end_date",
        /// Its time zone's name; none: the venue's, or UTC.
        time_zone: Option<String>,
        /// Whether it sells.
        status: EventStatus,
        /// Whether it is shown first.
        featured: bool,
        /// A picture.
        image_url: Option<String>,
        /// How many it admits in all, whatever its ticket types; none: as many as these say.
        capacity: Option<u64> as "max_capacity",
        /// How many seconds a reservation is held when the client does not say; none: as the tenant has it.
        hold_usual: Option<u32> as "hold_seconds",
        /// The least that a client may ask for; none: as the tenant has it.
        hold_least: Option<u32> as "hold_min_seconds",
        /// The most, extensions included; none: as the tenant has it.
        hold_most: Option<u32> as "hold_max_seconds",
        /// The most units that one buyer may hold and have bought.
        buyer_limit: Option<u32>,
        /// Whether a ticket that left may come in again.
        reentry: bool,
    }
}

/// An event.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// What clients write. Its capacity is that of a pool.
    pub text: WriteEvent,
    /// When `reentry` was changed, in this order.
    pub reentry_switches: Vec<Timestamp>,
    /// The principal who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub version: u64,
}

/// What events can be listed by.
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
            check_zone("time_zone", zone, &mut faults);
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
        self.holds().check(&mut faults);
        faults.into_result()
    }

    /// How long reservations are held.
    #[must_use]
    pub const fn holds(&self) -> HoldRules {
        HoldRules { usual: self.hold_usual, least: self.hold_least, most: self.hold_most }
    }

    /// Refuses to go from one status to another that does not follow it.
    pub fn check_status(&self, before: EventStatus) -> Result<()> {
        if before.may_become(self.status) {
            return Ok(());
        }
        let message = format!("an event that is {} cannot become {}", before.name(), self.status.name());
        Err(Error::new(ErrorKind::Precondition, "TRANSITION_NOT_ALLOWED", message))
    }
}

impl Event {
    /// Whether everybody may see it.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.text.status != EventStatus::Draft
    }

    /// Whether who had left was let in again at that moment: each switch since then turned it round.
    #[must_use]
    pub fn reentry_at(&self, at: Timestamp) -> bool {
        let since = self.reentry_switches.iter().filter(|switched| **switched > at).count();
        self.text.reentry != (since % 2 == 1)
    }

    /// Remembers that `reentry` was changed.
    pub(super) fn switched(&mut self, now: Timestamp) -> Result<()> {
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
        let text = &self.text;
        let seconds = |seconds: Option<u32>| Value::count(seconds.map(u64::from));
        vec![
            Field::new("title", text.title.as_str()),
            Field::new("description", text.description.as_str()),
            Field::new("category", text.category.as_str()),
            Field::new("venue_id", text.venue),
            Field::new("series_id", text.series),
            Field::new("start_date", text.starts_at),
            Field::new("end_date", text.ends_at),
            Field::new("time_zone", text.time_zone.clone()),
            Field::new("status", text.status.name()),
            Field::new("featured", text.featured),
            Field::new("image_url", text.image_url.clone()),
            Field::new("max_capacity", Value::count(text.capacity)),
            Field::new("hold_seconds", seconds(text.hold_usual)),
            Field::new("hold_min_seconds", seconds(text.hold_least)),
            Field::new("hold_max_seconds", seconds(text.hold_most)),
            Field::new("buyer_limit", seconds(text.buyer_limit)),
            Field::new("reentry", text.reentry),
        ]
    }
}

#[cfg(test)]
impl Event {
    /// A draft, for tests.
    pub(crate) fn sample(now: Timestamp) -> Self {
        Self {
            id: EventId::generate(),
            text: WriteEvent {
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
                hold_usual: None,
                hold_least: None,
                hold_most: None,
                buyer_limit: None,
                reentry: false,
            },
            reentry_switches: Vec::new(),
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
    fn what_was_cancelled_or_has_ended_stays_so() {
        for from in EventStatus::ALL {
            assert!(from.may_become(from));
            let stays = matches!(from, EventStatus::Cancelled | EventStatus::Ended);
            assert_eq!(from.may_become(EventStatus::Active), !stays);
        }
        assert!(!EventStatus::Draft.may_become(EventStatus::Ended));
    }

    #[test]
    fn at_each_moment_the_rule_is_what_it_was() {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000).unwrap();
        let mut event = Event::sample(at(0));
        for second in [10, 20, 15] {
            event.text.reentry = !event.text.reentry;
            event.switched(at(second)).unwrap();
        }
        // The third switch was asked for before the second had been made; it still comes after it.
        assert_eq!(event.reentry_switches, [at(10), at(20), at(20)]);
        assert_eq!(
            [0, 9, 10, 19, 20, 30].map(|second| event.reentry_at(at(second))),
            [false, false, true, true, true, true]
        );
        event.reentry_switches.resize(MAX_SWITCHES, at(20));
        assert_eq!(event.switched(at(40)).unwrap_err().reason(), "TOO_LARGE");
    }

    #[test]
    fn the_rules_of_holds_are_in_order_whatever_was_said() {
        assert_eq!(HoldRules::default().seconds(), (600, 30, 3_600));
        let tight = HoldRules { most: Some(10), ..HoldRules::default() };
        assert_eq!(tight.seconds(), (10, 10, 10));
        let tenant = HoldRules { usual: Some(60), least: Some(5), most: None };
        assert_eq!(tight.or(tenant).seconds(), (10, 5, 10));
    }
}
