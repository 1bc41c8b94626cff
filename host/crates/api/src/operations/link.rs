//! Links between issues.

use tessera_core::id::IssueId;
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::convert::comment_link::link as encode;
use crate::convert::names::read_relation;
use crate::operations::{Answer, Api};

pub(crate) async fn add(
    api: Api,
    ctx: Ctx,
    request: pb::AddLinkRequest,
) -> Result<Answer<pb::AddLinkResponse>> {
    let issue = IssueId::parse("issue_id", &request.issue_id)?;
    let relation = read_relation("kind", request.kind)?;
    let other = IssueId::parse("other_id", &request.other_id)?;
    let link = api.app.links.add(&ctx, issue, relation, other).await?;
    Ok(Answer::new(pb::AddLinkResponse { link: Some(encode(&link)) }))
}

pub(crate) async fn remove(
    api: Api,
    ctx: Ctx,
    request: pb::RemoveLinkRequest,
) -> Result<Answer<pb::RemoveLinkResponse>> {
    let issue = IssueId::parse("issue_id", &request.issue_id)?;
    let relation = read_relation("kind", request.kind)?;
    let other = IssueId::parse("other_id", &request.other_id)?;
    api.app.links.remove(&ctx, issue, relation, other).await?;
    Ok(Answer::new(pb::RemoveLinkResponse {}))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListLinksRequest,
) -> Result<Answer<pb::ListLinksResponse>> {
    let issue = IssueId::parse("issue_id", &request.issue_id)?;
    let links = api.app.links.list(&ctx, issue).await?;
    Ok(Answer::new(pb::ListLinksResponse { links: links.iter().map(encode).collect() }))
}
