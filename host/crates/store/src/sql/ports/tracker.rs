//! Users, projects, issues and their parts.

use async_trait::async_trait;
use tessera_core::Result;
use tessera_core::id::{CommentId, IssueId, ProjectId, TenantId, UserId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::ports::TrackerStore;
use tessera_core::tracker::{Comment, Issue, Link, Project, Purge, Usage, User};

use super::super::super::DbStore;
use super::super::tracker::{comment, issue, link, project, purge, user, watcher};

#[async_trait]
impl TrackerStore for DbStore {
    async fn user(&self, tenant: TenantId, id: UserId) -> Result<Option<User>> {
        read!(self.read(tenant).await?, user::get, tenant, id)
    }

    async fn users(&self, tenant: TenantId, text: Option<&str>, page: &PageRequest) -> Result<Page<User>> {
        read!(self.read(tenant).await?, user::list, tenant, text, page)
    }

    async fn project(&self, tenant: TenantId, id: ProjectId) -> Result<Option<Project>> {
        read!(self.read(tenant).await?, project::get, tenant, id)
    }

    async fn projects(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Project>> {
        read!(self.read(tenant).await?, project::list, tenant, page)
    }

    async fn usage(&self, tenant: TenantId, project: ProjectId) -> Result<Usage> {
        read!(self.read(tenant).await?, project::usage, tenant, project)
    }

    async fn issue(&self, tenant: TenantId, id: IssueId) -> Result<Option<Issue>> {
        read!(self.read(tenant).await?, issue::get, tenant, id)
    }

    async fn issues(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Issue>> {
        read!(self.read(tenant).await?, issue::list, tenant, page)
    }

    async fn children(&self, tenant: TenantId, parents: &[IssueId], limit: u32) -> Result<Vec<Issue>> {
        read!(self.read(tenant).await?, issue::children, tenant, parents, limit)
    }

    async fn comment(&self, tenant: TenantId, issue: IssueId, id: CommentId) -> Result<Option<Comment>> {
        read!(self.read(tenant).await?, comment::get, tenant, issue, id)
    }

    async fn comments(&self, tenant: TenantId, issue: IssueId, page: &PageRequest) -> Result<Page<Comment>> {
        read!(self.read(tenant).await?, comment::list, tenant, issue, page)
    }

    async fn links(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<Link>> {
        read!(self.read(tenant).await?, link::list, tenant, issue)
    }

    async fn watchers(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<UserId>> {
        read!(self.read(tenant).await?, watcher::list, tenant, issue)
    }

    async fn purges(&self, tenant: TenantId, limit: u32) -> Result<Vec<Purge>> {
        read!(self.host_reader().await?, purge::list, tenant, limit)
    }

    async fn purgeable(&self, purge: &Purge, limit: u32) -> Result<Vec<Issue>> {
        read!(self.host_reader().await?, issue::purgeable, purge, limit)
    }
}
