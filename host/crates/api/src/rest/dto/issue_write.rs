//! Issues as JSON: what clients write.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use tessera_core::id::{IssueId, ProjectId, UserId};
use tessera_core::text::Faults;
use tessera_core::tracker::{BulkChange, ChangeIssue, CreateIssue};
use tessera_core::{Ctx, Result};
use utoipa::ToSchema;

use crate::json;
use crate::rest::dto::patch::Patch;

/// What makes an issue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateIssueBody {
    /// What it is about, in a line: 1 to 100 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub summary: String,
    /// What it is about: at most 500 characters.
    #[serde(default)]
    pub description: Option<String>,
    /// What sort of work; absent: the scheme's default.
    #[serde(default, rename = "type")]
    pub issue_type: Option<String>,
    /// How urgent; absent: the scheme's default.
    #[serde(default)]
    pub priority: Option<String>,
    /// Where it will live.
    #[serde(default)]
    #[schema(required = true)]
    pub project_id: String,
    /// Who works on it: a user's id, or `me`.
    #[serde(default)]
    pub assignee_id: Option<String>,
    /// The issue that it is a part of.
    #[serde(default)]
    pub parent_id: Option<String>,
    /// Its labels, at most 50.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Fields of the project's own, by name.
    #[serde(default)]
    pub fields: BTreeMap<String, Json>,
}

/// What an issue becomes. Absent `description`, `resolution` and `assignee_id` are cleared; labels, links
/// and fields that are not named stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceIssueBody {
    /// What it is about, in a line: 1 to 100 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub summary: String,
    /// What it is about: at most 500 characters.
    #[serde(default)]
    pub description: Option<String>,
    /// Its state; a move must lead there from the present one.
    #[serde(default)]
    #[schema(required = true)]
    pub status: String,
    /// How it ended.
    #[serde(default)]
    pub resolution: Option<String>,
    /// What sort of work it is.
    #[serde(default, rename = "type")]
    #[schema(required = true)]
    pub issue_type: String,
    /// How urgent it is.
    #[serde(default)]
    #[schema(required = true)]
    pub priority: String,
    /// Who works on it: a user's id, or `me`.
    #[serde(default)]
    pub assignee_id: Option<String>,
    /// Fields of the project's own, by name; null takes one away.
    #[serde(default)]
    pub fields: BTreeMap<String, Json>,
}

/// What changes an issue; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuePatch {
    /// What it is about, in a line: 1 to 100 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub summary: Patch<String>,
    /// What it is about: at most 500 characters; null removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
    /// The state to move to.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub status: Patch<String>,
    /// How it ended; null removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub resolution: Patch<String>,
    /// What sort of work it is.
    #[serde(default, rename = "type")]
    #[schema(value_type = Option<String>)]
    pub issue_type: Patch<String>,
    /// How urgent it is.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub priority: Patch<String>,
    /// Who works on it: a user's id, or `me`; null: nobody.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub assignee_id: Patch<String>,
    /// Fields of the project's own, by name; null takes one away.
    #[serde(default)]
    pub fields: BTreeMap<String, Json>,
}

/// A move along the machine: by its name, or by the state that it leads to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransitionIssueBody {
    /// The move's name.
    #[serde(default)]
    pub transition: Option<String>,
    /// The state to move to; instead of the move's name.
    #[serde(default)]
    pub status: Option<String>,
    /// How the issue ended.
    #[serde(default)]
    pub resolution: Option<String>,
}

/// Who works on an issue from now on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignIssueBody {
    /// A user's id, or `me`; null or empty: nobody.
    #[serde(default)]
    pub assignee_id: Option<String>,
}

/// What is done to several issues alike.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkIssuesBody {
    /// 1 to 100 issues.
    #[serde(default)]
    #[schema(required = true)]
    pub issue_ids: Vec<String>,
    /// What becomes of each.
    #[serde(default)]
    #[schema(required = true)]
    pub change: BulkChangeBody,
}

/// What becomes of each issue; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkChangeBody {
    /// The state to move to.
    #[serde(default)]
    pub status: Option<String>,
    /// How it ended.
    #[serde(default)]
    pub resolution: Option<String>,
    /// What sort of work it is.
    #[serde(default, rename = "type")]
    pub issue_type: Option<String>,
    /// How urgent it is.
    #[serde(default)]
    pub priority: Option<String>,
    /// Who works on it: a user's id, or `me`; null: nobody.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub assignee_id: Patch<String>,
    /// Labels to put on.
    #[serde(default)]
    pub add_labels: Vec<String>,
    /// Labels to take off.
    #[serde(default)]
    pub remove_labels: Vec<String>,
}

/// The user that a client named in `field`: an id, or `me`.
pub fn user_named(ctx: &Ctx, field: &str, text: &str) -> Result<UserId> {
    if text == "me" { ctx.me(field) } else { UserId::parse(field, text) }
}

/// The user that a client named in `field`; empty: nobody.
pub fn user_or_nobody(ctx: &Ctx, field: &str, text: Option<&str>) -> Result<Option<UserId>> {
    text.filter(|text| !text.is_empty()).map(|text| user_named(ctx, field, text)).transpose()
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

impl CreateIssueBody {
    /// The command.
    pub fn command(self, ctx: &Ctx) -> Result<CreateIssue> {
        let parent = given(self.parent_id);
        Ok(CreateIssue {
            project: ProjectId::parse("project_id", &self.project_id)?,
            summary: self.summary,
            description: self.description,
            issue_type: given(self.issue_type),
            priority: given(self.priority),
            assignee: user_or_nobody(ctx, "assignee_id", self.assignee_id.as_deref())?,
            parent: parent.map(|id| IssueId::parse("parent_id", &id)).transpose()?,
            labels: self.labels,
            fields: json::decode_fields(self.fields)?,
        })
    }
}

impl ReplaceIssueBody {
    /// The command.
    pub fn command(self, ctx: &Ctx) -> Result<ChangeIssue> {
        Ok(ChangeIssue {
            summary: Some(self.summary),
            description: Some(self.description),
            status: Some(self.status),
            resolution: Some(given(self.resolution)),
            issue_type: Some(self.issue_type),
            priority: Some(self.priority),
            assignee: Some(user_or_nobody(ctx, "assignee_id", self.assignee_id.as_deref())?),
            fields: json::decode_fields(self.fields)?,
            ..ChangeIssue::default()
        })
    }
}

impl IssuePatch {
    /// The command.
    pub fn command(self, ctx: &Ctx) -> Result<ChangeIssue> {
        let mut faults = Faults::default();
        let command = ChangeIssue {
            summary: self.summary.kept("summary", &mut faults),
            description: self.description.optional(),
            status: self.status.kept("status", &mut faults),
            resolution: self.resolution.optional(),
            issue_type: self.issue_type.kept("type", &mut faults),
            priority: self.priority.kept("priority", &mut faults),
            assignee: assignee(self.assignee_id, ctx)?,
            fields: json::decode_fields(self.fields)?,
            ..ChangeIssue::default()
        };
        faults.into_result().map(|()| command)
    }
}

impl From<TransitionIssueBody> for ChangeIssue {
    fn from(body: TransitionIssueBody) -> Self {
        Self {
            transition: given(body.transition),
            status: given(body.status),
            resolution: given(body.resolution).map(Some),
            ..Self::default()
        }
    }
}

impl BulkIssuesBody {
    /// The command.
    pub fn command(self, ctx: &Ctx) -> Result<BulkChange> {
        let ids = self.issue_ids.iter().enumerate();
        let issues = ids.map(|(index, id)| IssueId::parse(&format!("issue_ids[{index}]"), id));
        let issues = issues.collect::<Result<_>>()?;
        let change = self.change;
        let change = ChangeIssue {
            status: given(change.status),
            resolution: given(change.resolution).map(Some),
            issue_type: given(change.issue_type),
            priority: given(change.priority),
            assignee: assignee(change.assignee_id, ctx)?,
            add_labels: change.add_labels,
            remove_labels: change.remove_labels,
            ..ChangeIssue::default()
        };
        Ok(BulkChange { issues, change })
    }
}

fn assignee(asked: Patch<String>, ctx: &Ctx) -> Result<Option<Option<UserId>>> {
    asked.optional().map(|text| user_or_nobody(ctx, "assignee_id", text.as_deref())).transpose()
}
