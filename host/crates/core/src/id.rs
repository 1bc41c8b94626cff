//! Identifiers: UUIDv7, with a type for each kind of object.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::error::{Error, Result};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $label:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Generates an id that sorts after earlier ones.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// Reads an id that a client sent in `field`.
            pub fn parse(field: &str, text: &str) -> Result<Self> {
                Uuid::try_parse(text).map(Self).map_err(|_| {
                    Error::malformed(field, concat!("is not the id of ", $label, "; a UUID is expected"))
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::parse("id", text)
            }
        }
    )*};
}

ids! {
    /// A tenant.
    TenantId = "a tenant";
    /// A user of a tenant.
    UserId = "a user";
    /// A project.
    ProjectId = "a project";
    /// An issue, of whatever kind.
    IssueId = "an issue";
    /// A comment on an issue.
    CommentId = "a comment";
    /// An installation of a plugin.
    InstallationId = "an installation";
    /// A venue.
    VenueId = "a venue";
    /// A series of events.
    SeriesId = "a series";
    /// An event that sells admission.
    EventId = "an event";
    /// A ticket type.
    TicketTypeId = "a ticket type";
    /// A pool.
    PoolId = "a pool";
    /// A lock: units taken out of sale.
    LockId = "a lock";
    /// A reservation.
    ReservationId = "a reservation";
    /// A seat.
    SeatId = "a seat";
    /// A ticket, and the unit of a reservation that it is issued for.
    TicketId = "a ticket";
    /// A check-in.
    CheckInId = "a check-in";
    /// A booking: a place in an event's queue.
    BookingId = "a booking";
    /// A fact.
    FactId = "a fact";
    /// A pricing rule.
    RuleId = "a pricing rule";
    /// A quote.
    QuoteId = "a quote";
    /// A promotion.
    PromotionId = "a promotion";
}

/// The public part of an API key, `tsk_<id>_<secret>`. Text, since operators may choose it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId(String);

impl KeyId {
    /// Reads a key's id: 1 to 64 ASCII letters, digits or hyphens.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let fits =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !fits {
            return Err(Error::invalid(field, "is not the id of a key; 1 to 64 letters, digits or hyphens"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
