//! Links between issues.

use tessera_core::id::IssueId;
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::grpc::call::Grpc;
use crate::grpc::convert::hanging::link as shown;
use crate::grpc::convert::names::read_relation;

pub(super) async fn add(grpc: &Grpc, ctx: Ctx, ask: pb::AddLinkRequest) -> Result<pb::AddLinkResponse> {
    let issue = IssueId::parse("issue_id", &ask.issue_id)?;
    let relation = read_relation("kind", ask.kind)?;
    let other = IssueId::parse("other_id", &ask.other_id)?;
    let link = grpc.app.links.add(&ctx, issue, relation, other).await?;
    Ok(pb::AddLinkResponse { link: Some(shown(&link)) })
}

pub(super) async fn remove(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::RemoveLinkRequest,
) -> Result<pb::RemoveLinkResponse> {
    let issue = IssueId::parse("issue_id", &ask.issue_id)?;
    let relation = read_relation("kind", ask.kind)?;
    let other = IssueId::parse("other_id", &ask.other_id)?;
    grpc.app.links.remove(&ctx, issue, relation, other).await?;
    Ok(pb::RemoveLinkResponse {})
}

pub(super) async fn list(grpc: &Grpc, ctx: Ctx, ask: pb::ListLinksRequest) -> Result<pb::ListLinksResponse> {
    let issue = IssueId::parse("issue_id", &ask.issue_id)?;
    let links = grpc.app.links.list(&ctx, issue).await?;
    Ok(pb::ListLinksResponse { links: links.iter().map(shown).collect() })
}
