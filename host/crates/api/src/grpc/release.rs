//! Releases of plugins.

use tessera_core::access::Operation;
use tessera_core::plugin::release::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::plugin::v1 as pb;

use crate::grpc::call::{Grpc, Listing};
use crate::grpc::convert::release::{digest, release as shown, trial, tried};

pub(super) async fn upload(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UploadReleaseRequest,
) -> Result<pb::UploadReleaseResponse> {
    let release = grpc.app.releases.upload(&ctx, ask.component.into()).await?;
    Ok(pb::UploadReleaseResponse { release: Some(shown(release)) })
}

pub(super) async fn get(grpc: &Grpc, ctx: Ctx, ask: pb::GetReleaseRequest) -> Result<pb::GetReleaseResponse> {
    let release = grpc.app.releases.get(&ctx, digest(&ask.digest)?).await?;
    Ok(pb::GetReleaseResponse { release: Some(shown(release)) })
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListReleasesRequest,
) -> Result<pb::ListReleasesResponse> {
    let listing =
        Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: &ask.order_by };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::ReleaseList);
    let page = grpc.app.releases.list(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::ListReleasesResponse { releases: page.items.into_iter().map(shown).collect(), next_page_token })
}

pub(super) async fn delete(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::DeleteReleaseRequest,
) -> Result<pb::DeleteReleaseResponse> {
    let release = grpc.app.releases.delete(&ctx, digest(&ask.digest)?).await?;
    Ok(pb::DeleteReleaseResponse { release: Some(shown(release)) })
}

pub(super) async fn test(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::TestReleaseRequest,
) -> Result<pb::TestReleaseResponse> {
    let digest = digest(&ask.digest)?;
    tried(grpc.app.releases.test(&ctx, digest, trial(ask)?).await?)
}
