//! Reads of users, projects and issues.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{CommentId, IssueId, ProjectId, TenantId, UserId};
use crate::page::{Page, PageRequest};
use crate::tracker::{Comment, Issue, Link, Project, Purge, Usage, User};

/// Users, projects and issues. Rows that are marked as deleted are left out.
#[async_trait]
pub trait TrackerStore: Send + Sync {
    /// Returns a user.
    async fn user(&self, tenant: TenantId, id: UserId) -> Result<Option<User>>;
    /// Returns a page of users whose name or address contains `text`, ignoring case.
    async fn users(&self, tenant: TenantId, text: Option<&str>, page: &PageRequest) -> Result<Page<User>>;
    /// Returns a project with its number of issues.
    async fn project(&self, tenant: TenantId, id: ProjectId) -> Result<Option<Project>>;
    /// Returns a page of projects.
    async fn projects(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Project>>;
    /// Counts how many of a project's issues use each name of its scheme.
    async fn usage(&self, tenant: TenantId, project: ProjectId) -> Result<Usage>;
    /// Returns an issue.
    async fn issue(&self, tenant: TenantId, id: IssueId) -> Result<Option<Issue>>;
    /// Returns a page of issues.
    async fn issues(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Issue>>;
    /// Returns at most `limit` issues whose parent is one of these.
    async fn children(&self, tenant: TenantId, parents: &[IssueId], limit: u32) -> Result<Vec<Issue>>;
    /// Returns a comment.
    async fn comment(&self, tenant: TenantId, issue: IssueId, id: CommentId) -> Result<Option<Comment>>;
    /// Returns a page of an issue's comments, oldest first.
    async fn comments(&self, tenant: TenantId, issue: IssueId, page: &PageRequest) -> Result<Page<Comment>>;
    /// Returns an issue's links in both directions, as seen from the issue.
    async fn links(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<Link>>;
    /// Returns the watchers of an issue.
    async fn watchers(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<UserId>>;
    /// Returns at most `limit` deleted projects and users that issues may still refer to.
    async fn purges(&self, tenant: TenantId, limit: u32) -> Result<Vec<Purge>>;
    /// Returns at most `limit` issues that refer to a deleted project or user, or belong to the project.
    async fn purgeable(&self, purge: &Purge, limit: u32) -> Result<Vec<Issue>>;
}
