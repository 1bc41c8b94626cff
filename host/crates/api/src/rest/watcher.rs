//! Who watches issues.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::id::IssueId;
use utoipa_axum::routes;

use crate::rest::Rest;
use crate::rest::dto::Empty;
use crate::rest::dto::hanging::{WatcherBody, WatchersAnswer};
use crate::rest::dto::issue_write::user_named;
use crate::rest::extract::{Id, Sent, UserName};
use crate::rest::issue::ALIAS;
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with_alias(ALIAS, routes!(add, list)).with_alias(ALIAS, routes!(remove))
}

/// Makes a user watch an issue.
#[utoipa::path(post, path = "/v1/issues/{issue_id}/watchers", operation_id = "watcher.add", tag = "watchers",
    request_body = WatcherBody, responses((status = 200, description = "The user watches", body = Empty)))]
async fn add(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(issue): Id<IssueId>,
    Sent(body): Sent<WatcherBody>,
) -> Answer<Empty> {
    let named = body.user_id.as_deref().filter(|user| !user.is_empty());
    let user = user_named(&ctx, "user_id", named.unwrap_or("me"))?;
    rest.app.comments.watch(&ctx, issue, user).await?;
    Ok(Reply::ok(Empty {}))
}

/// Lists who watches an issue.
#[utoipa::path(get, path = "/v1/issues/{issue_id}/watchers", operation_id = "watcher.list", tag = "watchers",
    responses((status = 200, description = "The users", body = WatchersAnswer)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Id(issue): Id<IssueId>) -> Answer<WatchersAnswer> {
    let users = rest.app.comments.watchers(&ctx, issue).await?;
    Ok(Reply::ok(WatchersAnswer { user_ids: users.iter().map(ToString::to_string).collect() }))
}

/// Ends a user's watching; `me` is the caller's user.
#[utoipa::path(delete, path = "/v1/issues/{issue_id}/watchers/{user_id}", operation_id = "watcher.remove",
    tag = "watchers", responses((status = 200, description = "The user watches no more", body = Empty)))]
async fn remove(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(issue): Id<IssueId>,
    Id(UserName(user)): Id<UserName>,
) -> Answer<Empty> {
    let user = user_named(&ctx, "user_id", &user)?;
    rest.app.comments.unwatch(&ctx, issue, user).await?;
    Ok(Reply::ok(Empty {}))
}
