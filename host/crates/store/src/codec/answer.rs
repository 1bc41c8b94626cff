//! Answers of commands, as they are recorded for idempotency keys.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::changeset::Answer;

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
    TenantHolds(StoredTenantHolds),
}

pub(crate) fn stored_answer(answer: &Answer) -> StoredAnswer {
    match answer {
        Answer::Done => StoredAnswer::Done,
        Answer::Tenant(tenant) => StoredAnswer::Tenant(stored_tenant(tenant)),
        Answer::Key(key) => StoredAnswer::Key(stored_api_key(key)),
        Answer::User(user) => StoredAnswer::User(stored_user(user)),
        Answer::Users(users) => StoredAnswer::Users(users.iter().map(stored_user).collect()),
        Answer::Project(project) => StoredAnswer::Project(stored_project(project)),
        Answer::Issue(issue) => StoredAnswer::Issue(stored_issue(issue)),
        Answer::Comment(comment) => StoredAnswer::Comment(stored_comment(comment)),
        Answer::Link(link) => StoredAnswer::Link(stored_link(link)),
        Answer::Release(release) => StoredAnswer::Release(stored_release(release)),
        Answer::Installation(installation) => StoredAnswer::Installation(stored_installation(installation)),
        Answer::Timers(timers) => StoredAnswer::Timers(timers.iter().map(stored_timer).collect()),
        Answer::Venue(venue) => StoredAnswer::Venue(stored_venue(venue)),
        Answer::Series(series) => StoredAnswer::Series(stored_series(series)),
        Answer::Event(event) => StoredAnswer::Event(stored_event(event)),
        Answer::TicketType(ticket_type) => StoredAnswer::TicketType(stored_ticket_type(ticket_type)),
        Answer::Pool(pool) => StoredAnswer::Pool(stored_pool(pool)),
        Answer::Lock(lock) => StoredAnswer::Lock(stored_lock(lock)),
        Answer::Reservation(reservation) => StoredAnswer::Reservation(stored_reservation(reservation)),
        Answer::Ticket(ticket) => StoredAnswer::Ticket(stored_ticket(ticket)),
        Answer::CheckIn(check_in) => StoredAnswer::CheckIn(stored_check_in(check_in)),
        Answer::SigningKey(key) => StoredAnswer::SigningKey(stored_signing_key(key)),
        Answer::Queue(queue) => StoredAnswer::Queue(stored_queue(queue)),
        Answer::Booking(booking) => StoredAnswer::Booking(stored_booking(booking)),
        Answer::TenantHolds(holds) => StoredAnswer::TenantHolds(stored_tenant_holds(holds)),
    }
}

pub(crate) fn answer(stored: StoredAnswer) -> Result<Answer> {
    Ok(match stored {
        StoredAnswer::Done => Answer::Done,
        StoredAnswer::Tenant(stored) => Answer::Tenant(tenant(stored)?),
        StoredAnswer::Key(stored) => Answer::Key(api_key(stored)?),
        StoredAnswer::User(stored) => Answer::User(user(stored)?),
        StoredAnswer::Users(stored) => Answer::Users(stored.into_iter().map(user).collect::<Result<_>>()?),
        StoredAnswer::Project(stored) => Answer::Project(project(stored)?),
        StoredAnswer::Issue(stored) => Answer::Issue(issue(stored)?),
        StoredAnswer::Comment(stored) => Answer::Comment(comment(stored)?),
        StoredAnswer::Link(stored) => Answer::Link(link(&stored)?),
        StoredAnswer::Release(stored) => Answer::Release(release(stored)?),
        StoredAnswer::Installation(stored) => Answer::Installation(installation(stored)?),
        StoredAnswer::Timers(stored) => Answer::Timers(stored.into_iter().map(timer).collect::<Result<_>>()?),
        StoredAnswer::Venue(stored) => Answer::Venue(venue(stored)?),
        StoredAnswer::Series(stored) => Answer::Series(series(stored)?),
        StoredAnswer::Event(stored) => Answer::Event(event(stored)?),
        StoredAnswer::TicketType(stored) => Answer::TicketType(ticket_type(stored)?),
        StoredAnswer::Pool(stored) => Answer::Pool(pool(stored)?),
        StoredAnswer::Lock(stored) => Answer::Lock(lock(stored)?),
        StoredAnswer::Reservation(stored) => Answer::Reservation(reservation(stored)?),
        StoredAnswer::Ticket(stored) => Answer::Ticket(ticket(stored)?),
        StoredAnswer::CheckIn(stored) => Answer::CheckIn(check_in(stored)?),
        StoredAnswer::SigningKey(stored) => Answer::SigningKey(signing_key(stored)?),
        StoredAnswer::Queue(stored) => Answer::Queue(queue(&stored)?),
        StoredAnswer::Booking(stored) => Answer::Booking(booking(stored)?),
        StoredAnswer::TenantHolds(stored) => Answer::TenantHolds(tenant_holds(&stored)?),
    })
}
