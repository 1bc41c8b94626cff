//! Releases of plugins.

use tessera_core::access::Operation;
use tessera_core::plugin::release::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::plugin::v1 as pb;

use crate::convert::release::{digest, dry_run, dry_run_result, release as encode};
use crate::operations::{Answer, Api, listing};

pub(crate) async fn upload(
    api: Api,
    ctx: Ctx,
    request: pb::UploadReleaseRequest,
) -> Result<Answer<pb::UploadReleaseResponse>> {
    let permit = api.app.releases.begin_upload(&ctx)?;
    let release = api.app.releases.upload(&ctx, permit, request.component.into()).await?;
    Ok(Answer::of(encode(release), |release| pb::UploadReleaseResponse { release }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetReleaseRequest,
) -> Result<Answer<pb::GetReleaseResponse>> {
    let release = api.app.releases.get(&ctx, digest(&request.digest)?).await?;
    Ok(Answer::of(encode(release), |release| pb::GetReleaseResponse { release }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListReleasesRequest,
) -> Result<Answer<pb::ListReleasesResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::ReleaseList);
    let page = api.app.releases.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (releases, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::ListReleasesResponse { releases, next_page_token }))
}

pub(crate) async fn delete(
    api: Api,
    ctx: Ctx,
    request: pb::DeleteReleaseRequest,
) -> Result<Answer<pb::DeleteReleaseResponse>> {
    let release = api.app.releases.delete(&ctx, digest(&request.digest)?).await?;
    Ok(Answer::of(encode(release), |release| pb::DeleteReleaseResponse { release }))
}

pub(crate) async fn test(
    api: Api,
    ctx: Ctx,
    request: pb::TestReleaseRequest,
) -> Result<Answer<pb::TestReleaseResponse>> {
    let digest = digest(&request.digest)?;
    dry_run_result(api.app.releases.test(&ctx, digest, dry_run(request)?).await?).map(Answer::new)
}
