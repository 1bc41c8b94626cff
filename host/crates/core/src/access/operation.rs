//! Every operation of Tessera, its name, and the roles that may carry it out.
//!
//! Transports, idempotency records and tests refer to operations by this list: an operation that is not here
//! does not exist.

use crate::access::{ObjectKind, Role};

/// How an operation touches an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    /// Reads one object of the kind.
    See(ObjectKind),
    /// Changes one object of the kind.
    Change(ObjectKind),
    /// Lists or creates objects, or has none.
    Other,
}

/// The roles that may carry out an operation, and whether it needs no key at all.
#[derive(Clone, Copy)]
struct Roles(&'static [Role], bool);

impl Roles {
    fn include_any(self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.0.contains(role))
    }
}

const OPERATORS: Roles = Roles(&[Role::Operator], false);
const ADMINS: Roles = Roles(&[Role::Admin], false);
const WORKERS: Roles = Roles(&[Role::Admin, Role::Agent], false);
const READERS: Roles = Roles(&[Role::Admin, Role::Agent, Role::Viewer], false);
const DOOR: Roles = Roles(&[Role::Admin, Role::Agent, Role::Gate], false);
const WATCHERS: Roles = Roles(&[Role::Admin, Role::Agent, Role::Viewer, Role::Gate], false);
const ANY_ROLE: Roles = Roles(&Role::ALL, false);
const PUBLIC: Roles = Roles(&Role::ALL, true);

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $roles:ident, $act:expr;)*) => {
        /// An operation of the API.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Operation {
            $($(#[$doc])* $variant,)*
        }

        impl Operation {
            /// All operations, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns its stable name, such as `issue.create`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            const fn roles(self) -> Roles {
                match self { $(Self::$variant => $roles,)* }
            }

            fn act(self) -> Act {
                #[allow(clippy::enum_glob_use, reason = "shortens the table below")]
                use Act::*;
                match self { $(Self::$variant => $act,)* }
            }
        }
    };
}

operations! {
    /// Shows the caller.
    WhoAmI = "whoami", ANY_ROLE, Other;

    /// Creates a tenant.
    TenantCreate = "tenant.create", OPERATORS, Other;
    /// Shows a tenant.
    TenantGet = "tenant.get", OPERATORS, See(ObjectKind::Tenant);
    /// Lists tenants.
    TenantList = "tenant.list", OPERATORS, Other;
    /// Renames a tenant.
    TenantUpdate = "tenant.update", OPERATORS, Change(ObjectKind::Tenant);
    /// Suspends a tenant.
    TenantSuspend = "tenant.suspend", OPERATORS, Change(ObjectKind::Tenant);
    /// Resumes a tenant.
    TenantResume = "tenant.resume", OPERATORS, Change(ObjectKind::Tenant);

    /// Creates an API key.
    KeyCreate = "key.create", ADMINS, Other;
    /// Shows an API key, without its secret.
    KeyGet = "key.get", ADMINS, See(ObjectKind::Key);
    /// Lists API keys.
    KeyList = "key.list", ADMINS, Other;
    /// Revokes an API key.
    KeyRevoke = "key.revoke", ADMINS, Change(ObjectKind::Key);

    /// Creates a user.
    UserCreate = "user.create", ADMINS, Other;
    /// Creates several users, or none.
    UserBulkCreate = "user.bulk_create", ADMINS, Other;
    /// Shows a user.
    UserGet = "user.get", READERS, See(ObjectKind::User);
    /// Lists users.
    UserList = "user.list", READERS, Other;
    /// Finds users by name or address.
    UserSearch = "user.search", READERS, Other;
    /// Changes a user.
    UserUpdate = "user.update", ADMINS, Change(ObjectKind::User);
    /// Deactivates a user.
    UserDeactivate = "user.deactivate", ADMINS, Change(ObjectKind::User);
    /// Activates a user.
    UserActivate = "user.activate", ADMINS, Change(ObjectKind::User);
    /// Deletes a user.
    UserDelete = "user.delete", ADMINS, Change(ObjectKind::User);

    /// Creates a project.
    ProjectCreate = "project.create", ADMINS, Other;
    /// Shows a project.
    ProjectGet = "project.get", READERS, See(ObjectKind::Project);
    /// Lists projects.
    ProjectList = "project.list", READERS, Other;
    /// Changes a project.
    ProjectUpdate = "project.update", ADMINS, Change(ObjectKind::Project);
    /// Deletes a project.
    ProjectDelete = "project.delete", ADMINS, Change(ObjectKind::Project);
    /// Moves an issue into a project.
    ProjectAddIssue = "project.add_issue", WORKERS, Change(ObjectKind::Project);
    /// Streams a project's number of issues.
    ProjectStream = "project.stream", READERS, See(ObjectKind::Project);
    /// Shows a project's scheme.
    SchemeGet = "scheme.get", READERS, See(ObjectKind::Project);
    /// Sets a project's scheme.
    SchemeSet = "scheme.set", ADMINS, Change(ObjectKind::Project);
    /// Resets a project to the built-in scheme.
    SchemeReset = "scheme.reset", ADMINS, Change(ObjectKind::Project);

    /// Creates an issue.
    IssueCreate = "issue.create", WORKERS, Other;
    /// Shows an issue.
    IssueGet = "issue.get", READERS, See(ObjectKind::Issue);
    /// Lists issues.
    IssueList = "issue.list", READERS, Other;
    /// Changes an issue.
    IssueUpdate = "issue.update", WORKERS, Change(ObjectKind::Issue);
    /// Deletes an issue.
    IssueDelete = "issue.delete", WORKERS, Change(ObjectKind::Issue);
    /// Lists the transitions that an issue may take.
    IssueTransitions = "issue.transitions", READERS, See(ObjectKind::Issue);
    /// Takes a transition of an issue.
    IssueTransition = "issue.transition", WORKERS, Change(ObjectKind::Issue);
    /// Assigns or unassigns an issue.
    IssueAssign = "issue.assign", WORKERS, Change(ObjectKind::Issue);
    /// Changes several issues, independently.
    IssueBulkUpdate = "issue.bulk_update", WORKERS, Other;
    /// Lists the history of an issue.
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
    /// Deletes a release that is not installed.
    ReleaseDelete = "release.delete", ADMINS, Change(ObjectKind::Release);
    /// Calls a hook of a release with given input, and stores nothing.
    ReleaseTest = "release.test", ADMINS, Change(ObjectKind::Release);
    /// Installs a release.
    InstallationCreate = "installation.create", ADMINS, Other;
    /// Shows an installation.
    InstallationGet = "installation.get", ADMINS, See(ObjectKind::Installation);
    /// Lists installations.
    InstallationList = "installation.list", ADMINS, Other;
    /// Changes an installation.
    InstallationUpdate = "installation.update", ADMINS, Change(ObjectKind::Installation);
    /// Rolls an installation back to an earlier release.
    InstallationRollback = "installation.rollback", ADMINS, Change(ObjectKind::Installation);
    /// Deletes an installation.
    InstallationDelete = "installation.delete", ADMINS, Change(ObjectKind::Installation);
    /// Lists the recent calls of an installation, with its counters.
    InstallationCalls = "installation.calls", ADMINS, See(ObjectKind::Installation);
    /// Lists the timers of an installation.
    TimerList = "timer.list", ADMINS, See(ObjectKind::Installation);
    /// Retries parked timers of an installation.
    TimerRetry = "timer.retry", ADMINS, Change(ObjectKind::Installation);

    /// Adds a comment to an issue.
    CommentAdd = "comment.add", WORKERS, Change(ObjectKind::Issue);
    /// Lists an issue's comments.
    CommentList = "comment.list", READERS, See(ObjectKind::Issue);
    /// Changes a comment.
    CommentUpdate = "comment.update", WORKERS, Change(ObjectKind::Issue);
    /// Deletes a comment.
    CommentDelete = "comment.delete", WORKERS, Change(ObjectKind::Issue);
    /// Adds a label to an issue.
    LabelAdd = "label.add", WORKERS, Change(ObjectKind::Issue);
    /// Deletes a label of an issue.
    LabelRemove = "label.remove", WORKERS, Change(ObjectKind::Issue);
    /// Links two issues.
    LinkAdd = "link.add", WORKERS, Change(ObjectKind::Issue);
    /// Deletes a link.
    LinkRemove = "link.remove", WORKERS, Change(ObjectKind::Issue);
    /// Lists an issue's links.
    LinkList = "link.list", READERS, See(ObjectKind::Issue);
    /// Adds a watcher to an issue.
    WatcherAdd = "watcher.add", WORKERS, Change(ObjectKind::Issue);
    /// Deletes a watcher of an issue.
    WatcherRemove = "watcher.remove", WORKERS, Change(ObjectKind::Issue);
    /// Lists the watchers of an issue.
    WatcherList = "watcher.list", READERS, See(ObjectKind::Issue);

    /// Creates a venue.
    VenueCreate = "venue.create", ADMINS, Other;
    /// Shows a venue.
    VenueGet = "venue.get", PUBLIC, See(ObjectKind::Venue);
    /// Lists venues.
    VenueList = "venue.list", PUBLIC, Other;
    /// Changes a venue.
    VenueUpdate = "venue.update", ADMINS, Change(ObjectKind::Venue);
    /// Deletes a venue without events.
    VenueDelete = "venue.delete", ADMINS, Change(ObjectKind::Venue);
    /// Creates a series of events.
    SeriesCreate = "series.create", ADMINS, Other;
    /// Shows a series.
    SeriesGet = "series.get", PUBLIC, See(ObjectKind::Series);
    /// Lists series.
    SeriesList = "series.list", PUBLIC, Other;
    /// Changes a series.
    SeriesUpdate = "series.update", ADMINS, Change(ObjectKind::Series);
    /// Deletes a series without events.
    SeriesDelete = "series.delete", ADMINS, Change(ObjectKind::Series);
    /// Creates an event.
    EventCreate = "event.create", ADMINS, Other;
    /// Shows an event.
    EventGet = "event.get", PUBLIC, See(ObjectKind::Event);
    /// Lists events.
    EventList = "event.list", PUBLIC, Other;
    /// Lists the featured events.
    EventFeatured = "event.featured", PUBLIC, Other;
    /// Lists the categories of events.
    EventCategories = "event.categories", PUBLIC, Other;
    /// Changes an event.
    EventUpdate = "event.update", ADMINS, Change(ObjectKind::Event);
    /// Deletes an event without sales.
    EventDelete = "event.delete", ADMINS, Change(ObjectKind::Event);
    /// Creates a ticket type.
    TicketTypeCreate = "ticket_type.create", ADMINS, Change(ObjectKind::Event);
    /// Shows a ticket type.
    TicketTypeGet = "ticket_type.get", PUBLIC, See(ObjectKind::TicketType);
    /// Lists an event's ticket types.
    TicketTypeList = "ticket_type.list", PUBLIC, See(ObjectKind::Event);
    /// Changes a ticket type.
    TicketTypeUpdate = "ticket_type.update", ADMINS, Change(ObjectKind::TicketType);
    /// Deletes a ticket type without sales.
    TicketTypeDelete = "ticket_type.delete", ADMINS, Change(ObjectKind::TicketType);

    /// Shows the counts of an event's pools.
    InventoryGet = "inventory.get", READERS, See(ObjectKind::Event);
    /// Changes the capacities of pools.
    InventoryUpdate = "inventory.update", ADMINS, Change(ObjectKind::Event);
    /// Locks units.
    InventoryLock = "inventory.lock", ADMINS, Change(ObjectKind::Event);
    /// Unlocks units.
    InventoryUnlock = "inventory.unlock", ADMINS, Change(ObjectKind::Lock);
    /// Lists an event's locks.
    InventoryLocks = "inventory.locks", READERS, See(ObjectKind::Event);
    /// Creates a shared pool.
    PoolCreate = "pool.create", ADMINS, Change(ObjectKind::Event);
    /// Deletes a shared pool.
    PoolDelete = "pool.delete", ADMINS, Change(ObjectKind::Pool);
    /// Adds seats to a ticket type.
    SeatImport = "seat.import", ADMINS, Change(ObjectKind::TicketType);
    /// Deletes seats of a ticket type.
    SeatDelete = "seat.delete", ADMINS, Change(ObjectKind::TicketType);
    /// Lists a ticket type's seats.
    SeatList = "seat.list", PUBLIC, See(ObjectKind::TicketType);
    /// Checks whether units are available.
    AvailabilityCheck = "availability.check", PUBLIC, See(ObjectKind::Event);
    /// Lists what is available of an event.
    AvailabilityList = "availability.list", PUBLIC, See(ObjectKind::Event);
    /// Streams the availability of an event.
    AvailabilityStream = "availability.stream", PUBLIC, See(ObjectKind::Event);
    /// Reserves units of an event.
    ReservationCreate = "reservation.create", WORKERS, Change(ObjectKind::Event);
    /// Shows a reservation.
    ReservationGet = "reservation.get", READERS, See(ObjectKind::Reservation);
    /// Lists reservations.
    ReservationList = "reservation.list", READERS, Other;
    /// Confirms a reservation.
    ReservationConfirm = "reservation.confirm", WORKERS, Change(ObjectKind::Reservation);
    /// Extends a reservation.
    ReservationExtend = "reservation.extend", WORKERS, Change(ObjectKind::Reservation);
    /// Releases units of a reservation.
    ReservationRelease = "reservation.release", WORKERS, Change(ObjectKind::Reservation);

    /// Shows a ticket.
    TicketGet = "ticket.get", PUBLIC, See(ObjectKind::Ticket);
    /// Prints a ticket: its code as a picture, or a page.
    TicketPrint = "ticket.print", WORKERS, See(ObjectKind::Ticket);
    /// Lists tickets.
    TicketList = "ticket.list", READERS, Other;
    /// Transfers a ticket to another holder.
    TicketTransfer = "ticket.transfer", WORKERS, Change(ObjectKind::Ticket);
    /// Cancels a ticket.
    TicketCancel = "ticket.cancel", WORKERS, Change(ObjectKind::Ticket);
    /// Lists revoked codes.
    TicketRevoked = "ticket.revoked", WATCHERS, See(ObjectKind::Event);
    /// Checks whether a ticket would be admitted.
    TicketValidate = "ticket.validate", DOOR, See(ObjectKind::Ticket);
    /// Lists the public keys of ticket codes.
    SigningKeyList = "signing_key.list", PUBLIC, Other;
    /// Creates a new signing key.
    SigningKeyRotate = "signing_key.rotate", ADMINS, Other;
    /// Checks a ticket in or out.
    CheckInCreate = "check_in.create", DOOR, Change(ObjectKind::Ticket);
    /// Records scans of offline scanners.
    CheckInMerge = "check_in.merge", DOOR, Change(ObjectKind::Ticket);
    /// Undoes a check-in.
    CheckInUndo = "check_in.undo", ADMINS, Change(ObjectKind::Ticket);
    /// Shows a check-in.
    CheckInGet = "check_in.get", WATCHERS, See(ObjectKind::Ticket);
    /// Lists an event's check-ins.
    CheckInList = "check_in.list", WATCHERS, See(ObjectKind::Event);
    /// Counts tickets and check-ins.
    CheckInStats = "check_in.stats", WATCHERS, See(ObjectKind::Event);

    /// Computes what a basket costs.
    PriceCalculate = "price.calculate", PUBLIC, See(ObjectKind::Event);
    /// Computes what a basket costs, and stores the quote.
    QuoteCreate = "quote.create", WORKERS, Change(ObjectKind::Event);
    /// Shows a stored quote.
    QuoteGet = "quote.get", READERS, See(ObjectKind::Quote);
    /// Creates a pricing rule.
    PricingRuleCreate = "pricing_rule.create", ADMINS, Other;
    /// Shows a pricing rule.
    PricingRuleGet = "pricing_rule.get", READERS, See(ObjectKind::PricingRule);
    /// Lists pricing rules.
    PricingRuleList = "pricing_rule.list", READERS, Other;
    /// Lists the pricing rules that apply to an event.
    PricingRulesOfEvent = "pricing_rule.of_event", READERS, See(ObjectKind::Event);
    /// Changes a pricing rule.
    PricingRuleUpdate = "pricing_rule.update", ADMINS, Change(ObjectKind::PricingRule);
    /// Deletes a pricing rule.
    PricingRuleDelete = "pricing_rule.delete", ADMINS, Change(ObjectKind::PricingRule);
    /// Computes what a basket would cost with a rule that is not stored.
    PricingRuleTest = "pricing_rule.test", ADMINS, See(ObjectKind::Event);

    /// Tells whether a code is accepted, and what it gives.
    DiscountApply = "discount.apply", PUBLIC, See(ObjectKind::Event);
    /// Shows today's prices of an event's ticket types.
    PriceDisplay = "price.display", PUBLIC, See(ObjectKind::Event);
    /// Shows how the price of a ticket type would be at other times and shares sold.
    PriceForecast = "price.forecast", READERS, See(ObjectKind::Event);
    /// Creates a promotion.
    PromotionCreate = "promotion.create", ADMINS, Other;
    /// Shows a promotion.
    PromotionGet = "promotion.get", READERS, See(ObjectKind::Promotion);
    /// Lists promotions.
    PromotionList = "promotion.list", READERS, Other;
    /// Changes a promotion.
    PromotionUpdate = "promotion.update", ADMINS, Change(ObjectKind::Promotion);
    /// Deletes a promotion with its codes.
    PromotionDelete = "promotion.delete", ADMINS, Change(ObjectKind::Promotion);
    /// Creates codes of a promotion.
    PromotionCodeCreate = "promotion_code.create", ADMINS, Change(ObjectKind::Promotion);
    /// Lists codes of a promotion.
    PromotionCodeList = "promotion_code.list", ADMINS, See(ObjectKind::Promotion);
    /// Deletes a code of a promotion.
    PromotionCodeDelete = "promotion_code.delete", ADMINS, Change(ObjectKind::Promotion);

    /// Shows the tenant's hold rules.
    HoldRulesGet = "hold_rules.get", READERS, Other;
    /// Sets the tenant's hold rules.
    HoldRulesSet = "hold_rules.set", ADMINS, Other;
    /// Shows an event's queue.
    QueueGet = "queue.get", PUBLIC, See(ObjectKind::Event);
    /// Changes the settings of an event's queue.
    QueueSet = "queue.set", ADMINS, Change(ObjectKind::Event);
    /// Adds a buyer to an event's queue.
    BookingCreate = "booking.create", WORKERS, Change(ObjectKind::Event);
    /// Shows a booking.
    BookingGet = "booking.get", READERS, See(ObjectKind::Booking);
    /// Streams the position of a booking.
    BookingStream = "booking.stream", READERS, See(ObjectKind::Booking);
    /// Cancels a booking.
    BookingCancel = "booking.cancel", WORKERS, Change(ObjectKind::Booking);

    /// Streams the tenant's facts.
    FactStream = "fact.stream", READERS, Other;
    /// Lists the audit log.
    AuditList = "audit.list", ADMINS, Other;
}

impl Operation {
    /// Returns whether one of the roles may carry it out.
    #[must_use]
    pub fn is_open_to(self, roles: &[Role]) -> bool {
        self.roles().include_any(roles)
    }

    /// Returns whether it needs no key.
    #[must_use]
    pub fn is_public(self) -> bool {
        self.roles().1
    }

    /// Returns the kind of object whose existence a refusal must not reveal to these roles.
    #[must_use]
    pub fn hidden_from(self, roles: &[Role]) -> Option<ObjectKind> {
        let (Act::See(kind) | Act::Change(kind)) = self.act() else { return None };
        (!kind.is_visible_to(roles)).then_some(kind)
    }
}

impl ObjectKind {
    /// Returns whether one of the roles may see objects of the kind.
    #[must_use]
    pub fn is_visible_to(self, roles: &[Role]) -> bool {
        let readers = match self {
            Self::Tenant => OPERATORS,
            Self::Key | Self::Release | Self::Installation => ADMINS,
            Self::User
            | Self::Project
            | Self::Issue
            | Self::Pool
            | Self::Lock
            | Self::Reservation
            | Self::Booking
            | Self::TenantHoldRules
            | Self::PricingRule
            | Self::Quote
            | Self::Promotion => READERS,
            Self::Ticket => WATCHERS,
            Self::SigningKey | Self::Queue | Self::Venue | Self::Series | Self::Event | Self::TicketType => {
                ANY_ROLE
            }
        };
        readers.include_any(roles)
    }

    /// Returns whether one of the roles may read facts about objects of the kind: about all kinds with the right to read
    /// the audit log, which has the same facts.
    #[must_use]
    pub fn has_facts_visible_to(self, roles: &[Role]) -> bool {
        Operation::AuditList.is_open_to(roles) || self.is_visible_to(roles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_hides_objects_that_a_role_may_not_see() {
        assert_eq!(Operation::IssueGet.hidden_from(&[Role::Gate]), Some(ObjectKind::Issue));
        assert_eq!(Operation::IssueUpdate.hidden_from(&[Role::Viewer]), None);
        assert_eq!(Operation::TenantSuspend.hidden_from(&[Role::Admin]), Some(ObjectKind::Tenant));
        assert_eq!(Operation::TenantList.hidden_from(&[Role::Admin]), None);
    }

    #[test]
    fn facts_are_visible_to_those_who_may_see_their_object_or_the_audit_log() {
        let visible = |kind: ObjectKind, role| kind.has_facts_visible_to(&[role]);
        for kind in ObjectKind::ALL {
            assert!(visible(kind, Role::Admin), "{kind:?}");
            for role in [Role::Agent, Role::Viewer, Role::Gate, Role::Operator] {
                assert_eq!(visible(kind, role), kind.is_visible_to(&[role]), "{kind:?} as {role:?}");
            }
        }
        for kind in [ObjectKind::Key, ObjectKind::Release, ObjectKind::Installation, ObjectKind::Tenant] {
            assert!(!visible(kind, Role::Viewer), "{kind:?}");
        }
        assert!(visible(ObjectKind::Issue, Role::Viewer));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Operation::ALL.iter().map(|op| op.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Operation::ALL.len());
    }
}
