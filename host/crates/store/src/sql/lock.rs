//! Locks of all rows that a changeset writes or depends on, in one order (kind, id), and the check of their versions.
//! A row that is marked as deleted counts as absent. Inserted rows depend on locked rows too: a project on the
//! tenant's generation of installations, an installation on its project or event, a pricing rule or a promotion on its
//! event, and on the tenant for their number.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::access::ObjectKind;
use tessera_core::changeset::{Changeset, Record, Versioned, Write};
use tessera_core::id::{InstallationId, IssueId, PoolId, ProjectId, TenantId};
use tessera_core::plugin::{Digest, Scope};
use tessera_core::pricing::PromotionCode;
use tessera_core::{Error, Result};
use uuid::Uuid;

use super::plugin::digest;
use super::{Conn, Db, Row, dialect};
use crate::codec::unsigned;
use crate::error::db_error;

/// Locked rows as they were before the changeset.
#[derive(Default)]
pub(super) struct LockedRows {
    versions: HashMap<(ObjectKind, String), u64>,
    issues: HashMap<IssueId, IssueRow>,
    /// Generation of the tenant's installations.
    generation: Option<u64>,
    /// Generations of the projects' state machines.
    machines: HashMap<String, u64>,
}

/// Columns of an issue that other tables' rows are derived from.
pub(super) struct IssueRow {
    pub(super) project: ProjectId,
    pub(super) labels: BTreeSet<String>,
}

/// Rows of one kind to lock.
#[derive(Default)]
struct LockRequest {
    ids: BTreeSet<String>,
    /// All rows of the tenant.
    all: bool,
    written: bool,
}

/// Locks the rows of a changeset.
pub(super) async fn rows(conn: &mut Conn, changeset: &Changeset) -> Result<LockedRows> {
    let mut locked = LockedRows::default();
    // The map is in the order of `ObjectKind::ALL`, the sets in that of the ids.
    for (kind, request) in requests(changeset) {
        locked.take(conn, changeset.tenant, kind, &request).await?;
    }
    Ok(locked)
}

fn requests(changeset: &Changeset) -> BTreeMap<ObjectKind, LockRequest> {
    let mut requests: BTreeMap<ObjectKind, LockRequest> = BTreeMap::new();
    for write in &changeset.writes {
        if let Write::Update(record, _) | Write::Delete(record) = write {
            let row = record.expect();
            let kind = requests.entry(row.kind).or_default();
            kind.ids.insert(row.id);
            kind.written = true;
        }
        add_implicit(&mut requests, changeset.tenant, write);
    }
    for expected in &changeset.expects {
        requests.entry(expected.kind).or_default().ids.insert(expected.id.clone());
    }
    requests
}

/// Adds the rows that a write depends on implicitly.
fn add_implicit(requests: &mut BTreeMap<ObjectKind, LockRequest>, tenant: TenantId, write: &Write) {
    match write {
        Write::Insert(Record::Project(_)) => {
            requests.entry(ObjectKind::Tenant).or_default().ids.insert(tenant.to_string());
        }
        Write::Insert(Record::Installation(installation)) => add_scope(requests, installation.scope),
        Write::Insert(Record::Quote(_)) => {
            // As for rules: the number of open quotes is bounded exactly.
            let row = requests.entry(ObjectKind::Tenant).or_default();
            row.ids.insert(tenant.to_string());
            row.written = true;
        }
        Write::Insert(record @ (Record::PricingRule(_) | Record::Promotion(_))) => {
            // A tenant's creations wait for one another, so that their number is bounded exactly.
            let row = requests.entry(ObjectKind::Tenant).or_default();
            row.ids.insert(tenant.to_string());
            row.written = true;
            add_scope(requests, scope_of(record));
        }
        Write::Update(record @ (Record::PricingRule(_) | Record::Promotion(_)), _) => {
            add_scope(requests, scope_of(record));
        }
        // Not the event, whose lock would follow that of the installation; the event's deletion locks the event first.
        Write::Update(Record::Installation(installation), _)
        | Write::Delete(Record::Installation(installation)) => {
            if let Some(project) = installation.scope.project() {
                requests.entry(ObjectKind::Project).or_default().ids.insert(project.to_string());
            }
        }
        // Deletion of the issue or the installation cascades to timers, so their locks come first.
        Write::PutTimer(timer) | Write::TakeTimer(timer) => {
            add_timer_owners(requests, timer.issue, timer.installation);
        }
        Write::DropTimer(issue, installation, _) => add_timer_owners(requests, *issue, *installation),
        Write::NextGeneration(_, scope) => add_generation(requests, tenant.to_string(), *scope),
        Write::ReturnUnit { pools, .. } => add_pools(requests, &pools.iter().copied().collect()),
        Write::CreateCodes(codes) => {
            // As for promotions: the number of a tenant's codes is bounded exactly.
            let row = requests.entry(ObjectKind::Tenant).or_default();
            row.ids.insert(tenant.to_string());
            row.written = true;
            add_pools(requests, &pools_of(codes));
        }
        Write::FreeKeptUnits(codes) => add_pools(requests, &pools_of(codes)),
        Write::Insert(_)
        | Write::Update(..)
        | Write::Delete(_)
        | Write::ForgetProject(_)
        | Write::ForgetUser(_)
        | Write::PutComment(_)
        | Write::DropComment(..)
        | Write::AddLink(_)
        | Write::DropLink(_)
        | Write::AddWatcher(..)
        | Write::DropWatcher(..)
        | Write::PutComponent(..)
        | Write::PutSeats(_)
        | Write::DropSeats(..)
        | Write::PutCheckIns(_)
        // The row of its promotion is written, too.
        | Write::DeleteCode(..)
        | Write::PutDisplayedPrices(_) => {}
    }
}

/// Returns the pools in which codes keep units.
fn pools_of(codes: &[PromotionCode]) -> BTreeSet<PoolId> {
    let kept = codes.iter().filter_map(|code| code.kept.as_ref());
    kept.flat_map(|kept| kept.pools.iter().copied()).collect()
}

/// Adds pools whose counts change.
fn add_pools(requests: &mut BTreeMap<ObjectKind, LockRequest>, pools: &BTreeSet<PoolId>) {
    if pools.is_empty() {
        return;
    }
    let rows = requests.entry(ObjectKind::Pool).or_default();
    rows.ids.extend(pools.iter().map(ToString::to_string));
    rows.written = true;
}

/// Returns the row of a project or an event.
fn row_of(scope: Scope) -> Option<(ObjectKind, String)> {
    match scope {
        Scope::Tenant => None,
        Scope::Project(id) => Some((ObjectKind::Project, id.to_string())),
        Scope::Event(id) => Some((ObjectKind::Event, id.to_string())),
    }
}

/// Returns the scope of a pricing rule or a promotion.
fn scope_of(record: &Record) -> Scope {
    let event = match record {
        Record::PricingRule(rule) => rule.attributes.event,
        Record::Promotion(promotion) => promotion.attributes.event,
        _ => None,
    };
    event.map_or(Scope::Tenant, Scope::Event)
}

fn add_scope(requests: &mut BTreeMap<ObjectKind, LockRequest>, scope: Scope) {
    if let Some((kind, id)) = row_of(scope) {
        requests.entry(kind).or_default().ids.insert(id);
    }
}

fn add_timer_owners(
    requests: &mut BTreeMap<ObjectKind, LockRequest>,
    issue: IssueId,
    installation: InstallationId,
) {
    requests.entry(ObjectKind::Issue).or_default().ids.insert(issue.to_string());
    requests.entry(ObjectKind::Installation).or_default().ids.insert(installation.to_string());
}

/// Adds the tenant, and the projects whose state machines change.
fn add_generation(requests: &mut BTreeMap<ObjectKind, LockRequest>, tenant: String, scope: Option<Scope>) {
    let row = requests.entry(ObjectKind::Tenant).or_default();
    row.ids.insert(tenant);
    row.written = true;
    // Installations for one event have no state machines.
    let Some(scope) = scope.filter(|scope| scope.event().is_none()) else { return };
    let projects = requests.entry(ObjectKind::Project).or_default();
    projects.written = true;
    match scope.project() {
        Some(id) => {
            projects.ids.insert(id.to_string());
        }
        None => projects.all = true,
    }
}

/// Key column of a kind's rows, its type, and the columns that are read.
struct Table {
    id: &'static str,
    holds: Ids,
    select: &'static str,
}

/// Type of an id column.
enum Ids {
    Uuids,
    Numbers,
    Texts,
    Digests,
}

fn table(kind: ObjectKind) -> Table {
    let (id, holds, select) = match kind {
        ObjectKind::Tenant => {
            ("tenant_id", Ids::Uuids, "SELECT tenant_id AS id, version, plugins FROM tenants")
        }
        ObjectKind::Key => ("id", Ids::Texts, "SELECT id, version FROM api_keys"),
        ObjectKind::User => ("id", Ids::Uuids, "SELECT id, version, deleted_at IS NULL AS live FROM users"),
        ObjectKind::Project => {
            ("id", Ids::Uuids, "SELECT id, version, machines, deleted_at IS NULL AS live FROM projects")
        }
        // A release never changes, so its version is always 1.
        ObjectKind::Release => {
            ("digest", Ids::Digests, "SELECT digest AS id, CAST(1 AS BIGINT) AS version FROM releases")
        }
        ObjectKind::Installation => ("id", Ids::Uuids, "SELECT id, version FROM installations"),
        ObjectKind::Issue => ("id", Ids::Uuids, "SELECT id, version, project_id, labels FROM issues"),
        ObjectKind::Venue => ("id", Ids::Uuids, "SELECT id, version FROM venues"),
        ObjectKind::Series => ("id", Ids::Uuids, "SELECT id, version FROM series"),
        ObjectKind::Event => ("id", Ids::Uuids, "SELECT id, version, deleted_at IS NULL AS live FROM events"),
        ObjectKind::TicketType => ("id", Ids::Uuids, "SELECT id, version FROM ticket_types"),
        ObjectKind::Pool => ("id", Ids::Uuids, "SELECT id, version FROM pools"),
        ObjectKind::Lock => ("id", Ids::Uuids, "SELECT id, version FROM pool_locks"),
        ObjectKind::Reservation => ("id", Ids::Uuids, "SELECT id, version FROM reservations"),
        ObjectKind::Ticket => ("id", Ids::Uuids, "SELECT id, version FROM tickets"),
        ObjectKind::Queue => ("event_id", Ids::Uuids, "SELECT event_id AS id, version FROM queues"),
        ObjectKind::TenantHoldRules => {
            ("tenant_id", Ids::Uuids, "SELECT tenant_id AS id, version FROM hold_rules")
        }
        ObjectKind::Booking => ("id", Ids::Uuids, "SELECT id, version FROM bookings"),
        ObjectKind::SigningKey => ("number", Ids::Numbers, "SELECT number AS id, version FROM signing_keys"),
        ObjectKind::PricingRule => ("id", Ids::Uuids, "SELECT id, version FROM pricing_rules"),
        // A quote never changes either.
        ObjectKind::Quote => ("id", Ids::Uuids, "SELECT id, CAST(1 AS BIGINT) AS version FROM quotes"),
        ObjectKind::Promotion => {
            ("id", Ids::Uuids, "SELECT id, version, deleted_at IS NULL AS live FROM promotions")
        }
    };
    Table { id, holds, select }
}

fn push_ids(query: &mut QueryBuilder<Db>, table: &Table, ids: &BTreeSet<String>) -> Result<()> {
    query.push(format_args!(" AND {} IN (", table.id));
    let mut list = query.separated(", ");
    for id in ids {
        match table.holds {
            Ids::Uuids => list.push_bind(Uuid::try_parse(id).map_err(|_| Error::stale())?),
            Ids::Texts => list.push_bind(id.clone()),
            Ids::Numbers => list.push_bind(id.parse::<i64>().map_err(|_| Error::stale())?),
            Ids::Digests => {
                list.push_bind(Digest::parse("release", id).map_err(|_| Error::stale())?.0.to_vec())
            }
        };
    }
    query.push(")");
    Ok(())
}

impl LockedRows {
    async fn take(
        &mut self,
        conn: &mut Conn,
        tenant: TenantId,
        kind: ObjectKind,
        request: &LockRequest,
    ) -> Result<()> {
        let table = table(kind);
        let mut query = QueryBuilder::<Db>::new(table.select);
        query.push(" WHERE tenant_id = ").push_bind(tenant.0);
        if !request.all {
            push_ids(&mut query, &table, &request.ids)?;
        }
        let lock = if request.written { dialect::LOCK_TO_CHANGE } else { dialect::LOCK_TO_KEEP };
        query.push(format_args!(" ORDER BY {}{lock}", table.id));
        for row in query.build().fetch_all(conn).await.map_err(db_error)? {
            self.note(kind, &row)?;
        }
        Ok(())
    }

    fn note(&mut self, kind: ObjectKind, row: &Row) -> Result<()> {
        let live = match kind {
            ObjectKind::User | ObjectKind::Project | ObjectKind::Event | ObjectKind::Promotion => {
                row.try_get("live").map_err(db_error)?
            }
            _ => true,
        };
        if !live {
            return Ok(());
        }
        let uuid = || row.try_get::<Uuid, _>("id").map_err(db_error);
        let id = match kind {
            ObjectKind::Key => row.try_get("id").map_err(db_error)?,
            ObjectKind::Release => digest(row.try_get("id").map_err(db_error)?)?.to_string(),
            ObjectKind::SigningKey => row.try_get::<i64, _>("id").map_err(db_error)?.to_string(),
            _ => uuid()?.hyphenated().to_string(),
        };
        match kind {
            ObjectKind::Tenant => {
                self.generation = Some(unsigned(row.try_get("plugins").map_err(db_error)?)?);
            }
            ObjectKind::Project => {
                let machines = unsigned(row.try_get("machines").map_err(db_error)?)?;
                self.machines.insert(id.clone(), machines);
            }
            ObjectKind::Issue => {
                let project = ProjectId(row.try_get("project_id").map_err(db_error)?);
                let Json(labels) = row.try_get("labels").map_err(db_error)?;
                self.issues.insert(IssueId(uuid()?), IssueRow { project, labels });
            }
            _ => {}
        }
        let version = unsigned(row.try_get("version").map_err(db_error)?)?;
        self.versions.insert((kind, id), version);
        Ok(())
    }

    /// Fails as stale unless the stored versions are those that the changeset was decided with.
    pub(super) fn check_versions(&self, changeset: &Changeset) -> Result<()> {
        for write in &changeset.writes {
            match write {
                Write::Update(record, stored) => {
                    let row = record.expect();
                    self.compare(row.kind, row.id, *stored)?;
                    self.check_scope(scope_of(record))?;
                }
                Write::Delete(record) => {
                    let row = record.expect();
                    self.compare(row.kind, row.id, row.version)?;
                }
                Write::Insert(Record::Installation(installation)) => self.check_scope(installation.scope)?,
                Write::Insert(record @ (Record::PricingRule(_) | Record::Promotion(_))) => {
                    self.check_scope(scope_of(record))?;
                }
                Write::NextGeneration(generation, _) if self.generation != Some(*generation) => {
                    return Err(Error::stale());
                }
                Write::Insert(_)
                | Write::ForgetProject(_)
                | Write::ForgetUser(_)
                | Write::PutComment(_)
                | Write::DropComment(..)
                | Write::AddLink(_)
                | Write::DropLink(_)
                | Write::AddWatcher(..)
                | Write::DropWatcher(..)
                | Write::PutComponent(..)
                | Write::NextGeneration(..)
                | Write::PutTimer(_)
                | Write::TakeTimer(_)
                | Write::DropTimer(..)
                | Write::PutSeats(_)
                | Write::DropSeats(..)
                | Write::ReturnUnit { .. }
                | Write::PutCheckIns(_)
                | Write::CreateCodes(_)
                | Write::FreeKeptUnits(_)
                | Write::DeleteCode(..)
                | Write::PutDisplayedPrices(_) => {}
            }
        }
        for expected in &changeset.expects {
            self.compare(expected.kind, expected.id.clone(), expected.version)?;
            if expected.machines.is_some_and(|machines| self.machines.get(&expected.id) != Some(&machines)) {
                return Err(Error::stale());
            }
        }
        Ok(())
    }

    /// Fails as stale if the project or the event of a row does not exist any more.
    fn check_scope(&self, scope: Scope) -> Result<()> {
        let live = row_of(scope).is_none_or(|row| self.versions.contains_key(&row));
        if live { Ok(()) } else { Err(Error::stale()) }
    }

    /// Returns the generation of the tenant's installations if it was locked; a new tenant has none.
    pub(super) fn generation(&self) -> u64 {
        self.generation.unwrap_or_default()
    }

    fn compare(&self, kind: ObjectKind, id: String, version: u64) -> Result<()> {
        let stored = self.versions.get(&(kind, id)).copied();
        if stored == Some(version) { Ok(()) } else { Err(Error::stale()) }
    }

    /// Returns the row of a changed issue as it was before.
    pub(super) fn issue(&self, id: IssueId) -> Result<&IssueRow> {
        self.issues.get(&id).ok_or_else(Error::stale)
    }
}
