//! The kinds of objects, as errors and facts name them.

/// A kind of object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ObjectKind {
    /// A tenant.
    Tenant,
    /// An API key.
    Key,
    /// A user.
    User,
    /// A project.
    Project,
    /// A release of a plugin.
    Release,
    /// An installation of a plugin.
    Installation,
    /// An issue, with its comments, links, watchers and timers.
    Issue,
    /// A venue.
    Venue,
    /// A series of events.
    Series,
    /// An event that sells admission.
    Event,
    /// A ticket type.
    TicketType,
    /// A pool that ticket types draw on.
    Pool,
    /// Units taken out of sale.
    Lock,
    /// A reservation.
    Reservation,
    /// A ticket, with its check-ins.
    Ticket,
    /// A key for ticket codes.
    SigningKey,
    /// The settings of an event's queue.
    Queue,
    /// A place in a queue.
    Booking,
    /// A tenant's rules for how long reservations are held.
    TenantHoldRules,
    /// A rule that changes prices.
    PricingRule,
    /// What a basket costs.
    Quote,
    /// A promotion with its codes.
    Promotion,
}

impl ObjectKind {
    /// All kinds, in the order in which their rows are locked.
    pub const ALL: [Self; 22] = [
        Self::Tenant,
        Self::Key,
        Self::User,
        Self::Project,
        Self::Release,
        Self::Installation,
        Self::Issue,
        Self::Venue,
        Self::Series,
        Self::Event,
        Self::TicketType,
        Self::Pool,
        Self::Lock,
        Self::Reservation,
        Self::Ticket,
        Self::SigningKey,
        Self::Queue,
        Self::Booking,
        Self::TenantHoldRules,
        Self::PricingRule,
        Self::Quote,
        Self::Promotion,
    ];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Key => "key",
            Self::User => "user",
            Self::Project => "project",
            Self::Release => "release",
            Self::Installation => "installation",
            Self::Issue => "issue",
            Self::Venue => "venue",
            Self::Series => "series",
            Self::Event => "event",
            Self::TicketType => "ticket-type",
            Self::Pool => "pool",
            Self::Lock => "lock",
            Self::Reservation => "reservation",
            Self::Ticket => "ticket",
            Self::SigningKey => "signing-key",
            Self::Queue => "queue",
            Self::Booking => "booking",
            Self::TenantHoldRules => "hold-rules",
            Self::PricingRule => "pricing-rule",
            Self::Quote => "quote",
            Self::Promotion => "promotion",
        }
    }

    /// Returns the kind with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
