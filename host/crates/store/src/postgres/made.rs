//! Changesets that only make issues, and set the timers of those. Those of a tenant that come while others are being written
//! are written together, by one statement, which is a transaction of its own: to start a statement costs the server more than
//! to write a row. It holds only if all that was expected is true. Where it is not, or something else is wrong, each
//! changeset is carried out by itself and step by step, and gets its own verdict.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tessera_core::access::ObjectKind;
use tessera_core::changeset::{Changeset, Committed, Guard, Record, Write};
use tessera_core::id::{IssueId, ProjectId, TenantId};
use tessera_core::plugin::Timer;
use tessera_core::tracker::Issue;
use tessera_core::{Error, ErrorKind, Result};
use uuid::Uuid;

use super::Shared;
use super::commit::{Reply, settle, told, transact};
use super::dialect;
use super::sql::rows::{Part, RowsOf, Way};
use super::sql::tracker::count::slot;
use super::sql::{idempotency, outbox};
use crate::codec::{fields_form, signed};
use crate::error::{fault, is_unanswered};
use crate::fair::{MAX_WAITING, crowded};

/// How many are written together.
const TOGETHER: usize = 64;

/// A changeset, and who waits for its verdict.
struct Waiting {
    changeset: Changeset,
    reply: Reply,
}

/// What waits, by tenant. Each tenant that is here has a task that carries it out.
#[derive(Default)]
pub(super) struct Queues(Mutex<HashMap<TenantId, VecDeque<Waiting>>>);

impl Queues {
    /// Queues it; whether a task must be begun that carries it out.
    fn push(&self, waiting: Waiting) -> bool {
        match self.lock().entry(waiting.changeset.tenant) {
            Entry::Occupied(queue) if queue.get().len() >= MAX_WAITING => {
                tell(vec![waiting], || Err(crowded()));
                false
            }
            Entry::Occupied(queue) => {
                queue.into_mut().push_back(waiting);
                false
            }
            Entry::Vacant(queue) => {
                queue.insert(VecDeque::from([waiting]));
                true
            }
        }
    }

    /// Whether something waits; if not, the queue is gone.
    fn waits(&self, tenant: TenantId) -> bool {
        let mut queues = self.lock();
        let waits = queues.get(&tenant).is_some_and(|queue| !queue.is_empty());
        if !waits {
            queues.remove(&tenant);
        }
        waits
    }

    fn take(&self, tenant: TenantId) -> Vec<Waiting> {
        let mut queues = self.lock();
        let queue = queues.get_mut(&tenant).map(|queue| queue.drain(..queue.len().min(TOGETHER)));
        queue.into_iter().flatten().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, VecDeque<Waiting>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task of a queue. Should it end before its time, those who wait are told, and who comes next begins another.
struct Server<'a> {
    shared: &'a Shared,
    tenant: TenantId,
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.shared.made.lock().remove(&self.tenant);
    }
}

/// Whether a changeset only makes issues.
pub(super) fn is_creation(changeset: &Changeset) -> bool {
    Made::of(changeset).is_some()
}

/// Queues such a changeset, and carries out what waits unless that is being done already.
pub(super) fn submit(shared: &Arc<Shared>, changeset: Changeset, reply: Reply) {
    let tenant = changeset.tenant;
    if shared.made.push(Waiting { changeset, reply }) {
        let own = Arc::clone(shared);
        shared.writes.spawn(async move { serve(&own, tenant).await });
    }
}

async fn serve(shared: &Arc<Shared>, tenant: TenantId) {
    let server = Server { shared, tenant };
    while shared.made.waits(tenant) {
        let permit = shared.gate.enter(tenant).await;
        let mut some = shared.made.take(tenant);
        some.retain(|waiting| !waiting.reply.is_closed());
        match permit {
            Ok(_permit) => carry_out(shared, tenant, some).await,
            Err(error) => tell(some, || Err(again(&error))),
        }
    }
    // The queue is gone, and perhaps another has begun.
    std::mem::forget(server);
}

/// Carries out changesets of a tenant, and tells each caller.
async fn carry_out(shared: &Shared, tenant: TenantId, some: Vec<Waiting>) {
    let now = Instant::now();
    let (some, late): (Vec<_>, Vec<_>) =
        some.into_iter().partition(|waiting| now < waiting.changeset.deadline);
    tell(late, || Err(Error::deadline()));
    let changesets: Vec<_> = some.iter().map(|waiting| &waiting.changeset).collect();
    match write(shared, tenant, &changesets).await {
        Ok(true) => tell(some, || Ok(Committed::Stored)),
        Ok(false) => {
            for Waiting { changeset, reply } in some {
                // Who left meanwhile reads the outcome later, by its key or by the rows.
                let _ = reply.send(transact(shared, &changeset).await);
            }
        }
        Err(error) => {
            tracing::warn!(?error, issues = some.len(), "new issues could not be written");
            tell(some, || Err(again(&error)));
        }
    }
}

fn tell(some: Vec<Waiting>, verdict: impl Fn() -> Result<Committed>) {
    for waiting in some {
        // Who left meanwhile reads the outcome later.
        let _ = waiting.reply.send(verdict());
    }
}

/// An error for each who is told of it: the database is away.
fn again(error: &Error) -> Error {
    Error::unavailable(error.message().to_owned(), error.retry_after().unwrap_or(Duration::from_secs(1)))
}

/// Writes what changesets make; whether it is written. An error means that the database is away.
async fn write(shared: &Shared, tenant: TenantId, changesets: &[&Changeset]) -> Result<bool> {
    let mut made = Made::default();
    for Made { issues, timers } in changesets.iter().filter_map(|changeset| Made::of(changeset)) {
        made.issues.extend(issues);
        made.timers.extend(timers);
    }
    let (Some(first), Ok(parts)) = (made.issues.first(), parts(changesets, &made)) else { return Ok(false) };
    let mut conn = shared.pool.acquire().await.map_err(fault)?;
    match dialect::write_together(&mut conn, tenant, &parts).await {
        Ok(_) => shared.pool.keep(conn),
        // The statement is a transaction of its own: its answer is that of a COMMIT.
        Err(error) if is_unanswered(&error) => settle(error, || is_stored(shared, tenant, first.id)).await?,
        Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
        Err(error) => {
            if !error.is_stale() {
                tracing::warn!(?error, "issues could not be made together; they are made by themselves");
            }
            return Ok(false);
        }
    }
    told(shared);
    Ok(true)
}

/// What changesets make.
#[derive(Default)]
struct Made<'a> {
    issues: Vec<&'a Issue>,
    timers: Vec<&'a Timer>,
}

impl<'a> Made<'a> {
    /// What a changeset makes, if it does nothing else, and depends on nothing that the statement does not look at.
    fn of(changeset: &'a Changeset) -> Option<Self> {
        let mut made = Self::default();
        for write in &changeset.writes {
            match write {
                Write::Insert(Record::Issue(issue)) => made.issues.push(issue),
                Write::PutTimer(timer) => made.timers.push(timer),
                _ => return None,
            }
        }
        let looked_at = [ObjectKind::User, ObjectKind::Project, ObjectKind::Issue];
        let plain = changeset.expects.iter().all(|expected| looked_at.contains(&expected.kind))
            && made.timers.iter().all(|timer| made.has(timer.issue))
            && changeset.guards.iter().all(|guard| made.satisfies(guard));
        (plain && !made.issues.is_empty() && !changeset.facts.is_empty()).then_some(made)
    }

    fn has(&self, issue: IssueId) -> bool {
        self.issues.iter().any(|made| made.id == issue)
    }

    /// Whether that holds for certain: an issue that is new has just the timers that it is given.
    fn satisfies(&self, guard: &Guard) -> bool {
        match guard {
            Guard::TimersOf(issue, most) => {
                let given = self.timers.iter().filter(|timer| timer.issue == *issue).count();
                self.has(*issue) && given <= *most
            }
            _ => false,
        }
    }
}

/// Whether the changeset is stored, by its first issue.
async fn is_stored(shared: &Shared, tenant: TenantId, first: IssueId) -> Result<Option<bool>, sqlx::Error> {
    let mut conn = shared.pool.acquire().await?;
    let query = sqlx::query("SELECT 1 FROM issues WHERE tenant_id = $1 AND id = $2");
    let found = query.bind(tenant.0).bind(first.0).fetch_optional(&mut *conn).await?;
    // Else the server may not have begun yet: it goes on with what it was sent.
    Ok(found.map(|_| true))
}

/// What the statement is made of. Rows are locked in the order in which all changesets lock them, and before the facts draw
/// their numbers.
fn parts<'a>(changesets: &[&'a Changeset], made: &Made<'a>) -> Result<Vec<Part<'a>>> {
    let Made { issues, timers } = made;
    let parts = [
        expected(seen(changesets, ObjectKind::User)?, "users", || locked("users", "u.deleted_at IS NULL")),
        expected(seen(changesets, ObjectKind::Project)?, "projects", || {
            locked("projects", "u.deleted_at IS NULL AND u.machines = COALESCE(v.machines, u.machines)")
        }),
        expected(
            timers.iter().map(|timer| (timer.installation.0, None, None)).collect(),
            "installations",
            || locked("installations", "TRUE"),
        ),
        expected(seen(changesets, ObjectKind::Issue)?, "issues", || locked("issues", "TRUE")),
        idempotency::claims(changesets.iter().filter_map(|changeset| changeset.claim.as_ref()))?,
        counts(issues),
        inserted(issues)?,
        labels(issues),
        set(timers),
        outbox::all_at_once(changesets.iter().flat_map(|changeset| &changeset.facts))?,
    ];
    Ok(parts.into_iter().filter(|part| part.count() > 0).collect())
}

/// Rows by their ids, with the version and the generation of machines that were seen, where that matters.
type Seen = BTreeSet<(Uuid, Option<i64>, Option<i64>)>;

/// The rows of a kind on which changesets depend.
fn seen(changesets: &[&Changeset], kind: ObjectKind) -> Result<Seen> {
    let all = changesets.iter().flat_map(|changeset| &changeset.expects);
    all.filter(|expected| expected.kind == kind)
        .map(|expected| {
            let id = Uuid::try_parse(&expected.id).map_err(|_| Error::stale())?;
            Ok((id, Some(signed(expected.version)), expected.machines.map(signed)))
        })
        .collect()
}

/// Locks rows, in their order, if they are as they were seen.
fn expected(seen: Seen, name: &'static str, sql: fn() -> String) -> Part<'static> {
    let rows = RowsOf::new(seen)
        .ids("id", |(id, ..)| id)
        .numbers("version", |(_, version, _)| version)
        .numbers("machines", |(.., machines)| machines)
        .rows();
    Part::new(name, Way::Locks, rows, sql)
}

fn locked(table: &str, condition: &str) -> String {
    format!(
        "SELECT 1 FROM {table} u JOIN $rows ON u.id = v.id WHERE u.tenant_id = $1 AND {}
         AND u.version = COALESCE(v.version, u.version) AND {condition} ORDER BY u.id{} OF u",
        dialect::of_rows("u.id", "id"),
        dialect::LOCK_TO_KEEP,
    )
}

fn counts<'a>(issues: &[&'a Issue]) -> Part<'a> {
    let mut counts: BTreeMap<(ProjectId, u8), i64> = BTreeMap::new();
    for issue in issues {
        *counts.entry((issue.project, slot(issue.id))).or_default() += 1;
    }
    let rows = RowsOf::new(&counts)
        .ids("project", |((project, _), _): (&(ProjectId, u8), &i64)| project.0)
        .numbers("slot", |((_, slot), _)| i64::from(*slot))
        .numbers("more", |(_, more)| *more)
        .rows();
    Part::new("counts", Way::Expects, rows, || {
        "INSERT INTO project_counts (tenant_id, project_id, slot, issues)
         SELECT $1, v.project, v.slot, v.more FROM $rows WHERE TRUE
         ON CONFLICT (tenant_id, project_id, slot) DO UPDATE SET issues = project_counts.issues + excluded.issues"
            .to_owned()
    })
}

fn inserted<'a>(issues: &[&'a Issue]) -> Result<Part<'a>> {
    let rows = RowsOf::new(issues.iter().copied())
        .ids("id", |issue: &Issue| issue.id.0)
        .ids("project", |issue| issue.project.0)
        .texts("kind", |issue| issue.kind.as_str())
        .texts("summary", |issue| issue.summary.as_str())
        .texts("description", |issue| issue.description.as_deref())
        .texts("status", |issue| issue.status.as_str())
        .texts("resolution", |issue| issue.resolution.as_deref())
        .texts("type", |issue| issue.issue_type.as_str())
        .texts("priority", |issue| issue.priority.as_str())
        .ids("assignee", |issue| issue.assignee.map(|user| user.0))
        .ids("reporter", |issue| issue.reporter.map(|user| user.0))
        .ids("parent", |issue| issue.parent.map(|parent| parent.0))
        .jsons("labels", |issue| &issue.labels)?
        .jsons("fields", |issue| fields_form(&issue.fields))?
        .moments("created", |issue| issue.created_at)
        .moments("modified", |issue| issue.modified_at)
        .numbers("version", |issue| signed(issue.version))
        .rows();
    Ok(Part::new("new issues", Way::Inserts, rows, || {
        "INSERT INTO issues (tenant_id, id, project_id, kind, summary, description, status, resolution, issue_type,
         priority, assignee_id, reporter_id, parent_id, parent_at, labels, fields, created_at, modified_at, version)
         SELECT $1, v.id, v.project, v.kind, v.summary, v.description, v.status, v.resolution, v.type, v.priority,
         v.assignee, v.reporter, v.parent, CASE WHEN v.parent IS NOT NULL THEN v.modified END, v.labels, v.fields,
         v.created, v.modified, v.version FROM $rows WHERE TRUE"
            .to_owned()
    }))
}

fn labels<'a>(issues: &[&'a Issue]) -> Part<'a> {
    let each = issues.iter().flat_map(|issue| issue.labels.iter().map(|label| (issue.id, label.as_str())));
    let rows = RowsOf::new(each).ids("issue", |(issue, _)| issue.0).texts("label", |(_, label)| label).rows();
    Part::new("labels", Way::Inserts, rows, || {
        "INSERT INTO issue_labels (tenant_id, issue_id, label) SELECT $1, v.issue, v.label FROM $rows WHERE TRUE"
            .to_owned()
    })
}

fn set<'a>(timers: &[&'a Timer]) -> Part<'a> {
    let rows = RowsOf::new(timers.iter().copied())
        .ids("issue", |timer: &Timer| timer.issue.0)
        .ids("installation", |timer| timer.installation.0)
        .texts("name", |timer| timer.name.as_str())
        .moments("due", |timer| timer.at)
        .numbers("generation", |timer| signed(timer.generation))
        .numbers("failures", |timer| i64::from(timer.failures))
        .texts("failed", |timer| timer.last_failure.as_deref())
        .rows();
    Part::new("timers", Way::Inserts, rows, || {
        "INSERT INTO timers (tenant_id, issue_id, installation_id, name, at, generation, failures, last_failure)
         SELECT $1, v.issue, v.installation, v.name, v.due, v.generation, v.failures, v.failed FROM $rows WHERE TRUE"
            .to_owned()
    })
}
