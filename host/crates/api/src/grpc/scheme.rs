//! Schemes of projects.

use tessera_core::id::ProjectId;
use tessera_core::{Ctx, Result};
use tessera_proto::project::v1 as pb;

use crate::grpc::call::{Grpc, at};
use crate::grpc::convert::scheme::{read, scheme};

pub(super) async fn get(grpc: &Grpc, ctx: Ctx, ask: pb::GetSchemeRequest) -> Result<pb::GetSchemeResponse> {
    let id = ProjectId::parse("project_id", &ask.project_id)?;
    let project = grpc.app.projects.scheme(&ctx, id).await?;
    Ok(pb::GetSchemeResponse { scheme: Some(scheme(&project)) })
}

pub(super) async fn set(grpc: &Grpc, ctx: Ctx, ask: pb::SetSchemeRequest) -> Result<pb::SetSchemeResponse> {
    let (id, ctx) = (ProjectId::parse("project_id", &ask.project_id)?, at(ctx, &ask.etag));
    let project = grpc.app.projects.set_scheme(&ctx, id, read(ask.scheme)?).await?;
    Ok(pb::SetSchemeResponse { scheme: Some(scheme(&project)) })
}

pub(super) async fn reset(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ResetSchemeRequest,
) -> Result<pb::ResetSchemeResponse> {
    let (id, ctx) = (ProjectId::parse("project_id", &ask.project_id)?, at(ctx, &ask.etag));
    let project = grpc.app.projects.reset_scheme(&ctx, id).await?;
    Ok(pb::ResetSchemeResponse { scheme: Some(scheme(&project)) })
}
