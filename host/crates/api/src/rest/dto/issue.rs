//! Issues as JSON: what is shown of them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use tessera_core::tracker::{Issue, IssueDetails, OpenTransition, Project, User};
use tessera_core::{Error, id::IssueId};
use utoipa::ToSchema;

use crate::json;
use crate::request::etag;
use crate::rest::dto::text;
use crate::rest::error::ViolationBody;
use crate::rest::plugin_json::encode_fields;

/// An issue.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssueBody {
    /// Its id.
    pub issue_id: String,
    /// What it is about, in a line.
    pub summary: String,
    /// What it is about.
    pub description: Option<String>,
    /// Its state.
    pub status: String,
    /// How it ended; only in a state where work is over.
    pub resolution: Option<String>,
    /// What sort of work it is.
    #[serde(rename = "type")]
    pub issue_type: String,
    /// How urgent it is.
    pub priority: String,
    /// Its project.
    pub project_id: String,
    /// Who works on it.
    pub assignee_id: Option<String>,
    /// When it was made.
    pub create_date: String,
    /// When it was last changed.
    pub modify_date: String,
    /// `issue`, or another kind that shares its life.
    pub kind: String,
    /// Who reported it, where the key stood for a user.
    pub reporter_id: Option<String>,
    /// The issue that it is a part of.
    pub parent_id: Option<String>,
    /// Its labels.
    pub labels: Vec<String>,
    /// Fields of the project's own, by name.
    pub fields: BTreeMap<String, Json>,
    /// Names this version, for `If-Match`.
    pub etag: String,
}

/// An issue that was changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssueChanged {
    /// What was done.
    pub message: String,
    /// The issue.
    pub issue: IssueBody,
}

/// One issue.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssueAnswer {
    /// The issue.
    pub issue: IssueBody,
    /// Its project; only with `include_details`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_info: Option<ProjectInfo>,
    /// Who works on it; only with `include_details`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_info: Option<UserInfo>,
}

/// An issue's project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectInfo {
    /// Its id.
    pub project_id: String,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
}

/// An issue's assignee.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserInfo {
    /// Its id.
    pub user_id: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Address.
    pub email: String,
}

/// A page of issues.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuesPage {
    /// The issues.
    pub issues: Vec<IssueBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// A move that leaves an issue's state.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenTransitionBody {
    /// Its name.
    pub name: String,
    /// Where it leads.
    pub to: String,
    /// Fields that it requires.
    pub requires: Vec<String>,
    /// Whether nothing is missing.
    pub open: bool,
    /// Required fields that the issue does not hold yet; they may be given with the move.
    pub missing: Vec<String>,
    /// What else its machine says of it.
    pub attributes: BTreeMap<String, Json>,
}

/// The moves that leave an issue's state.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransitionsAnswer {
    /// The moves.
    pub transitions: Vec<OpenTransitionBody>,
}

/// What became of each issue of a bulk update.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkAnswer {
    /// The verdicts, in the order of the request.
    pub verdicts: Vec<BulkVerdict>,
}

/// What became of one issue: the issue, or an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkVerdict {
    /// Its id.
    pub issue_id: String,
    /// The issue as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<IssueBody>,
    /// Why it was not changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<BulkError>,
}

/// Why one issue was not changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkError {
    /// Stable, for programs.
    pub code: String,
    /// For a person.
    pub message: String,
    /// Each fault.
    pub violations: Vec<ViolationBody>,
}

impl From<Issue> for IssueBody {
    fn from(issue: Issue) -> Self {
        Self {
            issue_id: issue.id.to_string(),
            summary: issue.summary,
            description: issue.description,
            status: issue.status,
            resolution: issue.resolution,
            issue_type: issue.issue_type,
            priority: issue.priority,
            project_id: issue.project.to_string(),
            assignee_id: text(issue.assignee),
            create_date: issue.created_at.to_string(),
            modify_date: issue.modified_at.to_string(),
            kind: issue.kind,
            reporter_id: text(issue.reporter),
            parent_id: text(issue.parent),
            labels: issue.labels.into_iter().collect(),
            fields: issue.fields.iter().map(|(name, value)| (name.clone(), json::encode(value))).collect(),
            etag: etag(issue.version),
        }
    }
}

impl From<Issue> for IssueAnswer {
    fn from(issue: Issue) -> Self {
        Self { issue: issue.into(), project_info: None, user_info: None }
    }
}

impl From<IssueDetails> for IssueAnswer {
    fn from(details: IssueDetails) -> Self {
        let project = |project: Project| ProjectInfo {
            project_id: project.id.to_string(),
            name: project.name,
            description: project.description,
        };
        let user = |user: User| UserInfo {
            user_id: user.id.to_string(),
            first_name: user.first_name,
            last_name: user.last_name,
            email: user.email,
        };
        Self {
            issue: details.issue.into(),
            project_info: details.project.map(project),
            user_info: details.assignee.map(user),
        }
    }
}

impl From<OpenTransition> for OpenTransitionBody {
    fn from(move_: OpenTransition) -> Self {
        Self {
            name: move_.name,
            to: move_.to,
            requires: move_.requires,
            open: move_.missing.is_empty(),
            attributes: encode_fields(&move_.attributes),
            missing: move_.missing,
        }
    }
}

impl From<(IssueId, Result<Issue, Error>)> for BulkVerdict {
    fn from((id, verdict): (IssueId, Result<Issue, Error>)) -> Self {
        let issue_id = id.to_string();
        match verdict {
            Ok(issue) => Self { issue_id, issue: Some(issue.into()), error: None },
            Err(error) => Self { issue_id, issue: None, error: Some((&error).into()) },
        }
    }
}

impl From<&Error> for BulkError {
    fn from(error: &Error) -> Self {
        Self {
            code: error.reason().to_owned(),
            message: error.message().to_owned(),
            violations: error.faults().iter().map(Into::into).collect(),
        }
    }
}
