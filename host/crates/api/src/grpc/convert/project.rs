//! Projects.

use tessera_core::Result;
use tessera_core::tracker::{ChangeProject, CreateProject, Project, ProjectUpdate};
use tessera_proto::project::v1 as pb;

use crate::grpc::convert::mask::Mask;
use crate::grpc::convert::{count, time};
use crate::request::etag_with_count;

/// A project.
#[must_use]
pub fn project(project: Project) -> pb::Project {
    pb::Project {
        project_id: project.id.to_string(),
        etag: etag_with_count(project.version, project.issue_count),
        issue_count: count(project.issue_count),
        created_at: time(project.created_at),
        updated_at: time(project.updated_at),
        custom_scheme: project.scheme.is_some(),
        name: project.name,
        description: project.description,
    }
}

/// What makes a project.
#[must_use]
pub fn create(ask: pb::CreateProjectRequest) -> CreateProject {
    CreateProject { name: ask.name, description: ask.description }
}

/// What changes a project; without a mask, all of it.
pub fn change(ask: pb::UpdateProjectRequest) -> Result<ChangeProject> {
    let mask = Mask::read(ask.update_mask, &["name", "description"], None)?;
    Ok(ChangeProject {
        name: mask.keep("name", ask.name),
        description: mask.keep("description", ask.description),
    })
}

/// How a followed project stands.
#[must_use]
pub fn update(update: ProjectUpdate) -> pb::StreamProjectUpdatesResponse {
    pb::StreamProjectUpdatesResponse {
        project_id: update.project.to_string(),
        issue_count: count(update.issue_count),
        message: update.message,
    }
}
