//! Applies a changeset inside the caller's transaction: locks, claim, versions, generation of installations, guards,
//! writes, counts, facts.

use tessera_core::access::ObjectKind;
use tessera_core::changeset::{Changeset, Record, Write};
use tessera_core::id::{FactId, IssueId, TenantId};
use tessera_core::{Error, Result, Timestamp};

use super::admission::{check_in, signing_key, ticket};
use super::booking::{bookings, queue};
use super::catalog::{event, pool, series, ticket_type, venue};
use super::inventory::{hold_rules, reservation, seat};
use super::lock::LockedRows;
use super::plugin::{installation, release, timer};
use super::pricing::{displayed, promotion, quote, rule};
use super::tenancy::{key, tenant};
use super::tracker::count::Changes;
use super::tracker::{comment, issue, link, project, user, watcher};
use super::{Conn, guard, idempotency, lock, outbox};

/// Result of applying a changeset. Only `Written` may be committed.
pub(in super::super) enum Applied {
    /// All is written. The token identifies the transaction in the database.
    #[allow(dead_code, reason = "used only where the answer to COMMIT can be lost")]
    Written(String),
    /// The idempotency key was claimed before.
    Claimed,
}

/// Applies a changeset.
pub(in super::super) async fn apply(
    conn: &mut Conn,
    changeset: &Changeset,
    now: Timestamp,
) -> Result<Applied> {
    let tenant = changeset.tenant;
    let locked = lock::rows(conn, changeset).await?;
    // Before versions are compared, because the repeat of an executed command is not stale.
    if let Some(claim) = &changeset.claim
        && !idempotency::claim(conn, claim, now).await?
    {
        return Ok(Applied::Claimed);
    }
    locked.check_versions(changeset)?;
    next_generations(conn, changeset).await?;
    guard::before(conn, changeset).await?;
    let mut writer = Writer { tenant, now, locked, counts: Changes::default(), removed: Vec::new() };
    for write in &changeset.writes {
        writer.write(conn, changeset, write).await?;
    }
    if !writer.removed.is_empty() {
        issue::no_children(conn, tenant, &writer.removed).await?;
    }
    // Last, because other writers of the same projects lock these rows too.
    writer.counts.write(conn, tenant).await?;
    guard::after(conn, changeset).await?;
    Ok(Applied::Written(outbox::insert(conn, tenant, &changeset.facts).await?))
}

/// Advances generations before all other writes, because guards check what is active afterwards.
async fn next_generations(conn: &mut Conn, changeset: &Changeset) -> Result<()> {
    for write in &changeset.writes {
        let Write::NextGeneration(generation, scope) = write else { continue };
        let next = generation.saturating_add(1);
        tenant::set_generation(conn, changeset.tenant, (*generation, next)).await?;
        if let Some(scope) = scope {
            project::set_machines(conn, changeset.tenant, *scope, next).await?;
        }
    }
    Ok(())
}

struct Writer {
    tenant: TenantId,
    now: Timestamp,
    locked: LockedRows,
    counts: Changes,
    removed: Vec<IssueId>,
}

impl Writer {
    async fn write(&mut self, conn: &mut Conn, changeset: &Changeset, write: &Write) -> Result<()> {
        let tenant = self.tenant;
        match write {
            Write::Insert(record) => self.insert(conn, record).await,
            Write::Update(record, stored) => self.update(conn, record, *stored).await,
            Write::Delete(record) => self.delete(conn, changeset, record).await,
            Write::ForgetProject(id) => project::delete(conn, tenant, *id).await,
            Write::ForgetUser(id) => user::delete(conn, tenant, *id).await,
            Write::PutComment(comment) => comment::put(conn, tenant, comment).await,
            Write::DropComment(issue, id) => comment::drop(conn, tenant, *issue, *id).await,
            Write::AddLink(link) => link::add(conn, tenant, link).await,
            Write::DropLink(link) => link::drop(conn, tenant, link).await,
            Write::AddWatcher(issue, user) => watcher::add(conn, tenant, *issue, *user).await,
            Write::DropWatcher(issue, user) => watcher::drop(conn, tenant, *issue, *user).await,
            Write::PutComponent(digest, bytes) => release::put_bytes(conn, tenant, *digest, bytes).await,
            // Written before the guards.
            Write::NextGeneration(..) => Ok(()),
            Write::PutTimer(timer) => timer::put(conn, tenant, timer).await,
            Write::TakeTimer(timer) => timer::take(conn, tenant, timer).await,
            Write::PutSeats(seats) => seat::put(conn, tenant, seats).await,
            Write::DropSeats(of, seats) => seat::drop_free(conn, tenant, *of, seats).await,
            Write::ReturnUnit { event, unit, pools, seat } => {
                pool::give_back(conn, tenant, *event, pools).await?;
                match seat {
                    Some((of, id)) => seat::free(conn, tenant, (*of, *id), *unit).await,
                    None => Ok(()),
                }
            }
            Write::PutCheckIns(check_ins) => check_in::put(conn, tenant, check_ins).await,
            Write::CreateCodes(codes) => promotion::create_codes(conn, tenant, codes).await,
            Write::FreeKeptUnits(codes) => promotion::free_kept(conn, tenant, codes).await,
            Write::DeleteCode(of, code) => promotion::delete_code(conn, tenant, *of, code).await,
            Write::PutDisplayedPrices(prices) => displayed::put(conn, tenant, prices).await,
            Write::DropTimer(issue, by, name) => timer::drop(conn, tenant, (*issue, *by, name)).await,
        }
    }

    async fn insert(&mut self, conn: &mut Conn, record: &Record) -> Result<()> {
        match record {
            Record::Tenant(tenant) => tenant::insert(conn, tenant).await,
            Record::Key(key) => key::insert(conn, self.tenant, key).await,
            Record::User(user) => user::insert(conn, self.tenant, user).await,
            Record::Project(project) => {
                project::insert(conn, self.tenant, project, self.locked.generation()).await
            }
            Record::Issue(issue) => {
                self.counts.add(issue.project, issue.id, 1);
                issue::insert(conn, self.tenant, issue).await
            }
            Record::Release(release) => release::insert(conn, self.tenant, release).await,
            Record::Installation(installation) => installation::insert(conn, self.tenant, installation).await,
            Record::Venue(venue) => venue::insert(conn, self.tenant, venue).await,
            Record::Series(series) => series::insert(conn, self.tenant, series).await,
            Record::Event(event) => event::insert(conn, self.tenant, event).await,
            Record::TicketType(ticket_type) => ticket_type::insert(conn, self.tenant, ticket_type).await,
            Record::Pool(pool) => pool::insert(conn, self.tenant, pool).await,
            Record::Lock(lock) => pool::lock(conn, self.tenant, lock).await,
            Record::SigningKey(key) => signing_key::insert(conn, self.tenant, key).await,
            Record::Queue(queue) => queue::insert(conn, self.tenant, queue).await,
            Record::Booking(booking) => bookings::insert(conn, self.tenant, booking).await,
            Record::TenantHoldRules(holds) => hold_rules::insert(conn, holds).await,
            Record::PricingRule(rule) => rule::insert(conn, self.tenant, rule).await,
            Record::Promotion(promotion) => promotion::insert(conn, self.tenant, promotion).await,
            Record::Quote(quote) => quote::insert(conn, self.tenant, quote).await,
            Record::Reservation(_) | Record::Ticket(_) => {
                Err(Error::internal(anyhow::anyhow!("reservations and tickets are written by batches only")))
            }
        }
    }

    async fn update(&mut self, conn: &mut Conn, record: &Record, stored: u64) -> Result<()> {
        match record {
            Record::Tenant(tenant) => tenant::update(conn, tenant, stored).await,
            Record::Key(key) => key::update(conn, self.tenant, (key, stored)).await,
            Record::User(user) => user::update(conn, self.tenant, (user, stored)).await,
            Record::Project(project) => project::update(conn, self.tenant, (project, stored)).await,
            Record::Issue(issue) => {
                let before = self.locked.issue(issue.id)?;
                if before.project != issue.project {
                    self.counts.add(before.project, issue.id, -1);
                    self.counts.add(issue.project, issue.id, 1);
                }
                issue::update(conn, self.tenant, (issue, stored), before).await
            }
            Record::Release(_) | Record::Lock(_) | Record::Quote(_) => {
                Err(Error::internal(anyhow::anyhow!("releases, locks and quotes cannot be updated")))
            }
            Record::Venue(venue) => venue::update(conn, self.tenant, (venue, stored)).await,
            Record::Series(series) => series::update(conn, self.tenant, (series, stored)).await,
            Record::Event(event) => event::update(conn, self.tenant, (event, stored)).await,
            Record::TicketType(ticket_type) => {
                ticket_type::update(conn, self.tenant, (ticket_type, stored)).await
            }
            Record::Pool(pool) => pool::update(conn, self.tenant, (pool, stored)).await,
            Record::Installation(installation) => {
                installation::update(conn, self.tenant, (installation, stored)).await
            }
            Record::Reservation(reservation) => {
                reservation::reduce(conn, self.tenant, (reservation, stored)).await
            }
            Record::Ticket(ticket) => ticket::update(conn, self.tenant, (ticket, stored)).await,
            Record::SigningKey(key) => signing_key::update(conn, self.tenant, (key, stored)).await,
            Record::Queue(queue) => queue::update(conn, self.tenant, (queue, stored)).await,
            Record::Booking(booking) => bookings::update(conn, self.tenant, (booking, stored)).await,
            Record::TenantHoldRules(holds) => hold_rules::update(conn, (holds, stored)).await,
            Record::PricingRule(rule) => rule::update(conn, self.tenant, (rule, stored)).await,
            Record::Promotion(promotion) => promotion::update(conn, self.tenant, (promotion, stored)).await,
        }
    }

    async fn delete(&mut self, conn: &mut Conn, changeset: &Changeset, record: &Record) -> Result<()> {
        match record {
            Record::Tenant(_)
            | Record::Key(_)
            | Record::Reservation(_)
            | Record::Ticket(_)
            | Record::SigningKey(_)
            | Record::Queue(_)
            | Record::Booking(_)
            | Record::TenantHoldRules(_)
            | Record::Quote(_) => {
                Err(Error::internal(anyhow::anyhow!("records of this kind cannot be deleted")))
            }
            Record::User(user) => {
                let cause = cause(changeset, ObjectKind::User, &user.id.to_string());
                user::mark(conn, self.tenant, user, (self.now, cause)).await
            }
            Record::Project(project) => {
                let cause = cause(changeset, ObjectKind::Project, &project.id.to_string());
                project::mark(conn, self.tenant, project, (self.now, cause)).await
            }
            Record::Issue(issue) => {
                let before = self.locked.issue(issue.id)?;
                self.counts.add(before.project, issue.id, -1);
                self.removed.push(issue.id);
                issue::delete(conn, self.tenant, issue).await
            }
            Record::Release(release) => release::delete(conn, self.tenant, release.digest()).await,
            Record::Installation(installation) => installation::delete(conn, self.tenant, installation).await,
            Record::Venue(venue) => venue::delete(conn, self.tenant, venue).await,
            Record::Series(series) => series::delete(conn, self.tenant, series).await,
            Record::Event(event) => event::mark(conn, self.tenant, event, self.now).await,
            Record::TicketType(ticket_type) => ticket_type::delete(conn, self.tenant, ticket_type).await,
            Record::Pool(pool) => pool::delete(conn, self.tenant, pool).await,
            Record::Lock(lock) => pool::unlock(conn, self.tenant, lock).await,
            Record::PricingRule(rule) => rule::delete(conn, self.tenant, rule).await,
            Record::Promotion(promotion) => promotion::mark(conn, self.tenant, promotion, self.now).await,
        }
    }
}

/// Returns the fact of an object's deletion, which is the cause of later purges.
fn cause(changeset: &Changeset, kind: ObjectKind, id: &str) -> Option<FactId> {
    let same = |fact: &&tessera_core::outbox::NewFact| fact.object.kind == kind && fact.object.id == id;
    changeset.facts.iter().find(same).map(|fact| fact.id)
}
