//! Carries a changeset out inside a transaction that somebody else begins and ends: locks, claim,
//! versions, the generation of installations, guards, writes, counts, facts.

use tessera_core::access::ObjectKind;
use tessera_core::changeset::{Changeset, Record, Write};
use tessera_core::id::{FactId, IssueId, TenantId};
use tessera_core::{Error, Result, Timestamp};

use super::admission::{check_in, signing_key, ticket};
use super::booking::{place, queue};
use super::catalog::{event, pool, series, ticket_type, venue};
use super::inventory::{holding, reservation, seat};
use super::lock::Held;
use super::plugin::{installation, release, timer};
use super::tenancy::{key, tenant};
use super::tracker::count::Changes;
use super::tracker::{comment, issue, link, project, user, watcher};
use super::{Conn, guard, idempotency, lock, outbox};

/// How it ended. Only what is `Written` may be committed.
pub(in super::super) enum Applied {
    /// All is written; by this the database knows the transaction.
    #[allow(dead_code, reason = "only where the answer to COMMIT can be lost is it asked for")]
    Written(String),
    /// The idempotency key had been claimed before.
    Claimed,
}

/// Carries a changeset out.
pub(in super::super) async fn apply(
    conn: &mut Conn,
    changeset: &Changeset,
    now: Timestamp,
) -> Result<Applied> {
    let tenant = changeset.tenant;
    let held = lock::rows(conn, changeset).await?;
    // Before the versions are compared: the repeat of a command that was carried out is not stale.
    if let Some(claim) = &changeset.claim
        && !idempotency::claim(conn, claim, now).await?
    {
        return Ok(Applied::Claimed);
    }
    held.judge(changeset)?;
    next_generations(conn, changeset).await?;
    guard::before(conn, changeset).await?;
    let mut writer = Writer { tenant, now, held, counts: Changes::default(), removed: Vec::new() };
    for write in &changeset.writes {
        writer.write(conn, changeset, write).await?;
    }
    if !writer.removed.is_empty() {
        issue::no_children(conn, tenant, &writer.removed).await?;
    }
    // Last, for these rows are shared with others that write into the same projects.
    writer.counts.write(conn, tenant).await?;
    guard::after(conn, changeset).await?;
    Ok(Applied::Written(outbox::insert(conn, tenant, &changeset.facts).await?))
}

/// First of all writes: guards judge what is in force afterwards.
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
    held: Held,
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
            Write::ForgetProject(id) => project::forget(conn, tenant, *id).await,
            Write::ForgetUser(id) => user::forget(conn, tenant, *id).await,
            Write::PutComment(comment) => comment::put(conn, tenant, comment).await,
            Write::DropComment(issue, id) => comment::drop(conn, tenant, *issue, *id).await,
            Write::AddLink(link) => link::add(conn, tenant, link).await,
            Write::DropLink(link) => link::drop(conn, tenant, link).await,
            Write::AddWatcher(issue, user) => watcher::add(conn, tenant, *issue, *user).await,
            Write::DropWatcher(issue, user) => watcher::drop(conn, tenant, *issue, *user).await,
            Write::PutComponent(digest, bytes) => release::put_bytes(conn, tenant, *digest, bytes).await,
            // It was written before the guards.
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
            Write::DropTimer(issue, by, name) => timer::drop(conn, tenant, (*issue, *by, name)).await,
        }
    }

    async fn insert(&mut self, conn: &mut Conn, record: &Record) -> Result<()> {
        match record {
            Record::Tenant(tenant) => tenant::insert(conn, tenant).await,
            Record::Key(key) => key::insert(conn, self.tenant, key).await,
            Record::User(user) => user::insert(conn, self.tenant, user).await,
            Record::Project(project) => {
                project::insert(conn, self.tenant, project, self.held.generation()).await
            }
            Record::Issue(issue) => {
                self.counts.add(issue.project, issue.id, 1);
                issue::insert(conn, self.tenant, issue).await
            }
            Record::Release(held) => release::insert(conn, self.tenant, held).await,
            Record::Installation(held) => installation::insert(conn, self.tenant, held).await,
            Record::Venue(held) => venue::insert(conn, self.tenant, held).await,
            Record::Series(held) => series::insert(conn, self.tenant, held).await,
            Record::Event(held) => event::insert(conn, self.tenant, held).await,
            Record::TicketType(held) => ticket_type::insert(conn, self.tenant, held).await,
            Record::Pool(held) => pool::insert(conn, self.tenant, held).await,
            Record::Lock(held) => pool::lock(conn, self.tenant, held).await,
            Record::SigningKey(key) => signing_key::insert(conn, self.tenant, key).await,
            Record::Queue(held) => queue::insert(conn, self.tenant, held).await,
            Record::Booking(held) => place::insert(conn, self.tenant, held).await,
            Record::TenantHolds(held) => holding::insert(conn, held).await,
            Record::Reservation(_) | Record::Ticket(_) => {
                Err(Error::internal(anyhow::anyhow!("reservations and tickets are made by batches")))
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
                let before = self.held.issue(issue.id)?;
                if before.project != issue.project {
                    self.counts.add(before.project, issue.id, -1);
                    self.counts.add(issue.project, issue.id, 1);
                }
                issue::update(conn, self.tenant, (issue, stored), before).await
            }
            Record::Release(_) | Record::Lock(_) => {
                Err(Error::internal(anyhow::anyhow!("releases and locks never change")))
            }
            Record::Venue(held) => venue::update(conn, self.tenant, (held, stored)).await,
            Record::Series(held) => series::update(conn, self.tenant, (held, stored)).await,
            Record::Event(held) => event::update(conn, self.tenant, (held, stored)).await,
            Record::TicketType(held) => ticket_type::update(conn, self.tenant, (held, stored)).await,
            Record::Pool(held) => pool::update(conn, self.tenant, (held, stored)).await,
            Record::Installation(held) => installation::update(conn, self.tenant, (held, stored)).await,
            Record::Reservation(held) => reservation::reduce(conn, self.tenant, (held, stored)).await,
            Record::Ticket(held) => ticket::update(conn, self.tenant, (held, stored)).await,
            Record::SigningKey(key) => signing_key::update(conn, self.tenant, (key, stored)).await,
            Record::Queue(held) => queue::update(conn, self.tenant, (held, stored)).await,
            Record::Booking(held) => place::update(conn, self.tenant, (held, stored)).await,
            Record::TenantHolds(held) => holding::update(conn, (held, stored)).await,
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
            | Record::TenantHolds(_) => {
                Err(Error::internal(anyhow::anyhow!("such records are never deleted by themselves")))
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
                let before = self.held.issue(issue.id)?;
                self.counts.add(before.project, issue.id, -1);
                self.removed.push(issue.id);
                issue::delete(conn, self.tenant, issue).await
            }
            Record::Release(held) => release::delete(conn, self.tenant, held.digest()).await,
            Record::Installation(held) => installation::delete(conn, self.tenant, held).await,
            Record::Venue(held) => venue::delete(conn, self.tenant, held).await,
            Record::Series(held) => series::delete(conn, self.tenant, held).await,
            Record::Event(held) => event::mark(conn, self.tenant, held, self.now).await,
            Record::TicketType(held) => ticket_type::delete(conn, self.tenant, held).await,
            Record::Pool(held) => pool::delete(conn, self.tenant, held).await,
            Record::Lock(held) => pool::unlock(conn, self.tenant, held).await,
        }
    }
}

/// The fact that an object was deleted, to which what is purged because of it will refer.
fn cause(changeset: &Changeset, kind: ObjectKind, id: &str) -> Option<FactId> {
    let same = |fact: &&tessera_core::outbox::NewFact| fact.object.kind == kind && fact.object.id == id;
    changeset.facts.iter().find(same).map(|fact| fact.id)
}
