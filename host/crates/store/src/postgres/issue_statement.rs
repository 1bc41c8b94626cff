//! The statement that inserts the new issues of several changesets.

use std::collections::{BTreeMap, BTreeSet};

use tessera_core::access::ObjectKind;
use tessera_core::changeset::{Changeset, Guard, Record, Write};
use tessera_core::id::{IssueId, ProjectId};
use tessera_core::plugin::Timer;
use tessera_core::tracker::Issue;
use tessera_core::{Error, Result};
use uuid::Uuid;

use super::dialect;
use super::sql::rows::{Effect, RowsBuilder, Statement};
use super::sql::tracker::count::slot;
use super::sql::{idempotency, outbox};
use crate::codec::{signed, stored_fields};

/// Issues and timers that changesets insert.
#[derive(Default)]
pub(super) struct NewIssues<'a> {
    pub(super) issues: Vec<&'a Issue>,
    pub(super) timers: Vec<&'a Timer>,
}

impl<'a> NewIssues<'a> {
    /// Returns the new issues of a changeset, if it writes nothing else and depends only on rows that the statement
    /// checks.
    pub(super) fn of(changeset: &'a Changeset) -> Option<Self> {
        let mut new = Self::default();
        for write in &changeset.writes {
            match write {
                Write::Insert(Record::Issue(issue)) => new.issues.push(issue),
                Write::PutTimer(timer) => new.timers.push(timer),
                _ => return None,
            }
        }
        let checked = [ObjectKind::User, ObjectKind::Project, ObjectKind::Issue];
        let plain = changeset.expects.iter().all(|expected| checked.contains(&expected.kind))
            && new.timers.iter().all(|timer| new.has(timer.issue))
            && changeset.guards.iter().all(|guard| new.satisfies(guard));
        (plain && !new.issues.is_empty() && !changeset.facts.is_empty()).then_some(new)
    }

    fn has(&self, issue: IssueId) -> bool {
        self.issues.iter().any(|new| new.id == issue)
    }

    /// Returns whether a guard holds in any case: a new issue has only the timers of its changeset.
    fn satisfies(&self, guard: &Guard) -> bool {
        match guard {
            Guard::TimersOf(issue, most) => {
                let count = self.timers.iter().filter(|timer| timer.issue == *issue).count();
                self.has(*issue) && count <= *most
            }
            _ => false,
        }
    }
}

/// Returns the parts of the statement. Rows are locked in the order in which all changesets lock them, and before the
/// facts draw their number.
pub(super) fn parts<'a>(changesets: &[&'a Changeset], new: &NewIssues<'a>) -> Result<Vec<Statement<'a>>> {
    let NewIssues { issues, timers } = new;
    let parts = [
        lock_expected(expected_rows(changesets, ObjectKind::User)?, "users", || {
            lock_sql("users", "u.deleted_at IS NULL")
        }),
        lock_expected(expected_rows(changesets, ObjectKind::Project)?, "projects", || {
            lock_sql("projects", "u.deleted_at IS NULL AND u.machines = COALESCE(v.machines, u.machines)")
        }),
        lock_expected(
            timers.iter().map(|timer| (timer.installation.0, None, None)).collect(),
            "installations",
            || lock_sql("installations", "TRUE"),
        ),
        lock_expected(expected_rows(changesets, ObjectKind::Issue)?, "issues", || lock_sql("issues", "TRUE")),
        idempotency::claims(changesets.iter().filter_map(|changeset| changeset.claim.as_ref()))?,
        counts(issues),
        inserted(issues)?,
        labels(issues),
        set(timers),
        outbox::all_at_once(changesets.iter().flat_map(|changeset| &changeset.facts))?,
    ];
    Ok(parts.into_iter().filter(|part| part.count() > 0).collect())
}

/// Ids of rows with the expected version and generation of state machines.
type Expected = BTreeSet<(Uuid, Option<i64>, Option<i64>)>;

/// Returns the rows of a kind that changesets depend on.
fn expected_rows(changesets: &[&Changeset], kind: ObjectKind) -> Result<Expected> {
    let all = changesets.iter().flat_map(|changeset| &changeset.expects);
    all.filter(|expected| expected.kind == kind)
        .map(|expected| {
            let id = Uuid::try_parse(&expected.id).map_err(|_| Error::stale())?;
            Ok((id, Some(signed(expected.version)), expected.machines.map(signed)))
        })
        .collect()
}

/// Locks rows in the order of their ids, if they have the expected versions.
fn lock_expected(expected: Expected, name: &'static str, sql: fn() -> String) -> Statement<'static> {
    let rows = RowsBuilder::new(expected)
        .ids("id", |(id, ..)| id)
        .numbers("version", |(_, version, _)| version)
        .numbers("machines", |(.., machines)| machines)
        .rows();
    Statement::new(name, Effect::Locks, rows, sql)
}

fn lock_sql(table: &str, condition: &str) -> String {
    format!(
        "SELECT 1 FROM {table} u JOIN $rows ON u.id = v.id WHERE u.tenant_id = $1 AND {}
         AND u.version = COALESCE(v.version, u.version) AND {condition} ORDER BY u.id{} OF u",
        dialect::of_rows("u.id", "id"),
        dialect::LOCK_TO_KEEP,
    )
}

fn counts<'a>(issues: &[&'a Issue]) -> Statement<'a> {
    let mut counts: BTreeMap<(ProjectId, u8), i64> = BTreeMap::new();
    for issue in issues {
        *counts.entry((issue.project, slot(issue.id))).or_default() += 1;
    }
    let rows = RowsBuilder::new(&counts)
        .ids("project_id", |((project, _), _): (&(ProjectId, u8), &i64)| project.0)
        .numbers("slot", |((_, slot), _)| i64::from(*slot))
        .numbers("issues", |(_, more)| *more)
        .rows();
    Statement::new("counts", Effect::Expects, rows, || {
        "INSERT INTO project_counts (tenant_id, $columns) SELECT $1, $values FROM $rows WHERE TRUE
         ON CONFLICT (tenant_id, project_id, slot) DO UPDATE SET issues = project_counts.issues + excluded.issues"
            .to_owned()
    })
}

fn inserted<'a>(issues: &[&'a Issue]) -> Result<Statement<'a>> {
    let rows = RowsBuilder::new(issues.iter().copied())
        .ids("id", |issue: &Issue| issue.id.0)
        .ids("project_id", |issue| issue.project.0)
        .texts("kind", |issue| issue.kind.as_str())
        .texts("summary", |issue| issue.summary.as_str())
        .texts("description", |issue| issue.description.as_deref())
        .texts("status", |issue| issue.status.as_str())
        .texts("resolution", |issue| issue.resolution.as_deref())
        .texts("issue_type", |issue| issue.issue_type.as_str())
        .texts("priority", |issue| issue.priority.as_str())
        .ids("assignee_id", |issue| issue.assignee.map(|user| user.0))
        .ids("reporter_id", |issue| issue.reporter.map(|user| user.0))
        .ids("parent_id", |issue| issue.parent.map(|parent| parent.0))
        .jsons("labels", |issue| &issue.labels)?
        .jsons("fields", |issue| stored_fields(&issue.fields))?
        .moments("created_at", |issue| issue.created_at)
        .moments("modified_at", |issue| issue.modified_at)
        .numbers("version", |issue| signed(issue.version))
        .rows();
    Ok(Statement::new("new issues", Effect::Inserts, rows, || {
        "INSERT INTO issues (tenant_id, parent_at, $columns)
         SELECT $1, CASE WHEN v.parent_id IS NOT NULL THEN v.modified_at END, $values FROM $rows WHERE TRUE"
            .to_owned()
    }))
}

fn labels<'a>(issues: &[&'a Issue]) -> Statement<'a> {
    let each = issues.iter().flat_map(|issue| issue.labels.iter().map(|label| (issue.id, label.as_str())));
    let rows = RowsBuilder::new(each)
        .ids("issue_id", |(issue, _)| issue.0)
        .texts("label", |(_, label)| label)
        .rows();
    Statement::new("labels", Effect::Inserts, rows, || {
        "INSERT INTO issue_labels (tenant_id, $columns) SELECT $1, $values FROM $rows WHERE TRUE".to_owned()
    })
}

fn set<'a>(timers: &[&'a Timer]) -> Statement<'a> {
    let rows = RowsBuilder::new(timers.iter().copied())
        .ids("issue_id", |timer: &Timer| timer.issue.0)
        .ids("installation_id", |timer| timer.installation.0)
        .texts("name", |timer| timer.name.as_str())
        .moments("at", |timer| timer.at)
        .numbers("generation", |timer| signed(timer.generation))
        .numbers("failures", |timer| i64::from(timer.failures))
        .texts("last_failure", |timer| timer.last_failure.as_deref())
        .rows();
    Statement::new("timers", Effect::Inserts, rows, || {
        "INSERT INTO timers (tenant_id, $columns) SELECT $1, $values FROM $rows WHERE TRUE".to_owned()
    })
}
