//! Execution of plugins' look-ups, within the tenant of the request.

use std::sync::{Mutex, PoisonError};

use crate::changeset::{Expect, Versioned as _};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Spec;
use crate::id::{IssueId, ProjectId, TenantId, UserId};
use crate::page::PageRequest;
use crate::plugin::{CallLimits, Entity, LookupError, LookupRequest, LookupResult};
use crate::ports::Store;
use crate::tracker::{issue, project, user};

/// Executes a look-up; the version of what is read by id is added to `expects`.
pub(super) async fn look_up(
    store: &dyn Store,
    ctx: &Ctx,
    request: LookupRequest,
    expects: &Mutex<Vec<Expect>>,
) -> LookupResult {
    let convert = |error: Error| match error.kind() {
        ErrorKind::Invalid | ErrorKind::Malformed => LookupError::Unsupported(error.message().to_owned()),
        _ => {
            tracing::warn!(?error, request_id = %ctx.request_id, "plugin look-up failed");
            LookupError::Unavailable
        }
    };
    match request {
        LookupRequest::Get(kind, id) => {
            let entry = get(store, ctx.tenant, &kind, &id).await.map_err(convert)?;
            let Some((entity, expect)) = entry else { return Ok(Vec::new()) };
            expects.lock().unwrap_or_else(PoisonError::into_inner).push(expect);
            Ok(vec![entity])
        }
        LookupRequest::Find(kind, filter, limit) => {
            find(store, ctx, &kind, &filter, limit).await.map_err(convert)
        }
    }
}

async fn get(store: &dyn Store, tenant: TenantId, kind: &str, id: &str) -> Result<Option<(Entity, Expect)>> {
    Ok(match kind {
        "issue" => {
            let issue = store.issue(tenant, IssueId::parse("id", id)?).await?;
            issue.map(|issue| (Entity::issue(&issue), issue.expect()))
        }
        "project" => {
            let project = store.project(tenant, ProjectId::parse("id", id)?).await?;
            project.map(|project| (Entity::project(&project), project.expect()))
        }
        "user" => {
            let user = store.user(tenant, UserId::parse("id", id)?).await?;
            user.map(|user| (Entity::user(&user), user.expect()))
        }
        other => return Err(unknown_kind(other)),
    })
}

async fn find(store: &dyn Store, ctx: &Ctx, kind: &str, filter: &str, limit: u32) -> Result<Vec<Entity>> {
    let size = limit.clamp(1, CallLimits::LOOKUP_ENTITIES);
    let page = |spec: &Spec| {
        Ok::<_, Error>(PageRequest {
            size,
            after: None,
            filter: spec.filter(ctx, filter)?,
            order: spec.order("")?,
        })
    };
    let tenant = ctx.tenant;
    Ok(match kind {
        "issue" => {
            let issues = store.issues(tenant, &page(&issue::SPEC)?).await?;
            issues.items.iter().map(Entity::issue).collect()
        }
        "project" => {
            let projects = store.projects(tenant, &page(&project::SPEC)?).await?;
            projects.items.iter().map(Entity::project).collect()
        }
        "user" => {
            let users = store.users(tenant, None, &page(&user::SPEC)?).await?;
            users.items.iter().map(Entity::user).collect()
        }
        other => return Err(unknown_kind(other)),
    })
}

fn unknown_kind(kind: &str) -> Error {
    Error::invalid("kind", format!("is {kind:?}; must be issue, project or user"))
}
