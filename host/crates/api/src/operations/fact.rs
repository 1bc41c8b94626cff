//! Lists of facts. `subscriptions` streams facts.

use tessera_core::access::Operation;
use tessera_core::outbox::Fact;
use tessera_core::outbox::fact::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::common::v1 as common;
use tessera_proto::facts::v1 as pb;

use crate::convert;
use crate::operations::{Answer, Api, listing};

/// Encodes a fact with the cursor after it; the cursor is empty until the fact has a sequence number.
pub(crate) fn encode(api: &Api, ctx: &Ctx, fact: &Fact) -> common::Fact {
    let cursor = fact.seq.map(|seq| api.tokens.seal_cursor(ctx.tenant, seq));
    convert::fact::fact(fact, cursor.unwrap_or_default())
}

pub(crate) async fn audit(
    api: Api,
    ctx: Ctx,
    request: pb::ListAuditRequest,
) -> Result<Answer<pb::ListAuditResponse>> {
    let page_args = listing!(request, &request.filter, "").of(&SPEC, MAX_PAGE, Operation::AuditList);
    let page = api.app.facts.audit(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (facts, next_page_token) = api.encode_page(&ctx, &page_args, page, |item| encode(&api, &ctx, &item));
    Ok(Answer::new(pb::ListAuditResponse { facts, next_page_token }))
}
