//! Tenants.

use tessera_core::access::Operation;
use tessera_core::tenancy::tenant::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::tenancy::v1 as pb;

use crate::convert::tenancy::{change_tenant, create_tenant, tenant as encode};
use crate::operations::{Answer, Api, at_version, listing};
use crate::state::reject_nul;

fn tenant_name(text: &str) -> Result<&str> {
    reject_nul("tenant", text)
}

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreateTenantRequest,
) -> Result<Answer<pb::CreateTenantResponse>> {
    let tenant = api.app.tenants.create(&ctx, create_tenant(request)).await?;
    Ok(Answer::of(encode(tenant), |tenant| pb::CreateTenantResponse { tenant }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetTenantRequest,
) -> Result<Answer<pb::GetTenantResponse>> {
    let tenant = api.app.tenants.get(&ctx, tenant_name(&request.tenant)?).await?;
    Ok(Answer::of(encode(tenant), |tenant| pb::GetTenantResponse { tenant }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListTenantsRequest,
) -> Result<Answer<pb::ListTenantsResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::TenantList);
    let page = api.app.tenants.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (tenants, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::ListTenantsResponse { tenants, next_page_token }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateTenantRequest,
) -> Result<Answer<pb::UpdateTenantResponse>> {
    let ctx = at_version(ctx, &request.etag);
    let name = tenant_name(&request.tenant)?.to_owned();
    let tenant = api.app.tenants.update(&ctx, &name, change_tenant(request)?).await?;
    Ok(Answer::of(encode(tenant), |tenant| pb::UpdateTenantResponse { tenant }))
}

pub(crate) async fn suspend(
    api: Api,
    ctx: Ctx,
    request: pb::SuspendTenantRequest,
) -> Result<Answer<pb::SuspendTenantResponse>> {
    let tenant = api.app.tenants.suspend(&ctx, tenant_name(&request.tenant)?).await?;
    Ok(Answer::of(encode(tenant), |tenant| pb::SuspendTenantResponse { tenant }))
}

pub(crate) async fn resume(
    api: Api,
    ctx: Ctx,
    request: pb::ResumeTenantRequest,
) -> Result<Answer<pb::ResumeTenantResponse>> {
    let tenant = api.app.tenants.resume(&ctx, tenant_name(&request.tenant)?).await?;
    Ok(Answer::of(encode(tenant), |tenant| pb::ResumeTenantResponse { tenant }))
}
