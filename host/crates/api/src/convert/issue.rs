//! Encodes issues.

use tessera_core::id::IssueId;
use tessera_core::tracker::{Issue, IssueDetails, OpenTransition, Project, User};
use tessera_core::{Error, Result};
use tessera_proto::issues::v1 as pb;

use crate::convert::names::number;
use crate::convert::{text, time, value};
use crate::state::etag;

/// Encodes an issue; built-in names also have a number.
#[must_use]
pub(crate) fn issue(issue: Issue) -> pb::Issue {
    pb::Issue {
        issue_id: issue.id.to_string(),
        summary: issue.summary,
        description: issue.description,
        status: number::<pb::Status>(&issue.status),
        resolution: issue.resolution.as_deref().map(number::<pb::Resolution>).unwrap_or_default(),
        r#type: number::<pb::Type>(&issue.issue_type),
        priority: number::<pb::Priority>(&issue.priority),
        project_id: issue.project.to_string(),
        assignee_id: text(issue.assignee),
        create_date: time(issue.created_at),
        modify_date: time(issue.modified_at),
        kind: issue.kind,
        status_name: issue.status,
        resolution_name: issue.resolution,
        type_name: issue.issue_type,
        priority_name: issue.priority,
        reporter_id: text(issue.reporter),
        parent_id: text(issue.parent),
        labels: issue.labels.into_iter().collect(),
        fields: value::encode_fields(&issue.fields),
        etag: etag(issue.version),
    }
}

/// Encodes an issue with its project and its assignee.
#[must_use]
pub(crate) fn details(details: IssueDetails) -> pb::GetIssueResponse {
    let project = |project: Project| pb::ProjectInfo {
        project_id: project.id.to_string(),
        name: project.name,
        description: project.description,
    };
    let user = |user: User| pb::UserInfo {
        user_id: user.id.to_string(),
        first_name: user.first_name,
        last_name: user.last_name,
        email: user.email,
    };
    pb::GetIssueResponse {
        issue: Some(issue(details.issue)),
        project_info: details.project.map(project),
        user_info: details.assignee.map(user),
    }
}

/// Encodes a transition from an issue's state.
#[must_use]
pub(crate) fn transition(move_: OpenTransition) -> pb::OpenTransition {
    pb::OpenTransition {
        name: move_.name,
        to: move_.to,
        requires: move_.requires,
        open: move_.missing.is_empty(),
        attributes: value::encode_named(&move_.attributes),
        missing: move_.missing,
    }
}

/// Encodes the result of a bulk update for one issue.
#[must_use]
pub(crate) fn verdict((id, verdict): (IssueId, Result<Issue>)) -> pb::BulkVerdict {
    let (changed, error) = match verdict {
        Ok(changed) => (Some(issue(changed)), None),
        Err(error) => (None, Some(bulk_error(&error))),
    };
    pb::BulkVerdict { issue_id: id.to_string(), issue: changed, error }
}

fn bulk_error(error: &Error) -> pb::BulkError {
    let violation = |fault: &tessera_core::Violation| pb::Violation {
        field: fault.field.clone(),
        code: fault.code.to_string(),
        message: fault.message.clone(),
        plugin: fault.plugin.clone(),
    };
    pb::BulkError {
        code: error.reason().to_owned(),
        message: error.message().to_owned(),
        violations: error.faults().iter().map(violation).collect(),
    }
}
