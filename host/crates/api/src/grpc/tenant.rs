//! Tenants.

use tessera_core::access::Operation;
use tessera_core::tenancy::tenant::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::tenancy::v1 as pb;

use crate::grpc::call::{Grpc, Listing, at};
use crate::grpc::convert::tenancy::{change_tenant, create_tenant, tenant as shown};
use crate::request::plain;

fn named(text: &str) -> Result<&str> {
    plain("tenant", text)
}

pub(super) async fn create(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CreateTenantRequest,
) -> Result<pb::CreateTenantResponse> {
    let tenant = grpc.app.tenants.create(&ctx, create_tenant(ask)).await?;
    Ok(pb::CreateTenantResponse { tenant: Some(shown(tenant)) })
}

pub(super) async fn get(grpc: &Grpc, ctx: Ctx, ask: pb::GetTenantRequest) -> Result<pb::GetTenantResponse> {
    let tenant = grpc.app.tenants.get(&ctx, named(&ask.tenant)?).await?;
    Ok(pb::GetTenantResponse { tenant: Some(shown(tenant)) })
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListTenantsRequest,
) -> Result<pb::ListTenantsResponse> {
    let listing =
        Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: &ask.order_by };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::TenantList);
    let page = grpc.app.tenants.list(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::ListTenantsResponse { tenants: page.items.into_iter().map(shown).collect(), next_page_token })
}

pub(super) async fn update(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UpdateTenantRequest,
) -> Result<pb::UpdateTenantResponse> {
    let ctx = at(ctx, &ask.etag);
    let named = named(&ask.tenant)?.to_owned();
    let tenant = grpc.app.tenants.update(&ctx, &named, change_tenant(ask)?).await?;
    Ok(pb::UpdateTenantResponse { tenant: Some(shown(tenant)) })
}

pub(super) async fn suspend(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::SuspendTenantRequest,
) -> Result<pb::SuspendTenantResponse> {
    let tenant = grpc.app.tenants.suspend(&ctx, named(&ask.tenant)?).await?;
    Ok(pb::SuspendTenantResponse { tenant: Some(shown(tenant)) })
}

pub(super) async fn resume(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ResumeTenantRequest,
) -> Result<pb::ResumeTenantResponse> {
    let tenant = grpc.app.tenants.resume(&ctx, named(&ask.tenant)?).await?;
    Ok(pb::ResumeTenantResponse { tenant: Some(shown(tenant)) })
}
