//! Who may do what: every operation of Tessera, its name, and the roles that may carry it out.
//!
//! The transports, the idempotency records and the tests all speak of operations by this list, so an
//! operation that is not here does not exist.

use crate::ctx::Role;

/// A kind of object, as errors and facts name it.
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
    /// An issue, with all that hangs on it.
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
    /// Units that are out of sale.
    Lock,
    /// A reservation.
    Reservation,
    /// A ticket, with its check-ins.
    Ticket,
    /// A key for ticket codes.
    SigningKey,
    /// The terms of an event's queue.
    Queue,
    /// A place in a queue.
    Booking,
    /// How long a tenant's reservations are held.
    TenantHolds,
}

impl ObjectKind {
    /// All kinds, in the order in which their rows are locked.
    pub const ALL: [Self; 19] = [
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
        Self::TenantHolds,
    ];

    /// The word for it.
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
            Self::TenantHolds => "hold-rules",
        }
    }

    /// The kind with that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What an operation does, as far as rights go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    /// Looks at one object of the kind.
    See(ObjectKind),
    /// Changes one object of the kind.
    Change(ObjectKind),
    /// Looks at or adds to what is not one object.
    Other,
}

/// A set of roles, and whether who has none is in it, too.
#[derive(Clone, Copy)]
struct Roles(&'static [Role], bool);

const OPERATORS: Roles = Roles(&[Role::Operator], false);
const ADMINS: Roles = Roles(&[Role::Admin], false);
const WORKERS: Roles = Roles(&[Role::Admin, Role::Agent], false);
const READERS: Roles = Roles(&[Role::Admin, Role::Agent, Role::Viewer], false);
const DOOR: Roles = Roles(&[Role::Admin, Role::Agent, Role::Gate], false);
const WATCHERS: Roles = Roles(&[Role::Admin, Role::Agent, Role::Viewer, Role::Gate], false);
const ANYBODY: Roles = Roles(&Role::ALL, false);
const EVERYBODY: Roles = Roles(&Role::ALL, true);

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $roles:ident, $act:expr;)*) => {
        /// Everything that Tessera can be asked to do.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Operation {
            $($(#[$doc])* $variant,)*
        }

        impl Operation {
            /// All operations.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name, stable: `issue.create`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            const fn roles(self) -> Roles {
                match self { $(Self::$variant => $roles,)* }
            }

            fn act(self) -> Act {
                #[allow(clippy::enum_glob_use, reason = "the table below reads better")]
                use Act::*;
                match self { $(Self::$variant => $act,)* }
            }
        }
    };
}

operations! {
    /// Who am I?
    WhoAmI = "whoami", ANYBODY, Other;

    /// Makes a tenant.
    TenantCreate = "tenant.create", OPERATORS, Other;
    /// Shows a tenant; everybody may see their own.
    TenantGet = "tenant.get", OPERATORS, See(ObjectKind::Tenant);
    /// Lists tenants.
    TenantList = "tenant.list", OPERATORS, Other;
    /// Renames a tenant.
    TenantUpdate = "tenant.update", OPERATORS, Change(ObjectKind::Tenant);
    /// Shuts a tenant out.
    TenantSuspend = "tenant.suspend", OPERATORS, Change(ObjectKind::Tenant);
    /// Lets a tenant in again.
    TenantResume = "tenant.resume", OPERATORS, Change(ObjectKind::Tenant);

    /// Makes an API key.
    KeyCreate = "key.create", ADMINS, Other;
    /// Shows an API key, without its secret.
    KeyGet = "key.get", ADMINS, See(ObjectKind::Key);
    /// Lists API keys.
    KeyList = "key.list", ADMINS, Other;
    /// Ends an API key.
    KeyRevoke = "key.revoke", ADMINS, Change(ObjectKind::Key);

    /// Makes a user.
    UserCreate = "user.create", ADMINS, Other;
    /// Makes several users, or none.
    UserBulkCreate = "user.bulk_create", ADMINS, Other;
    /// Shows a user.
    UserGet = "user.get", READERS, See(ObjectKind::User);
    /// Lists users.
    UserList = "user.list", READERS, Other;
    /// Finds users by name or address.
    UserSearch = "user.search", READERS, Other;
    /// Changes a user.
    UserUpdate = "user.update", ADMINS, Change(ObjectKind::User);
    /// Takes a user out of work.
    UserDeactivate = "user.deactivate", ADMINS, Change(ObjectKind::User);
    /// Puts a user back to work.
    UserActivate = "user.activate", ADMINS, Change(ObjectKind::User);
    /// Removes a user.
    UserDelete = "user.delete", ADMINS, Change(ObjectKind::User);

    /// Makes a project.
    ProjectCreate = "project.create", ADMINS, Other;
    /// Shows a project.
    ProjectGet = "project.get", READERS, See(ObjectKind::Project);
    /// Lists projects.
    ProjectList = "project.list", READERS, Other;
    /// Changes a project.
    ProjectUpdate = "project.update", ADMINS, Change(ObjectKind::Project);
    /// Removes a project.
    ProjectDelete = "project.delete", ADMINS, Change(ObjectKind::Project);
    /// Moves an issue into a project.
    ProjectAddIssue = "project.add_issue", WORKERS, Change(ObjectKind::Project);
    /// Follows a project's count of issues.
    ProjectStream = "project.stream", READERS, See(ObjectKind::Project);
    /// Shows a project's scheme.
    SchemeGet = "scheme.get", READERS, See(ObjectKind::Project);
    /// Gives a project a scheme of its own.
    SchemeSet = "scheme.set", ADMINS, Change(ObjectKind::Project);
    /// Goes back to the built-in scheme.
    SchemeReset = "scheme.reset", ADMINS, Change(ObjectKind::Project);

    /// Makes an issue.
    IssueCreate = "issue.create", WORKERS, Other;
    /// Shows an issue.
    IssueGet = "issue.get", READERS, See(ObjectKind::Issue);
    /// Lists issues.
    IssueList = "issue.list", READERS, Other;
    /// Changes an issue.
    IssueUpdate = "issue.update", WORKERS, Change(ObjectKind::Issue);
    /// Removes an issue.
    IssueDelete = "issue.delete", WORKERS, Change(ObjectKind::Issue);
    /// Lists the moves that are open to an issue.
    IssueTransitions = "issue.transitions", READERS, See(ObjectKind::Issue);
    /// Moves an issue along its machine.
    IssueTransition = "issue.transition", WORKERS, Change(ObjectKind::Issue);
    /// Gives an issue to somebody, or to nobody.
    IssueAssign = "issue.assign", WORKERS, Change(ObjectKind::Issue);
    /// Changes several issues, each by itself.
    IssueBulkUpdate = "issue.bulk_update", WORKERS, Other;
    /// Lists what happened to an issue.
    IssueHistory = "issue.history", READERS, See(ObjectKind::Issue);

    /// Lists the commands that plugins offer for an issue.
    IssueCommandList = "issue.command_list", READERS, See(ObjectKind::Issue);
    /// Calls a command that a plugin offers for an issue.
    IssueCommand = "issue.command", WORKERS, Change(ObjectKind::Issue);

    /// Uploads a release of a plugin.
    ReleaseUpload = "release.upload", ADMINS, Other;
    /// Shows a release.
    ReleaseGet = "release.get", ADMINS, See(ObjectKind::Release);
    /// Lists releases.
    ReleaseList = "release.list", ADMINS, Other;
    /// Removes a release that is not installed.
    ReleaseDelete = "release.delete", ADMINS, Change(ObjectKind::Release);
    /// Calls a hook of a release with given input; nothing is stored.
    ReleaseTest = "release.test", ADMINS, Change(ObjectKind::Release);
    /// Puts a release to work.
    InstallationCreate = "installation.create", ADMINS, Other;
    /// Shows an installation.
    InstallationGet = "installation.get", ADMINS, See(ObjectKind::Installation);
    /// Lists installations.
    InstallationList = "installation.list", ADMINS, Other;
    /// Changes an installation: its release, settings, order, policy, limits, or whether it is called.
    InstallationUpdate = "installation.update", ADMINS, Change(ObjectKind::Installation);
    /// Puts an installation back to an earlier release.
    InstallationRollback = "installation.rollback", ADMINS, Change(ObjectKind::Installation);
    /// Removes an installation.
    InstallationDelete = "installation.delete", ADMINS, Change(ObjectKind::Installation);
    /// Lists the last calls of an installation, and its counters.
    InstallationCalls = "installation.calls", ADMINS, See(ObjectKind::Installation);
    /// Lists the timers of an installation.
    TimerList = "timer.list", ADMINS, See(ObjectKind::Installation);
    /// Has parked timers of an installation tried again.
    TimerRetry = "timer.retry", ADMINS, Change(ObjectKind::Installation);

    /// Comments on an issue.
    CommentAdd = "comment.add", WORKERS, Change(ObjectKind::Issue);
    /// Lists an issue's comments.
    CommentList = "comment.list", READERS, See(ObjectKind::Issue);
    /// Edits a comment.
    CommentUpdate = "comment.update", WORKERS, Change(ObjectKind::Issue);
    /// Removes a comment.
    CommentDelete = "comment.delete", WORKERS, Change(ObjectKind::Issue);
    /// Puts a label on an issue.
    LabelAdd = "label.add", WORKERS, Change(ObjectKind::Issue);
    /// Takes a label off an issue.
    LabelRemove = "label.remove", WORKERS, Change(ObjectKind::Issue);
    /// Links two issues.
    LinkAdd = "link.add", WORKERS, Change(ObjectKind::Issue);
    /// Takes a link away.
    LinkRemove = "link.remove", WORKERS, Change(ObjectKind::Issue);
    /// Lists an issue's links.
    LinkList = "link.list", READERS, See(ObjectKind::Issue);
    /// Makes a user watch an issue.
    WatcherAdd = "watcher.add", WORKERS, Change(ObjectKind::Issue);
    /// Ends a user's watching.
    WatcherRemove = "watcher.remove", WORKERS, Change(ObjectKind::Issue);
    /// Lists who watches an issue.
    WatcherList = "watcher.list", READERS, See(ObjectKind::Issue);

    /// Makes a venue.
    VenueCreate = "venue.create", ADMINS, Other;
    /// Shows a venue.
    VenueGet = "venue.get", EVERYBODY, See(ObjectKind::Venue);
    /// Lists venues.
    VenueList = "venue.list", EVERYBODY, Other;
    /// Changes a venue.
    VenueUpdate = "venue.update", ADMINS, Change(ObjectKind::Venue);
    /// Removes a venue at which no event is.
    VenueDelete = "venue.delete", ADMINS, Change(ObjectKind::Venue);
    /// Makes a series of events.
    SeriesCreate = "series.create", ADMINS, Other;
    /// Shows a series.
    SeriesGet = "series.get", EVERYBODY, See(ObjectKind::Series);
    /// Lists series.
    SeriesList = "series.list", EVERYBODY, Other;
    /// Changes a series.
    SeriesUpdate = "series.update", ADMINS, Change(ObjectKind::Series);
    /// Removes a series to which no event belongs.
    SeriesDelete = "series.delete", ADMINS, Change(ObjectKind::Series);
    /// Makes an event.
    EventCreate = "event.create", ADMINS, Other;
    /// Shows an event.
    EventGet = "event.get", EVERYBODY, See(ObjectKind::Event);
    /// Lists events.
    EventList = "event.list", EVERYBODY, Other;
    /// Lists the events that are shown first.
    EventFeatured = "event.featured", EVERYBODY, Other;
    /// Lists the categories of events.
    EventCategories = "event.categories", EVERYBODY, Other;
    /// Changes an event.
    EventUpdate = "event.update", ADMINS, Change(ObjectKind::Event);
    /// Removes an event of which nothing was sold.
    EventDelete = "event.delete", ADMINS, Change(ObjectKind::Event);
    /// Makes a ticket type.
    TicketTypeCreate = "ticket_type.create", ADMINS, Change(ObjectKind::Event);
    /// Shows a ticket type.
    TicketTypeGet = "ticket_type.get", EVERYBODY, See(ObjectKind::TicketType);
    /// Lists an event's ticket types.
    TicketTypeList = "ticket_type.list", EVERYBODY, See(ObjectKind::Event);
    /// Changes a ticket type.
    TicketTypeUpdate = "ticket_type.update", ADMINS, Change(ObjectKind::TicketType);
    /// Removes a ticket type of which nothing was sold.
    TicketTypeDelete = "ticket_type.delete", ADMINS, Change(ObjectKind::TicketType);

    /// Shows how much of an event's pools is held, sold, locked and free.
    InventoryGet = "inventory.get", READERS, See(ObjectKind::Event);
    /// Gives pools other capacities.
    InventoryUpdate = "inventory.update", ADMINS, Change(ObjectKind::Event);
    /// Takes units out of sale.
    InventoryLock = "inventory.lock", ADMINS, Change(ObjectKind::Event);
    /// Gives units back into sale.
    InventoryUnlock = "inventory.unlock", ADMINS, Change(ObjectKind::Lock);
    /// Lists units that are out of sale.
    InventoryLocks = "inventory.locks", READERS, See(ObjectKind::Event);
    /// Makes a pool that ticket types may share.
    PoolCreate = "pool.create", ADMINS, Change(ObjectKind::Event);
    /// Removes a shared pool.
    PoolDelete = "pool.delete", ADMINS, Change(ObjectKind::Pool);
    /// Adds seats to a ticket type.
    SeatImport = "seat.import", ADMINS, Change(ObjectKind::TicketType);
    /// Removes seats of a ticket type.
    SeatDelete = "seat.delete", ADMINS, Change(ObjectKind::TicketType);
    /// Lists a ticket type's seats.
    SeatList = "seat.list", EVERYBODY, See(ObjectKind::TicketType);
    /// Says whether units can be had.
    AvailabilityCheck = "availability.check", EVERYBODY, See(ObjectKind::Event);
    /// Lists what can be had of an event.
    AvailabilityList = "availability.list", EVERYBODY, See(ObjectKind::Event);
    /// Follows what is left of an event.
    AvailabilityStream = "availability.stream", EVERYBODY, See(ObjectKind::Event);
    /// Claims units of an event.
    ReservationCreate = "reservation.create", WORKERS, Change(ObjectKind::Event);
    /// Shows a reservation.
    ReservationGet = "reservation.get", READERS, See(ObjectKind::Reservation);
    /// Lists reservations.
    ReservationList = "reservation.list", READERS, Other;
    /// Sells what is held.
    ReservationConfirm = "reservation.confirm", WORKERS, Change(ObjectKind::Reservation);
    /// Holds for longer.
    ReservationExtend = "reservation.extend", WORKERS, Change(ObjectKind::Reservation);
    /// Gives back what is held.
    ReservationRelease = "reservation.release", WORKERS, Change(ObjectKind::Reservation);

    /// Shows a ticket.
    TicketGet = "ticket.get", READERS, See(ObjectKind::Ticket);
    /// Prints a ticket: its code as a picture, or a page.
    TicketPrint = "ticket.print", WORKERS, See(ObjectKind::Ticket);
    /// Lists tickets.
    TicketList = "ticket.list", READERS, Other;
    /// Gives a ticket to another holder.
    TicketTransfer = "ticket.transfer", WORKERS, Change(ObjectKind::Ticket);
    /// Cancels a ticket.
    TicketCancel = "ticket.cancel", WORKERS, Change(ObjectKind::Ticket);
    /// Lists codes that are void.
    TicketRevoked = "ticket.revoked", WATCHERS, See(ObjectKind::Event);
    /// Looks whether a ticket would be let through.
    TicketValidate = "ticket.validate", DOOR, See(ObjectKind::Ticket);
    /// Lists the keys by which codes are verified.
    SigningKeyList = "signing_key.list", EVERYBODY, Other;
    /// Makes a new key for codes.
    SigningKeyRotate = "signing_key.rotate", ADMINS, Other;
    /// Lets somebody in or out.
    CheckInCreate = "check_in.create", DOOR, Change(ObjectKind::Ticket);
    /// Records what scanners without a connection noted.
    CheckInMerge = "check_in.merge", DOOR, Change(ObjectKind::Ticket);
    /// Takes a check-in back.
    CheckInUndo = "check_in.undo", ADMINS, Change(ObjectKind::Ticket);
    /// Shows a check-in.
    CheckInGet = "check_in.get", WATCHERS, See(ObjectKind::Ticket);
    /// Lists an event's check-ins.
    CheckInList = "check_in.list", WATCHERS, See(ObjectKind::Event);
    /// Counts who came in.
    CheckInStats = "check_in.stats", WATCHERS, See(ObjectKind::Event);

    /// Shows how long the tenant's reservations are held.
    HoldRulesGet = "hold_rules.get", READERS, Other;
    /// Says how long the tenant's reservations are held.
    HoldRulesSet = "hold_rules.set", ADMINS, Other;
    /// Shows an event's queue.
    QueueGet = "queue.get", EVERYBODY, See(ObjectKind::Event);
    /// Says how an event's buyers are served.
    QueueSet = "queue.set", ADMINS, Change(ObjectKind::Event);
    /// Puts a buyer into an event's queue.
    BookingCreate = "booking.create", WORKERS, Change(ObjectKind::Event);
    /// Shows a place in a queue.
    BookingGet = "booking.get", READERS, See(ObjectKind::Booking);
    /// Follows a place in a queue.
    BookingStream = "booking.stream", READERS, See(ObjectKind::Booking);
    /// Takes a buyer out of a queue.
    BookingCancel = "booking.cancel", WORKERS, Change(ObjectKind::Booking);

    /// Follows the tenant's facts.
    FactStream = "fact.stream", READERS, Other;
    /// Lists all that happened in the tenant.
    AuditList = "audit.list", ADMINS, Other;
}

impl Operation {
    /// Whether one of `held` suffices.
    #[must_use]
    pub fn is_open_to(self, held: &[Role]) -> bool {
        held.iter().any(|role| self.roles().0.contains(role))
    }

    /// Whether nobody needs a key for it.
    #[must_use]
    pub fn is_public(self) -> bool {
        self.roles().1
    }

    /// The kind of object that a refusal must not betray: what these roles may not even see.
    #[must_use]
    pub fn hidden_from(self, held: &[Role]) -> Option<ObjectKind> {
        let (Act::See(kind) | Act::Change(kind)) = self.act() else { return None };
        let sees = |role: &Role| match kind {
            ObjectKind::Tenant => OPERATORS.0.contains(role),
            ObjectKind::Key | ObjectKind::Release | ObjectKind::Installation => ADMINS.0.contains(role),
            ObjectKind::User
            | ObjectKind::Project
            | ObjectKind::Issue
            | ObjectKind::Pool
            | ObjectKind::Lock
            | ObjectKind::Reservation
            | ObjectKind::Booking
            | ObjectKind::TenantHolds => READERS.0.contains(role),
            ObjectKind::Ticket => WATCHERS.0.contains(role),
            ObjectKind::SigningKey
            | ObjectKind::Queue
            | ObjectKind::Venue
            | ObjectKind::Series
            | ObjectKind::Event
            | ObjectKind::TicketType => true,
        };
        (!held.iter().any(sees)).then_some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_does_not_betray_what_a_role_may_not_see() {
        assert_eq!(Operation::IssueGet.hidden_from(&[Role::Gate]), Some(ObjectKind::Issue));
        assert_eq!(Operation::IssueUpdate.hidden_from(&[Role::Viewer]), None);
        assert_eq!(Operation::TenantSuspend.hidden_from(&[Role::Admin]), Some(ObjectKind::Tenant));
        assert_eq!(Operation::TenantList.hidden_from(&[Role::Admin]), None);
    }

    #[test]
    fn names_are_given_once() {
        let mut names: Vec<_> = Operation::ALL.iter().map(|op| op.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Operation::ALL.len());
    }
}
