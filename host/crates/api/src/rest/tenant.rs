//! Tenants, and who asks.

use axum::extract::State;
use tessera_core::access::Operation;
use tessera_core::tenancy::Tenant;
use tessera_core::tenancy::tenant::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Error, Principal};
use utoipa_axum::routes;

use crate::request::etag;
use crate::rest::dto::tenancy::{
    CreateTenantBody, TenantAnswer, TenantPatch, TenantsPage, WhoAmI, role_names,
};
use crate::rest::dto::text;
use crate::rest::extract::{Ask, Id, Sent, TenantName};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .with(routes!(who_am_i))
        .with(routes!(create, list))
        .with(routes!(get, update))
        .with(routes!(suspend))
        .with(routes!(resume))
}

fn shown(tenant: Tenant) -> Reply<TenantAnswer> {
    let tag = etag(tenant.version);
    Reply::ok(TenantAnswer { tenant: tenant.into() }).tagged(&tag)
}

/// Says who asks: tenant, key, user and roles.
#[utoipa::path(get, path = "/v1/me", operation_id = "whoami", tag = "keys",
    responses((status = 200, description = "The caller", body = WhoAmI)))]
async fn who_am_i(ctx: Ctx, State(rest): State<Rest>) -> Answer<WhoAmI> {
    ctx.allow(Operation::WhoAmI)?;
    let tenant = rest.app.tenants.get(&ctx, &ctx.tenant.to_string()).await?;
    let Principal::Key { id, user, roles } = &ctx.principal else {
        return Err(Error::unauthenticated("no key asks").into());
    };
    Ok(Reply::ok(WhoAmI {
        tenant_id: tenant.id.to_string(),
        tenant_slug: tenant.slug,
        key_id: id.to_string(),
        user_id: text(*user),
        roles: role_names(roles),
    }))
}

/// Makes a tenant. Operators only.
#[utoipa::path(post, path = "/v1/tenants", operation_id = "tenant.create", tag = "tenants",
    request_body = CreateTenantBody, responses((status = 201, description = "The tenant", body = TenantAnswer)))]
async fn create(
    ctx: Ctx,
    State(rest): State<Rest>,
    Sent(body): Sent<CreateTenantBody>,
) -> Answer<TenantAnswer> {
    let tenant = rest.app.tenants.create(&ctx, body.into()).await?;
    let (tag, location) = (etag(tenant.version), format!("/v1/tenants/{}", tenant.id));
    Ok(Reply::created(location, TenantAnswer { tenant: tenant.into() }).tagged(&tag))
}

/// Lists tenants. Operators only.
///
/// Filters: `slug`, `state`; orders: `created`, `slug`. At most 200 rows.
#[utoipa::path(get, path = "/v1/tenants", operation_id = "tenant.list", tag = "tenants",
    params(ListQuery), responses((status = 200, description = "A page of tenants", body = TenantsPage)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Ask(ask): Ask<ListQuery>) -> Answer<TenantsPage> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::TenantList);
    let page = rest.app.tenants.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(TenantsPage { tenants: page.items.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Shows a tenant. Everybody may see their own.
#[utoipa::path(get, path = "/v1/tenants/{tenant}", operation_id = "tenant.get", tag = "tenants",
    responses((status = 200, description = "The tenant", body = TenantAnswer)))]
async fn get(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(TenantName(named)): Id<TenantName>,
) -> Answer<TenantAnswer> {
    Ok(shown(rest.app.tenants.get(&ctx, &named).await?))
}

/// Renames a tenant, or bounds the calls of its plugins. Operators only.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}", operation_id = "tenant.update", tag = "tenants",
    request_body = TenantPatch, responses((status = 200, description = "The tenant", body = TenantAnswer)))]
async fn update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(TenantName(named)): Id<TenantName>,
    Sent(body): Sent<TenantPatch>,
) -> Answer<TenantAnswer> {
    Ok(shown(rest.app.tenants.update(&ctx, &named, body.command()?).await?))
}

/// Shuts a tenant out: its keys are refused from now on. Operators only.
#[utoipa::path(post, path = "/v1/tenants/{tenant}:suspend", operation_id = "tenant.suspend", tag = "tenants",
    responses((status = 200, description = "The tenant", body = TenantAnswer)))]
async fn suspend(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(TenantName(named)): Id<TenantName>,
) -> Answer<TenantAnswer> {
    Ok(shown(rest.app.tenants.suspend(&ctx, &named).await?))
}

/// Lets a tenant in again. Operators only.
#[utoipa::path(post, path = "/v1/tenants/{tenant}:resume", operation_id = "tenant.resume", tag = "tenants",
    responses((status = 200, description = "The tenant", body = TenantAnswer)))]
async fn resume(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(TenantName(named)): Id<TenantName>,
) -> Answer<TenantAnswer> {
    Ok(shown(rest.app.tenants.resume(&ctx, &named).await?))
}
