//! Projects as JSON.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::text::Faults;
use tessera_core::tracker::{ChangeProject, CreateProject, Project, ProjectUpdate};
use utoipa::ToSchema;

use crate::request::etag_with_count;
use crate::rest::dto::patch::Patch;

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectBody {
    /// Its id.
    pub project_id: String,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// How many issues it has.
    pub issue_count: u64,
    /// Whether it has a scheme of its own.
    pub custom_scheme: bool,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Names this version and count, for `If-Match` and `If-None-Match`.
    pub etag: String,
}

/// What makes a project, or replaces all of it but its scheme.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteProject {
    /// 1 to 100 ASCII letters, digits, spaces, `_` and `-`.
    #[serde(default)]
    #[schema(required = true)]
    pub name: String,
    /// At most 1,000 characters.
    #[serde(default)]
    pub description: String,
}

/// What changes a project; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectPatch {
    /// 1 to 100 ASCII letters, digits, spaces, `_` and `-`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// At most 1,000 characters; null empties it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
}

/// One project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectAnswer {
    /// The project.
    pub project: ProjectBody,
}

/// A page of projects.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectsPage {
    /// The projects.
    pub projects: Vec<ProjectBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// The issue to move into a project.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectIssueBody {
    /// The issue.
    pub issue_id: String,
}

/// How many issues a project has now.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectCount {
    /// The project.
    pub project_id: String,
    /// How many issues it has.
    pub issue_count: u64,
    /// What happened.
    pub message: String,
}

/// What a client says on a project's WebSocket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectCommand {
    /// `subscribe` follows a project; `update` asks for its present count.
    pub action: String,
    /// The project.
    pub project_id: String,
}

impl From<Project> for ProjectBody {
    fn from(project: Project) -> Self {
        Self {
            project_id: project.id.to_string(),
            etag: etag_with_count(project.version, project.issue_count),
            name: project.name,
            description: project.description,
            issue_count: project.issue_count,
            custom_scheme: project.scheme.is_some(),
            created_at: project.created_at.to_string(),
            updated_at: project.updated_at.to_string(),
        }
    }
}

impl From<ProjectUpdate> for ProjectCount {
    fn from(update: ProjectUpdate) -> Self {
        Self {
            project_id: update.project.to_string(),
            issue_count: update.issue_count,
            message: update.message,
        }
    }
}

impl From<WriteProject> for CreateProject {
    fn from(body: WriteProject) -> Self {
        Self { name: body.name, description: body.description }
    }
}

impl From<WriteProject> for ChangeProject {
    fn from(body: WriteProject) -> Self {
        Self { name: Some(body.name), description: Some(body.description) }
    }
}

impl ProjectPatch {
    /// The command.
    pub fn command(self) -> Result<ChangeProject> {
        let mut faults = Faults::default();
        let command = ChangeProject {
            name: self.name.kept("name", &mut faults),
            description: self.description.optional().map(Option::unwrap_or_default),
        };
        faults.into_result().map(|()| command)
    }
}
