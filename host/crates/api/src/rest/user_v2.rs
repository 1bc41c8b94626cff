//! Users, in version 2: active or not, made in bulk, searched.

use axum::extract::State;
use serde::Deserialize;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::id::UserId;
use tessera_core::tracker::User;
use tessera_core::tracker::user::{MAX_PAGE, SPEC};
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::request::{AskedPage, PLAIN, etag, plain_query};
use crate::rest::dto::user::{BulkUsersBody, UserBody, UserPatch, UserV2Answer, UsersV2Answer, UsersV2Page};
use crate::rest::extract::{Ask, Id, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .with(routes!(create, list))
        .with(routes!(bulk_create))
        .with(routes!(search))
        .with(routes!(get, replace, update, delete))
        .with(routes!(deactivate))
        .with(routes!(activate))
}

/// What is searched for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct SearchQuery {
    /// A part of the name or the address, whatever its case: 1 to 100 characters.
    #[param(required = true)]
    query: String,
    /// How many rows; 0 or absent: 50, or the list's maximum if that is less.
    #[param(minimum = 0)]
    page_size: i64,
    /// The `next_page_token` of the page before.
    page_token: String,
}

fn shown(user: User) -> Reply<UserV2Answer> {
    let tag = etag(user.version);
    Reply::ok(UserV2Answer { user: user.into() }).tagged(&tag)
}

/// Makes a user.
#[utoipa::path(post, path = "/v2/users", operation_id = "v2.user.create", tag = "users v2",
    request_body = UserBody, responses((status = 201, description = "The user", body = UserV2Answer)))]
async fn create(ctx: Ctx, State(rest): State<Rest>, Sent(body): Sent<UserBody>) -> Answer<UserV2Answer> {
    let user = rest.app.users.create(&ctx, body.into()).await?;
    let (tag, location) = (etag(user.version), format!("/v2/users/{}", user.id));
    Ok(Reply::created(location, UserV2Answer { user: user.into() }).tagged(&tag))
}

/// Makes several users, or none.
#[utoipa::path(post, path = "/v2/users:bulkCreate", operation_id = "user.bulk_create", tag = "users v2",
    request_body = BulkUsersBody, responses((status = 200, description = "The users", body = UsersV2Answer)))]
async fn bulk_create(
    ctx: Ctx,
    State(rest): State<Rest>,
    Sent(body): Sent<BulkUsersBody>,
) -> Answer<UsersV2Answer> {
    let command = body.users.into_iter().map(Into::into).collect();
    let users = rest.app.users.bulk_create(&ctx, command).await?;
    Ok(Reply::ok(UsersV2Answer { users: users.into_iter().map(Into::into).collect() }))
}

/// Lists users.
///
/// Filters: `name`, `email`, `active`, `created`, `modified`; orders: `created`, `modified`, `email`,
/// `last_name`. At most 100 rows.
#[utoipa::path(get, path = "/v2/users", operation_id = "v2.user.list", tag = "users v2",
    params(ListQuery), responses((status = 200, description = "A page of users", body = UsersV2Page)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Ask(ask): Ask<ListQuery>) -> Answer<UsersV2Page> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::UserList);
    let page = rest.app.users.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(UsersV2Page { users: page.items.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Finds users by a part of their name or address.
#[utoipa::path(get, path = "/v2/users:search", operation_id = "user.search", tag = "users v2",
    params(SearchQuery), responses((status = 200, description = "A page of users", body = UsersV2Page)))]
async fn search(ctx: Ctx, State(rest): State<Rest>, Ask(ask): Ask<SearchQuery>) -> Answer<UsersV2Page> {
    let scope = [ask.query.as_str()];
    let query = plain_query(Operation::UserSearch, &scope);
    let asked = AskedPage { spec: &PLAIN, max: MAX_PAGE, size: ask.page_size, token: &ask.page_token, query };
    let page = rest.app.users.search(&ctx, &ask.query, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(UsersV2Page { users: page.items.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Shows a user.
#[utoipa::path(get, path = "/v2/users/{user_id}", operation_id = "v2.user.get", tag = "users v2",
    responses((status = 200, description = "The user", body = UserV2Answer)))]
async fn get(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<UserId>) -> Answer<UserV2Answer> {
    Ok(shown(rest.app.users.get(&ctx, id).await?))
}

/// Replaces a user.
#[utoipa::path(put, path = "/v2/users/{user_id}", operation_id = "v2.user.replace", tag = "users v2",
    request_body = UserBody, responses((status = 200, description = "The user", body = UserV2Answer)))]
async fn replace(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<UserId>,
    Sent(body): Sent<UserBody>,
) -> Answer<UserV2Answer> {
    Ok(shown(rest.app.users.update(&ctx, id, body.into()).await?))
}

/// Changes a user.
#[utoipa::path(patch, path = "/v2/users/{user_id}", operation_id = "v2.user.update", tag = "users v2",
    request_body = UserPatch, responses((status = 200, description = "The user", body = UserV2Answer)))]
async fn update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<UserId>,
    Sent(body): Sent<UserPatch>,
) -> Answer<UserV2Answer> {
    Ok(shown(rest.app.users.update(&ctx, id, body.command()?).await?))
}

/// Removes a user; its issues become unassigned.
#[utoipa::path(delete, path = "/v2/users/{user_id}", operation_id = "v2.user.delete", tag = "users v2",
    responses((status = 200, description = "The user as it was", body = UserV2Answer)))]
async fn delete(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<UserId>) -> Answer<UserV2Answer> {
    let user = rest.app.users.delete(&ctx, id).await?;
    Ok(Reply::ok(UserV2Answer { user: user.into() }))
}

/// Takes a user out of work: it cannot be assigned, and its keys are refused.
#[utoipa::path(post, path = "/v2/users/{user_id}:deactivate", operation_id = "user.deactivate", tag = "users v2",
    responses((status = 200, description = "The user", body = UserV2Answer)))]
async fn deactivate(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<UserId>) -> Answer<UserV2Answer> {
    Ok(shown(rest.app.users.deactivate(&ctx, id).await?))
}

/// Puts a user back to work.
#[utoipa::path(post, path = "/v2/users/{user_id}:activate", operation_id = "user.activate", tag = "users v2",
    responses((status = 200, description = "The user", body = UserV2Answer)))]
async fn activate(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<UserId>) -> Answer<UserV2Answer> {
    Ok(shown(rest.app.users.activate(&ctx, id).await?))
}
