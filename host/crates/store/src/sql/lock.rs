//! Locks all rows that a changeset writes or depends on, in one order (kind, id), and compares their
//! versions with those that it was decided by. A row that is marked as deleted counts as absent.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::access::ObjectKind;
use tessera_core::changeset::{Changeset, Versioned, Write};
use tessera_core::id::{IssueId, ProjectId, TenantId};
use tessera_core::{Error, Result};
use uuid::Uuid;

use super::{Conn, Db, Row, dialect};
use crate::codec::unsigned;
use crate::error::fault;

/// The locked rows as they were before the changeset.
#[derive(Default)]
pub(super) struct Held {
    versions: HashMap<(ObjectKind, String), u64>,
    issues: HashMap<IssueId, IssueBefore>,
}

/// What the parts of an issue that are stored elsewhere are derived from.
pub(super) struct IssueBefore {
    pub(super) project: ProjectId,
    pub(super) labels: BTreeSet<String>,
}

/// Rows of one kind.
#[derive(Default)]
struct Wanted {
    ids: BTreeSet<String>,
    written: bool,
}

/// Locks the rows.
pub(super) async fn rows(conn: &mut Conn, changeset: &Changeset) -> Result<Held> {
    let mut held = Held::default();
    // The map is in the order of `ObjectKind::ALL`, the sets in that of the ids.
    for (kind, wanted) in wanted(changeset) {
        held.take(conn, changeset.tenant, kind, &wanted).await?;
    }
    Ok(held)
}

fn wanted(changeset: &Changeset) -> BTreeMap<ObjectKind, Wanted> {
    let mut wanted: BTreeMap<ObjectKind, Wanted> = BTreeMap::new();
    for write in &changeset.writes {
        if let Write::Update(record) | Write::Delete(record) = write {
            let row = record.expect();
            let kind = wanted.entry(row.kind).or_default();
            kind.ids.insert(row.id);
            kind.written = true;
        }
    }
    for expected in &changeset.expects {
        wanted.entry(expected.kind).or_default().ids.insert(expected.id.clone());
    }
    wanted
}

impl Held {
    async fn take(
        &mut self,
        conn: &mut Conn,
        tenant: TenantId,
        kind: ObjectKind,
        wanted: &Wanted,
    ) -> Result<()> {
        let (id, text_ids, select) = match kind {
            ObjectKind::Tenant => ("tenant_id", false, "SELECT tenant_id AS id, version FROM tenants"),
            ObjectKind::Key => ("id", true, "SELECT id, version FROM api_keys"),
            ObjectKind::User => ("id", false, "SELECT id, version, deleted_at IS NULL AS live FROM users"),
            ObjectKind::Project => {
                ("id", false, "SELECT id, version, deleted_at IS NULL AS live FROM projects")
            }
            ObjectKind::Issue => ("id", false, "SELECT id, version, project_id, labels FROM issues"),
        };
        let mut query = QueryBuilder::<Db>::new(select);
        query.push(" WHERE tenant_id = ").push_bind(tenant.0);
        query.push(format_args!(" AND {id} IN ("));
        let mut list = query.separated(", ");
        for id in &wanted.ids {
            if text_ids {
                list.push_bind(id.clone());
            } else {
                list.push_bind(Uuid::try_parse(id).map_err(|_| Error::stale())?);
            }
        }
        let lock = if wanted.written { dialect::LOCK_TO_CHANGE } else { dialect::LOCK_TO_KEEP };
        query.push(format_args!(") ORDER BY {id}{lock}"));
        for row in query.build().fetch_all(conn).await.map_err(fault)? {
            self.note(kind, &row)?;
        }
        Ok(())
    }

    fn note(&mut self, kind: ObjectKind, row: &Row) -> Result<()> {
        let live = match kind {
            ObjectKind::User | ObjectKind::Project => row.try_get("live").map_err(fault)?,
            ObjectKind::Tenant | ObjectKind::Key | ObjectKind::Issue => true,
        };
        if !live {
            return Ok(());
        }
        let id = match kind {
            ObjectKind::Key => row.try_get::<String, _>("id").map_err(fault)?,
            ObjectKind::Tenant | ObjectKind::User | ObjectKind::Project | ObjectKind::Issue => {
                row.try_get::<Uuid, _>("id").map_err(fault)?.hyphenated().to_string()
            }
        };
        if kind == ObjectKind::Issue {
            let project = ProjectId(row.try_get("project_id").map_err(fault)?);
            let Json(labels) = row.try_get("labels").map_err(fault)?;
            let id = IssueId(row.try_get("id").map_err(fault)?);
            self.issues.insert(id, IssueBefore { project, labels });
        }
        let version = unsigned(row.try_get("version").map_err(fault)?)?;
        self.versions.insert((kind, id), version);
        Ok(())
    }

    /// Refuses a changeset that was decided by anything else than what is stored.
    pub(super) fn judge(&self, changeset: &Changeset) -> Result<()> {
        for write in &changeset.writes {
            let (record, older) = match write {
                Write::Update(record) => (record, 1),
                Write::Delete(record) => (record, 0),
                Write::Insert(_)
                | Write::ForgetProject(_)
                | Write::ForgetUser(_)
                | Write::PutComment(_)
                | Write::DropComment(..)
                | Write::AddLink(_)
                | Write::DropLink(_)
                | Write::AddWatcher(..)
                | Write::DropWatcher(..) => continue,
            };
            let row = record.expect();
            self.compare(row.kind, row.id, row.version.saturating_sub(older))?;
        }
        for expected in &changeset.expects {
            self.compare(expected.kind, expected.id.clone(), expected.version)?;
        }
        Ok(())
    }

    fn compare(&self, kind: ObjectKind, id: String, version: u64) -> Result<()> {
        let stored = self.versions.get(&(kind, id)).copied();
        if stored == Some(version) { Ok(()) } else { Err(Error::stale()) }
    }

    /// An issue that the changeset changes, as it was.
    pub(super) fn issue(&self, id: IssueId) -> Result<&IssueBefore> {
        self.issues.get(&id).ok_or_else(Error::stale)
    }
}
