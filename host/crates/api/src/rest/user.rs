//! Users, in version 1.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::id::UserId;
use tessera_core::tracker::User;
use tessera_core::tracker::user::{MAX_PAGE, SPEC};
use utoipa_axum::routes;

use crate::request::etag;
use crate::rest::dto::user::{UserBody, UserPatch, UserV1Answer, UsersV1Page};
use crate::rest::extract::{Ask, Id, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with(routes!(create, list)).with(routes!(get, replace, update, delete))
}

fn shown(user: User) -> Reply<UserV1Answer> {
    let tag = etag(user.version);
    Reply::ok(UserV1Answer { user: user.into() }).tagged(&tag)
}

/// Makes a user.
#[utoipa::path(post, path = "/v1/users", operation_id = "user.create", tag = "users",
    request_body = UserBody, responses((status = 201, description = "The user", body = UserV1Answer)))]
async fn create(ctx: Ctx, State(rest): State<Rest>, Sent(body): Sent<UserBody>) -> Answer<UserV1Answer> {
    let user = rest.app.users.create(&ctx, body.into()).await?;
    let (tag, location) = (etag(user.version), format!("/v1/users/{}", user.id));
    Ok(Reply::created(location, UserV1Answer { user: user.into() }).tagged(&tag))
}

/// Lists users.
///
/// Filters: `name`, `email`, `active`, `created`, `modified`; orders: `created`, `modified`, `email`,
/// `last_name`. At most 100 rows.
#[utoipa::path(get, path = "/v1/users", operation_id = "user.list", tag = "users",
    params(ListQuery), responses((status = 200, description = "A page of users", body = UsersV1Page)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Ask(ask): Ask<ListQuery>) -> Answer<UsersV1Page> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::UserList);
    let page = rest.app.users.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(UsersV1Page { users: page.items.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Shows a user.
#[utoipa::path(get, path = "/v1/users/{user_id}", operation_id = "user.get", tag = "users",
    responses((status = 200, description = "The user", body = UserV1Answer)))]
async fn get(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<UserId>) -> Answer<UserV1Answer> {
    Ok(shown(rest.app.users.get(&ctx, id).await?))
}

/// Replaces a user.
#[utoipa::path(put, path = "/v1/users/{user_id}", operation_id = "user.replace", tag = "users",
    request_body = UserBody, responses((status = 200, description = "The user", body = UserV1Answer)))]
async fn replace(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<UserId>,
    Sent(body): Sent<UserBody>,
) -> Answer<UserV1Answer> {
    Ok(shown(rest.app.users.update(&ctx, id, body.into()).await?))
}

/// Changes a user.
#[utoipa::path(patch, path = "/v1/users/{user_id}", operation_id = "user.update", tag = "users",
    request_body = UserPatch, responses((status = 200, description = "The user", body = UserV1Answer)))]
async fn update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<UserId>,
    Sent(body): Sent<UserPatch>,
) -> Answer<UserV1Answer> {
    Ok(shown(rest.app.users.update(&ctx, id, body.command()?).await?))
}

/// Removes a user; its issues become unassigned.
#[utoipa::path(delete, path = "/v1/users/{user_id}", operation_id = "user.delete", tag = "users",
    responses((status = 200, description = "The user as it was", body = UserV1Answer)))]
async fn delete(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<UserId>) -> Answer<UserV1Answer> {
    let user = rest.app.users.delete(&ctx, id).await?;
    Ok(Reply::ok(UserV1Answer { user: user.into() }))
}
