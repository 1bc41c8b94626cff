//! Projects.

use tessera_core::Result;
use tessera_core::tracker::{ChangeProject, CreateProject, Project, ProjectUpdate};
use tessera_proto::project::v1 as pb;

use crate::convert::mask::Mask;
use crate::convert::{time, to_i32};
use crate::state::etag_with_count;

/// Encodes a project.
#[must_use]
pub(crate) fn project(project: Project) -> pb::Project {
    pb::Project {
        project_id: project.id.to_string(),
        etag: etag_with_count(project.version, project.issue_count),
        issue_count: to_i32(project.issue_count),
        created_at: time(project.created_at),
        updated_at: time(project.updated_at),
        custom_scheme: project.scheme.is_some(),
        name: project.name,
        description: project.description,
    }
}

/// Reads a request to create a project.
#[must_use]
pub(crate) fn create(request: pb::CreateProjectRequest) -> CreateProject {
    CreateProject { name: request.name, description: request.description }
}

/// Reads an update of a project; without a mask, every field changes.
pub(crate) fn change(request: pb::UpdateProjectRequest) -> Result<ChangeProject> {
    let mask = Mask::read(request.update_mask, &["name", "description"], None)?;
    Ok(ChangeProject {
        name: mask.keep("name", request.name),
        description: mask.keep("description", request.description),
    })
}

/// Encodes an update of a followed project.
#[must_use]
pub(crate) fn update(update: ProjectUpdate) -> pb::StreamProjectUpdatesResponse {
    pb::StreamProjectUpdatesResponse {
        project_id: update.project.to_string(),
        issue_count: to_i32(update.issue_count),
        message: update.message,
    }
}
