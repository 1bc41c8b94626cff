//! Installations of plugins.

use tessera_core::access::Operation;
use tessera_core::id::InstallationId;
use tessera_core::plugin::Rollout;
use tessera_core::plugin::installation::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::plugin::v1 as pb;

use crate::convert::call;
use crate::convert::installation::{change, install, installation as encode};
use crate::convert::release::name;
use crate::operations::{Answer, Api, at_version, listing};

fn id(text: &str) -> Result<InstallationId> {
    InstallationId::parse("installation_id", text)
}

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreateInstallationRequest,
) -> Result<Answer<pb::CreateInstallationResponse>> {
    let Rollout { installation, lagging } = api.app.installations.create(&ctx, install(request)?).await?;
    Ok(Answer::of(encode(installation), |installation| pb::CreateInstallationResponse {
        installation,
        lagging_hosts: lagging,
    }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetInstallationRequest,
) -> Result<Answer<pb::GetInstallationResponse>> {
    let installation = api.app.installations.get(&ctx, id(&request.installation_id)?).await?;
    Ok(Answer::of(encode(installation), |installation| pb::GetInstallationResponse { installation }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListInstallationsRequest,
) -> Result<Answer<pb::ListInstallationsResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::InstallationList);
    let page = api.app.installations.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (installations, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::ListInstallationsResponse { installations, next_page_token }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateInstallationRequest,
) -> Result<Answer<pb::UpdateInstallationResponse>> {
    let (id, ctx) = (id(&request.installation_id)?, at_version(ctx, &request.etag));
    let Rollout { installation, lagging } = api.app.installations.update(&ctx, id, change(request)?).await?;
    Ok(Answer::of(encode(installation), |installation| pb::UpdateInstallationResponse {
        installation,
        lagging_hosts: lagging,
    }))
}

pub(crate) async fn rollback(
    api: Api,
    ctx: Ctx,
    request: pb::RollbackInstallationRequest,
) -> Result<Answer<pb::RollbackInstallationResponse>> {
    let (id, ctx) = (id(&request.installation_id)?, at_version(ctx, &request.etag));
    let (to, states) = (name(request.release)?, request.state_map);
    let Rollout { installation, lagging } = api.app.installations.rollback(&ctx, id, to, states).await?;
    Ok(Answer::of(encode(installation), |installation| pb::RollbackInstallationResponse {
        installation,
        lagging_hosts: lagging,
    }))
}

pub(crate) async fn delete(
    api: Api,
    ctx: Ctx,
    request: pb::DeleteInstallationRequest,
) -> Result<Answer<pb::DeleteInstallationResponse>> {
    let (id, ctx) = (id(&request.installation_id)?, at_version(ctx, &request.etag));
    let Rollout { installation, lagging } = api.app.installations.delete(&ctx, id).await?;
    Ok(Answer::of(encode(installation), |installation| pb::DeleteInstallationResponse {
        installation,
        lagging_hosts: lagging,
    }))
}

pub(crate) async fn calls(
    api: Api,
    ctx: Ctx,
    request: pb::ListInstallationCallsRequest,
) -> Result<Answer<pb::ListInstallationCallsResponse>> {
    let id = id(&request.installation_id)?;
    Ok(Answer::new(call::calls(api.app.installations.calls(&ctx, id, request.after).await?)))
}
