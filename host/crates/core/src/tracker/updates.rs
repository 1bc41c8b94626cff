//! Streams of updates of projects: the number of their issues.

use std::collections::BTreeSet;

use crate::access::{ObjectKind, Operation};
use crate::app::App;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ProjectId;
use crate::outbox::{Fact, Subscription};
use crate::value::Value;

/// The most projects that one stream follows.
pub const MAX_FOLLOWED: usize = 100;

/// An update of a project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProjectUpdate {
    /// The project.
    pub project: ProjectId,
    /// The number of its issues.
    pub issue_count: u64,
    /// The reason of the update.
    pub message: String,
}

/// A stream of updates of the projects that it follows.
pub struct ProjectUpdates {
    app: App,
    ctx: Ctx,
    facts: Subscription,
    followed: BTreeSet<ProjectId>,
    due: Vec<(ProjectId, String)>,
}

impl ProjectUpdates {
    /// Opens a stream that follows no project yet.
    pub async fn open(app: &App, ctx: &Ctx) -> Result<Self> {
        ctx.allow(Operation::ProjectStream)?;
        let facts = app.facts.follow(ctx);
        Ok(Self { app: app.clone(), ctx: ctx.clone(), facts, followed: BTreeSet::new(), due: Vec::new() })
    }

    /// Follows a project from now on, and returns its present state.
    pub async fn subscribe(&mut self, project: ProjectId) -> Result<ProjectUpdate> {
        let update = self.present(project, "subscribed").await?;
        if self.followed.len() >= MAX_FOLLOWED && !self.followed.contains(&project) {
            return Err(Error::invalid(
                "project_id",
                format!("would exceed the maximum of {MAX_FOLLOWED} projects"),
            ));
        }
        self.followed.insert(project);
        Ok(update)
    }

    /// Returns the present state of a project.
    pub async fn present(&self, project: ProjectId, message: &str) -> Result<ProjectUpdate> {
        let stored = self.app.projects.get(&self.ctx, project).await?;
        Ok(ProjectUpdate { project, issue_count: stored.issue_count, message: message.to_owned() })
    }

    /// Waits for updates of followed projects, and returns at least one. Cancel-safe: updates stay due until they
    /// are returned.
    pub async fn next(&mut self) -> Result<Vec<ProjectUpdate>> {
        while self.due.is_empty() {
            let facts = self.facts.next().await?;
            if facts.is_empty() {
                return Ok(Vec::new());
            }
            for fact in &facts {
                self.enqueue(fact);
            }
        }
        let mut updates = Vec::with_capacity(self.due.len());
        for (project, message) in &self.due {
            match self.present(*project, message).await {
                Ok(update) => updates.push(update),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    updates.push(ProjectUpdate {
                        project: *project,
                        issue_count: 0,
                        message: message.clone(),
                    });
                }
                Err(error) => return Err(error),
            }
        }
        self.due.clear();
        Ok(updates)
    }

    /// Enqueues the projects of a fact. A project that is due already is returned once, with the newest message.
    fn enqueue(&mut self, fact: &Fact) {
        for project in projects_of(fact).intersection(&self.followed) {
            self.due.retain(|(due, _)| due != project);
            self.due.push((*project, fact.body.fact_type.to_string()));
        }
    }
}

/// The projects whose count or description a fact may have changed.
fn projects_of(fact: &Fact) -> BTreeSet<ProjectId> {
    let what = &fact.body;
    let counts = matches!(&*what.fact_type, "issue.created" | "issue.deleted" | "issue.moved");
    if !counts && what.object.kind != ObjectKind::Project {
        return BTreeSet::new();
    }
    let mut projects: BTreeSet<_> = what.project.into_iter().collect();
    for change in what.changes.iter().filter(|change| change.field == "project_id") {
        if let Value::Text(id) = &change.before {
            projects.extend(ProjectId::parse("project_id", id));
        }
    }
    projects
}
