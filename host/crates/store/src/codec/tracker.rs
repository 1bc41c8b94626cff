//! Users, projects, issues, comments and links as recorded answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tessera_core::id::{CommentId, IssueId, ProjectId, UserId};
use tessera_core::outbox::Actor;
use tessera_core::tracker::{Comment, Issue, Link, Project, Relation, User};
use tessera_core::{Result, Timestamp};

use super::scalar::{corrupt, moment};
use super::scheme::{StoredScheme, scheme, stored_scheme};
use super::value::{StoredFields, fields, stored_fields};

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredUser {
    id: String,
    first_name: String,
    last_name: String,
    email: String,
    is_active: bool,
    created_at: i64,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredProject {
    id: String,
    name: String,
    description: String,
    scheme: Option<StoredScheme>,
    #[serde(default)]
    machines: u64,
    issue_count: u64,
    created_at: i64,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredIssue {
    id: String,
    project: String,
    kind: String,
    summary: String,
    description: Option<String>,
    status: String,
    resolution: Option<String>,
    issue_type: String,
    priority: String,
    assignee: Option<String>,
    reporter: Option<String>,
    parent: Option<String>,
    labels: Vec<String>,
    fields: StoredFields,
    created_at: i64,
    modified_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredComment {
    id: String,
    issue: String,
    author_kind: String,
    author_id: String,
    author_user: Option<String>,
    body: String,
    created_at: i64,
    edited_at: Option<i64>,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredLink {
    issue: String,
    relation: String,
    other: String,
    created_at: i64,
}

pub(crate) fn stored_user(user: &User) -> StoredUser {
    StoredUser {
        id: user.id.to_string(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        email: user.email.clone(),
        is_active: user.is_active,
        created_at: user.created_at.micros(),
        updated_at: user.updated_at.micros(),
        version: user.version,
    }
}

pub(crate) fn user(stored: StoredUser) -> Result<User> {
    Ok(User {
        id: UserId::parse("id", &stored.id)?,
        first_name: stored.first_name,
        last_name: stored.last_name,
        email: stored.email,
        is_active: stored.is_active,
        created_at: moment(stored.created_at)?,
        updated_at: moment(stored.updated_at)?,
        version: stored.version,
    })
}

fn user_id(text: Option<&str>) -> Result<Option<UserId>> {
    text.map(|text| UserId::parse("user", text)).transpose()
}

pub(crate) fn stored_project(project: &Project) -> StoredProject {
    StoredProject {
        id: project.id.to_string(),
        name: project.name.clone(),
        description: project.description.clone(),
        scheme: project.scheme.as_deref().map(stored_scheme),
        machines: project.machines,
        issue_count: project.issue_count,
        created_at: project.created_at.micros(),
        updated_at: project.updated_at.micros(),
        version: project.version,
    }
}

pub(crate) fn project(stored: StoredProject) -> Result<Project> {
    Ok(Project {
        id: ProjectId::parse("id", &stored.id)?,
        name: stored.name,
        description: stored.description,
        scheme: stored.scheme.map(scheme).transpose()?.map(Arc::new),
        machines: stored.machines,
        issue_count: stored.issue_count,
        created_at: moment(stored.created_at)?,
        updated_at: moment(stored.updated_at)?,
        version: stored.version,
    })
}

pub(crate) fn stored_issue(issue: &Issue) -> StoredIssue {
    StoredIssue {
        id: issue.id.to_string(),
        project: issue.project.to_string(),
        kind: issue.kind.clone(),
        summary: issue.summary.clone(),
        description: issue.description.clone(),
        status: issue.status.clone(),
        resolution: issue.resolution.clone(),
        issue_type: issue.issue_type.clone(),
        priority: issue.priority.clone(),
        assignee: issue.assignee.map(|user| user.to_string()),
        reporter: issue.reporter.map(|user| user.to_string()),
        parent: issue.parent.map(|issue| issue.to_string()),
        labels: issue.labels.iter().cloned().collect(),
        fields: stored_fields(&issue.fields),
        created_at: issue.created_at.micros(),
        modified_at: issue.modified_at.micros(),
        version: issue.version,
    }
}

pub(crate) fn issue(stored: StoredIssue) -> Result<Issue> {
    Ok(Issue {
        id: IssueId::parse("id", &stored.id)?,
        project: ProjectId::parse("project", &stored.project)?,
        kind: stored.kind,
        summary: stored.summary,
        description: stored.description,
        status: stored.status,
        resolution: stored.resolution,
        issue_type: stored.issue_type,
        priority: stored.priority,
        assignee: user_id(stored.assignee.as_deref())?,
        reporter: user_id(stored.reporter.as_deref())?,
        parent: stored.parent.map(|text| IssueId::parse("parent", &text)).transpose()?,
        labels: stored.labels.into_iter().collect(),
        fields: fields(stored.fields)?,
        created_at: moment(stored.created_at)?,
        modified_at: moment(stored.modified_at)?,
        version: stored.version,
    })
}

pub(crate) fn stored_comment(comment: &Comment) -> StoredComment {
    StoredComment {
        id: comment.id.to_string(),
        issue: comment.issue.to_string(),
        author_kind: comment.author.kind.to_string(),
        author_id: comment.author.id.clone(),
        author_user: comment.author.user.map(|user| user.to_string()),
        body: comment.body.clone(),
        created_at: comment.created_at.micros(),
        edited_at: comment.edited_at.map(Timestamp::micros),
        version: comment.version,
    }
}

pub(crate) fn comment(stored: StoredComment) -> Result<Comment> {
    Ok(Comment {
        id: CommentId::parse("id", &stored.id)?,
        issue: IssueId::parse("issue", &stored.issue)?,
        author: Actor {
            kind: stored.author_kind.into(),
            id: stored.author_id,
            user: user_id(stored.author_user.as_deref())?,
        },
        body: stored.body,
        created_at: moment(stored.created_at)?,
        edited_at: stored.edited_at.map(moment).transpose()?,
        version: stored.version,
    })
}

pub(crate) fn stored_link(link: &Link) -> StoredLink {
    StoredLink {
        issue: link.issue.to_string(),
        relation: link.relation.name().to_owned(),
        other: link.other.to_string(),
        created_at: link.created_at.micros(),
    }
}

pub(crate) fn link(stored: &StoredLink) -> Result<Link> {
    let relation =
        Relation::named(&stored.relation).ok_or_else(|| corrupt("a relation", &stored.relation))?;
    Ok(Link {
        issue: IssueId::parse("issue", &stored.issue)?,
        relation,
        other: IssueId::parse("other", &stored.other)?,
        created_at: moment(stored.created_at)?,
    })
}
