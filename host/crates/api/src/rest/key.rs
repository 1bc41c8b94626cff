//! API keys.

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse as _, Response};
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::id::KeyId;
use tessera_core::tenancy::ApiKey;
use tessera_core::tenancy::key::{MAX_PAGE, SPEC};
use utoipa_axum::routes;

use crate::request::etag;
use crate::rest::dto::tenancy::{CreateKeyBody, KeyAnswer, KeysPage, NewKeyAnswer};
use crate::rest::error::Problem;
use crate::rest::extract::{Ask, Id, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with(routes!(create, list)).with(routes!(get)).with(routes!(revoke))
}

fn shown(key: ApiKey) -> Reply<KeyAnswer> {
    let tag = etag(key.version);
    Reply::ok(KeyAnswer { key: key.into() }).tagged(&tag)
}

/// Makes a key and shows its secret, this once.
#[utoipa::path(post, path = "/v1/keys", operation_id = "key.create", tag = "keys",
    request_body = CreateKeyBody, responses((status = 201, description = "The key", body = NewKeyAnswer)))]
async fn create(
    ctx: Ctx,
    State(rest): State<Rest>,
    Sent(body): Sent<CreateKeyBody>,
) -> Result<Response, Problem> {
    let new = rest.app.keys.create(&ctx, body.command()?).await?;
    let (tag, location) = (etag(new.key.version), format!("/v1/keys/{}", new.key.id));
    let reply = Reply::created(location, NewKeyAnswer::from(new)).tagged(&tag);
    Ok(([(CACHE_CONTROL, "no-store")], reply).into_response())
}

/// Lists the tenant's keys.
///
/// Filters: `user`; order: `created`. At most 200 rows.
#[utoipa::path(get, path = "/v1/keys", operation_id = "key.list", tag = "keys",
    params(ListQuery), responses((status = 200, description = "A page of keys", body = KeysPage)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Ask(ask): Ask<ListQuery>) -> Answer<KeysPage> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::KeyList);
    let page = rest.app.keys.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(KeysPage { keys: page.items.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Shows a key, without its secret.
#[utoipa::path(get, path = "/v1/keys/{key_id}", operation_id = "key.get", tag = "keys",
    responses((status = 200, description = "The key", body = KeyAnswer)))]
async fn get(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<KeyId>) -> Answer<KeyAnswer> {
    Ok(shown(rest.app.keys.get(&ctx, &id).await?))
}

/// Ends a key, at once and for good.
#[utoipa::path(post, path = "/v1/keys/{key_id}:revoke", operation_id = "key.revoke", tag = "keys",
    responses((status = 200, description = "The key", body = KeyAnswer)))]
async fn revoke(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<KeyId>) -> Answer<KeyAnswer> {
    Ok(shown(rest.app.keys.revoke(&ctx, &id).await?))
}
