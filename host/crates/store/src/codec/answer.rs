//! Answers of commands, as they are recorded for idempotency keys.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::idempotency::RecordedAnswer;

use super::admission::{
    StoredCheckIn, StoredSigningKey, StoredTicket, check_in, signing_key, stored_check_in,
    stored_signing_key, stored_ticket, ticket,
};
use super::booking::{
    StoredBooking, StoredQueue, StoredTenantHolds, booking, queue, stored_booking, stored_queue,
    stored_tenant_holds, tenant_holds,
};
use super::catalog::{
    StoredEvent, StoredLock, StoredPool, StoredSeries, StoredTicketType, StoredVenue, event, lock, pool,
    series, stored_event, stored_lock, stored_pool, stored_series, stored_ticket_type, stored_venue,
    ticket_type, venue,
};
use super::plugin::{
    StoredInstallation, StoredRelease, StoredTimer, installation, release, stored_installation,
    stored_release, stored_timer, timer,
};
use super::pricing::{
    StoredPricingRule, StoredQuote, pricing_rule, quote, stored_pricing_rule, stored_quote,
};
use super::promotion::{StoredPromotion, promotion, stored_promotion};
use super::reservation::{StoredReservation, reservation, stored_reservation};
use super::tenancy::{StoredApiKey, StoredTenant, api_key, stored_api_key, stored_tenant, tenant};
use super::tracker::{
    StoredComment, StoredIssue, StoredLink, StoredProject, StoredUser, comment, issue, link, project,
    stored_comment, stored_issue, stored_link, stored_project, stored_user, user,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "a stored lives as long as its row is read or written")]
pub(crate) enum StoredAnswer {
    Done,
    Tenant(StoredTenant),
    Key(StoredApiKey),
    User(StoredUser),
    Users(Vec<StoredUser>),
    Project(StoredProject),
    Issue(StoredIssue),
    Comment(StoredComment),
    Link(StoredLink),
    Release(StoredRelease),
    Installation(StoredInstallation),
    Timers(Vec<StoredTimer>),
    Venue(StoredVenue),
    Series(StoredSeries),
    Event(StoredEvent),
    TicketType(StoredTicketType),
    Pool(StoredPool),
    Lock(StoredLock),
    Reservation(StoredReservation),
    Ticket(StoredTicket),
    CheckIn(StoredCheckIn),
    SigningKey(StoredSigningKey),
    Queue(StoredQueue),
    Booking(StoredBooking),
    TenantHoldRules(StoredTenantHolds),
    PricingRule(StoredPricingRule),
    Quote(StoredQuote),
    Promotion(StoredPromotion),
}

pub(crate) fn stored_answer(answer: &RecordedAnswer) -> StoredAnswer {
    match answer {
        RecordedAnswer::Done => StoredAnswer::Done,
        RecordedAnswer::Tenant(tenant) => StoredAnswer::Tenant(stored_tenant(tenant)),
        RecordedAnswer::Key(key) => StoredAnswer::Key(stored_api_key(key)),
        RecordedAnswer::User(user) => StoredAnswer::User(stored_user(user)),
        RecordedAnswer::Users(users) => StoredAnswer::Users(users.iter().map(stored_user).collect()),
        RecordedAnswer::Project(project) => StoredAnswer::Project(stored_project(project)),
        RecordedAnswer::Issue(issue) => StoredAnswer::Issue(stored_issue(issue)),
        RecordedAnswer::Comment(comment) => StoredAnswer::Comment(stored_comment(comment)),
        RecordedAnswer::Link(link) => StoredAnswer::Link(stored_link(link)),
        RecordedAnswer::Release(release) => StoredAnswer::Release(stored_release(release)),
        RecordedAnswer::Installation(installation) => {
            StoredAnswer::Installation(stored_installation(installation))
        }
        RecordedAnswer::Timers(timers) => StoredAnswer::Timers(timers.iter().map(stored_timer).collect()),
        RecordedAnswer::Venue(venue) => StoredAnswer::Venue(stored_venue(venue)),
        RecordedAnswer::Series(series) => StoredAnswer::Series(stored_series(series)),
        RecordedAnswer::Event(event) => StoredAnswer::Event(stored_event(event)),
        RecordedAnswer::TicketType(ticket_type) => StoredAnswer::TicketType(stored_ticket_type(ticket_type)),
        RecordedAnswer::Pool(pool) => StoredAnswer::Pool(stored_pool(pool)),
        RecordedAnswer::Lock(lock) => StoredAnswer::Lock(stored_lock(lock)),
        RecordedAnswer::Reservation(reservation) => {
            StoredAnswer::Reservation(stored_reservation(reservation))
        }
        RecordedAnswer::Ticket(ticket) => StoredAnswer::Ticket(stored_ticket(ticket)),
        RecordedAnswer::CheckIn(check_in) => StoredAnswer::CheckIn(stored_check_in(check_in)),
        RecordedAnswer::SigningKey(key) => StoredAnswer::SigningKey(stored_signing_key(key)),
        RecordedAnswer::Queue(queue) => StoredAnswer::Queue(stored_queue(queue)),
        RecordedAnswer::Booking(booking) => StoredAnswer::Booking(stored_booking(booking)),
        RecordedAnswer::TenantHoldRules(holds) => StoredAnswer::TenantHoldRules(stored_tenant_holds(holds)),
        RecordedAnswer::PricingRule(rule) => StoredAnswer::PricingRule(stored_pricing_rule(rule)),
        RecordedAnswer::Quote(quote) => StoredAnswer::Quote(stored_quote(quote)),
        RecordedAnswer::Promotion(promotion) => StoredAnswer::Promotion(stored_promotion(promotion)),
    }
}

pub(crate) fn answer(stored: StoredAnswer) -> Result<RecordedAnswer> {
    Ok(match stored {
        StoredAnswer::Done => RecordedAnswer::Done,
        StoredAnswer::Tenant(stored) => RecordedAnswer::Tenant(tenant(stored)?),
        StoredAnswer::Key(stored) => RecordedAnswer::Key(api_key(stored)?),
        StoredAnswer::User(stored) => RecordedAnswer::User(user(stored)?),
        StoredAnswer::Users(stored) => {
            RecordedAnswer::Users(stored.into_iter().map(user).collect::<Result<_>>()?)
        }
        StoredAnswer::Project(stored) => RecordedAnswer::Project(project(stored)?),
        StoredAnswer::Issue(stored) => RecordedAnswer::Issue(issue(stored)?),
        StoredAnswer::Comment(stored) => RecordedAnswer::Comment(comment(stored)?),
        StoredAnswer::Link(stored) => RecordedAnswer::Link(link(&stored)?),
        StoredAnswer::Release(stored) => RecordedAnswer::Release(release(stored)?),
        StoredAnswer::Installation(stored) => RecordedAnswer::Installation(installation(stored)?),
        StoredAnswer::Timers(stored) => {
            RecordedAnswer::Timers(stored.into_iter().map(timer).collect::<Result<_>>()?)
        }
        StoredAnswer::Venue(stored) => RecordedAnswer::Venue(venue(stored)?),
        StoredAnswer::Series(stored) => RecordedAnswer::Series(series(stored)?),
        StoredAnswer::Event(stored) => RecordedAnswer::Event(event(stored)?),
        StoredAnswer::TicketType(stored) => RecordedAnswer::TicketType(ticket_type(stored)?),
        StoredAnswer::Pool(stored) => RecordedAnswer::Pool(pool(stored)?),
        StoredAnswer::Lock(stored) => RecordedAnswer::Lock(lock(stored)?),
        StoredAnswer::Reservation(stored) => RecordedAnswer::Reservation(reservation(stored)?),
        StoredAnswer::Ticket(stored) => RecordedAnswer::Ticket(ticket(stored)?),
        StoredAnswer::CheckIn(stored) => RecordedAnswer::CheckIn(check_in(stored)?),
        StoredAnswer::SigningKey(stored) => RecordedAnswer::SigningKey(signing_key(stored)?),
        StoredAnswer::Queue(stored) => RecordedAnswer::Queue(queue(&stored)?),
        StoredAnswer::Booking(stored) => RecordedAnswer::Booking(booking(stored)?),
        StoredAnswer::TenantHoldRules(stored) => RecordedAnswer::TenantHoldRules(tenant_holds(&stored)?),
        StoredAnswer::PricingRule(stored) => RecordedAnswer::PricingRule(pricing_rule(stored)?),
        StoredAnswer::Quote(stored) => RecordedAnswer::Quote(quote(stored)?),
        StoredAnswer::Promotion(stored) => RecordedAnswer::Promotion(promotion(stored)?),
    })
}
