//! Installations of plugins.

use tessera_core::access::Operation;
use tessera_core::id::InstallationId;
use tessera_core::plugin::Rollout;
use tessera_core::plugin::installation::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::plugin::v1 as pb;

use crate::grpc::call::{Grpc, Listing, at};
use crate::grpc::convert::call;
use crate::grpc::convert::installation::{change, install, installation as shown, sorted};
use crate::grpc::convert::release::name;

fn id(text: &str) -> Result<InstallationId> {
    InstallationId::parse("installation_id", text)
}

pub(super) async fn create(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CreateInstallationRequest,
) -> Result<pb::CreateInstallationResponse> {
    let Rollout { installation, lagging } = grpc.app.installations.create(&ctx, install(ask)?).await?;
    Ok(pb::CreateInstallationResponse { installation: Some(shown(installation)), lagging_hosts: lagging })
}

pub(super) async fn get(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::GetInstallationRequest,
) -> Result<pb::GetInstallationResponse> {
    let installation = grpc.app.installations.get(&ctx, id(&ask.installation_id)?).await?;
    Ok(pb::GetInstallationResponse { installation: Some(shown(installation)) })
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListInstallationsRequest,
) -> Result<pb::ListInstallationsResponse> {
    let listing =
        Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: &ask.order_by };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::InstallationList);
    let page = grpc.app.installations.list(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    let installations = page.items.into_iter().map(shown).collect();
    Ok(pb::ListInstallationsResponse { installations, next_page_token })
}

pub(super) async fn update(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UpdateInstallationRequest,
) -> Result<pb::UpdateInstallationResponse> {
    let (id, ctx) = (id(&ask.installation_id)?, at(ctx, &ask.etag));
    let Rollout { installation, lagging } = grpc.app.installations.update(&ctx, id, change(ask)?).await?;
    Ok(pb::UpdateInstallationResponse { installation: Some(shown(installation)), lagging_hosts: lagging })
}

pub(super) async fn rollback(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::RollbackInstallationRequest,
) -> Result<pb::RollbackInstallationResponse> {
    let (id, ctx) = (id(&ask.installation_id)?, at(ctx, &ask.etag));
    let (to, states) = (name(ask.release)?, sorted(ask.state_map));
    let Rollout { installation, lagging } = grpc.app.installations.rollback(&ctx, id, to, states).await?;
    Ok(pb::RollbackInstallationResponse { installation: Some(shown(installation)), lagging_hosts: lagging })
}

pub(super) async fn delete(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::DeleteInstallationRequest,
) -> Result<pb::DeleteInstallationResponse> {
    let (id, ctx) = (id(&ask.installation_id)?, at(ctx, &ask.etag));
    let Rollout { installation, lagging } = grpc.app.installations.delete(&ctx, id).await?;
    Ok(pb::DeleteInstallationResponse { installation: Some(shown(installation)), lagging_hosts: lagging })
}

pub(super) async fn calls(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListInstallationCallsRequest,
) -> Result<pb::ListInstallationCallsResponse> {
    let id = id(&ask.installation_id)?;
    Ok(call::calls(grpc.app.installations.calls(&ctx, id, ask.after).await?))
}
