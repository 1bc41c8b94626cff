//! Facts, as lists. Following them is in `stream`.

use tessera_core::access::Operation;
use tessera_core::outbox::Fact;
use tessera_core::outbox::fact::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::common::v1 as common;
use tessera_proto::facts::v1 as pb;

use crate::grpc::call::{Grpc, Listing};
use crate::grpc::convert;

/// A fact with the cursor after it, where it has a place yet.
pub(super) fn shown(grpc: &Grpc, ctx: &Ctx, fact: &Fact) -> common::Fact {
    let cursor = fact.seq.map(|seq| grpc.tokens.seal_cursor(ctx.tenant, seq));
    convert::fact::fact(fact, cursor.unwrap_or_default())
}

pub(super) async fn audit(grpc: &Grpc, ctx: Ctx, ask: pb::ListAuditRequest) -> Result<pb::ListAuditResponse> {
    let listing = Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: "" };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::AuditList);
    let page = grpc.app.facts.audit(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    let facts = page.items.iter().map(|item| shown(grpc, &ctx, item)).collect();
    Ok(pb::ListAuditResponse { facts, next_page_token })
}
