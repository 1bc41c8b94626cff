//! Operations on projects and their schemes.

use std::sync::Arc;

use crate::access::{ObjectKind, Operation};
use crate::cache::CachedReads;
use crate::changeset::{Changeset, Guard};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ProjectId;
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::tracker::issue::KIND;
use crate::tracker::{Project, Scheme};
use crate::value::diff;

/// The command that creates a project.
#[derive(Clone, Hash, Debug)]
pub struct CreateProject {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
}

/// The command that changes a project; `None` keeps a value.
#[derive(Clone, Hash, Debug, Default)]
pub struct ChangeProject {
    /// Its name.
    pub name: Option<String>,
    /// Its description.
    pub description: Option<String>,
}

/// Performs the operations on projects.
#[derive(Clone)]
pub struct Projects {
    store: Arc<dyn Store>,
    reads: Arc<CachedReads>,
    commands: Commands,
}

impl Projects {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, reads: Arc<CachedReads>, commands: Commands) -> Self {
        Self { store, reads, commands }
    }

    /// Creates a project.
    pub async fn create(&self, ctx: &Ctx, command: CreateProject) -> Result<Project> {
        let decide = || async {
            let project = Project {
                id: ProjectId::generate(),
                name: command.name.clone(),
                description: command.description.clone(),
                scheme: None,
                machines: 0,
                issue_count: 0,
                created_at: ctx.now,
                updated_at: ctx.now,
                version: 1,
            };
            project.check()?;
            let fact = fact(ctx, "project.created", None, &project);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).insert(project.clone()), project))
        };
        self.commands.run(ctx, Operation::ProjectCreate, &command, decide).await
    }

    /// Returns a project with the number of its issues.
    pub async fn get(&self, ctx: &Ctx, id: ProjectId) -> Result<Project> {
        ctx.allow(Operation::ProjectGet)?;
        self.load(ctx, id).await
    }

    /// Lists projects.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Project>> {
        ctx.allow(Operation::ProjectList)?;
        self.store.projects(ctx.tenant, page).await
    }

    /// Changes a project.
    pub async fn update(&self, ctx: &Ctx, id: ProjectId, command: ChangeProject) -> Result<Project> {
        let decide = || async {
            let before = self.load(ctx, id).await?;
            ctx.check_version(before.version)?;
            let ChangeProject { name, description } = command.clone();
            let after = Project {
                name: name.unwrap_or_else(|| before.name.clone()),
                description: description.unwrap_or_else(|| before.description.clone()),
                ..before.clone()
            };
            after.check()?;
            Ok(changed(ctx, "project.updated", &before, after, |changeset| changeset))
        };
        self.commands.run(ctx, Operation::ProjectUpdate, &(id, &command, &ctx.if_version), decide).await
    }

    /// Deletes a project, with its issues if `with_issues`; otherwise it must have none. It is invisible at once,
    /// and its issues are purged in slices.
    pub async fn delete(&self, ctx: &Ctx, id: ProjectId, with_issues: bool) -> Result<()> {
        let decide = || async {
            let project = self.load(ctx, id).await?;
            ctx.check_version(project.version)?;
            let mut changeset = Changeset::new(ctx);
            if !with_issues {
                if project.issue_count > 0 {
                    let count = project.issue_count;
                    let message =
                        format!("the project has {count} issues; set delete_issues to delete them too");
                    return Err(Error::new(ErrorKind::Precondition, "PROJECT_NOT_EMPTY", message));
                }
                changeset = changeset.guard(Guard::ProjectIsEmpty(id));
            }
            let object = object(&project, project.version + 1);
            let changes = diff(Some(&project), None);
            let fact = NewFact::new(ctx, "project.deleted", object, changes).in_project(id);
            Ok(Decision::change(changeset.fact(fact).delete(project), ()))
        };
        let command = (id, with_issues, &ctx.if_version);
        self.commands.run(ctx, Operation::ProjectDelete, &command, decide).await
    }

    /// Returns a project with its scheme.
    pub async fn scheme(&self, ctx: &Ctx, id: ProjectId) -> Result<Project> {
        ctx.allow(Operation::SchemeGet)?;
        self.load(ctx, id).await
    }

    /// Sets a scheme for a project. One that lacks names in use is refused with the counts.
    pub async fn set_scheme(&self, ctx: &Ctx, id: ProjectId, scheme: Scheme) -> Result<Project> {
        let scheme = Arc::new(scheme);
        let decide = || async {
            scheme.check()?;
            self.replace_scheme(ctx, id, Some(Arc::clone(&scheme))).await
        };
        self.commands.run(ctx, Operation::SchemeSet, &(id, &scheme, &ctx.if_version), decide).await
    }

    /// Resets the scheme to the built-in one.
    pub async fn reset_scheme(&self, ctx: &Ctx, id: ProjectId) -> Result<Project> {
        let decide = || self.replace_scheme(ctx, id, None);
        self.commands.run(ctx, Operation::SchemeReset, &(id, &ctx.if_version), decide).await
    }

    async fn replace_scheme(
        &self,
        ctx: &Ctx,
        id: ProjectId,
        scheme: Option<Arc<Scheme>>,
    ) -> Result<Decision<Project>> {
        let before = self.load(ctx, id).await?;
        ctx.check_version(before.version)?;
        let after = Project { scheme, ..before.clone() };
        // If a plugin owns the state machine, its states apply instead of the scheme's.
        let active = self.reads.active_installations(ctx.tenant, after.machines).await?;
        let effective = active.scheme(&after, KIND);
        effective.check_usage(&self.store.usage(ctx.tenant, id).await?)?;
        let guard = Guard::SchemeFits(id, effective);
        Ok(changed(ctx, "project.scheme_changed", &before, after, |changeset| {
            changeset.guard(guard).expect_machine(&before)
        }))
    }

    async fn load(&self, ctx: &Ctx, id: ProjectId) -> Result<Project> {
        self.store.project(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("project"))
    }
}

fn changed(
    ctx: &Ctx,
    fact_type: &'static str,
    before: &Project,
    mut after: Project,
    more: impl FnOnce(Changeset) -> Changeset,
) -> Decision<Project> {
    if after == *before {
        return Decision::nothing(after);
    }
    after.version += 1;
    after.updated_at = ctx.now;
    let fact = fact(ctx, fact_type, Some(before), &after);
    Decision::change(more(Changeset::new(ctx)).fact(fact).update(after.clone()), after)
}

fn object(project: &Project, version: u64) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Project, id: project.id.to_string(), version }
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Project>, after: &Project) -> NewFact {
    NewFact::new(ctx, fact_type, object(after, after.version), diff(before, Some(after))).in_project(after.id)
}
