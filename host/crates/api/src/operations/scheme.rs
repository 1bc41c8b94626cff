//! Schemes of projects.

use tessera_core::id::ProjectId;
use tessera_core::{Ctx, Result};
use tessera_proto::project::v1 as pb;

use crate::convert::scheme::{read, scheme};
use crate::operations::{Answer, Api, at_version};

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetSchemeRequest,
) -> Result<Answer<pb::GetSchemeResponse>> {
    let id = ProjectId::parse("project_id", &request.project_id)?;
    let project = api.app.projects.scheme(&ctx, id).await?;
    Ok(Answer::of(scheme(&project), |scheme| pb::GetSchemeResponse { scheme }))
}

pub(crate) async fn set(
    api: Api,
    ctx: Ctx,
    request: pb::SetSchemeRequest,
) -> Result<Answer<pb::SetSchemeResponse>> {
    let (id, ctx) = (ProjectId::parse("project_id", &request.project_id)?, at_version(ctx, &request.etag));
    let project = api.app.projects.set_scheme(&ctx, id, read(request.scheme)?).await?;
    Ok(Answer::of(scheme(&project), |scheme| pb::SetSchemeResponse { scheme }))
}

pub(crate) async fn reset(
    api: Api,
    ctx: Ctx,
    request: pb::ResetSchemeRequest,
) -> Result<Answer<pb::ResetSchemeResponse>> {
    let (id, ctx) = (ProjectId::parse("project_id", &request.project_id)?, at_version(ctx, &request.etag));
    let project = api.app.projects.reset_scheme(&ctx, id).await?;
    Ok(Answer::of(scheme(&project), |scheme| pb::ResetSchemeResponse { scheme }))
}
