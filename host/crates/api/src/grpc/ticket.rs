//! Tickets, and the keys of their codes.

use tessera_core::access::Operation;
use tessera_core::admission::revoked_codes::{MAX_PAGE as MAX_REVOKED, SPEC as REVOKED};
use tessera_core::admission::ticket::{MAX_PAGE, SPEC};
use tessera_core::id::{EventId, TicketId};
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::admission::REVOKED_ORDER;
use crate::grpc::call::{Grpc, Listing, at};
use crate::grpc::convert::admission::{key, revoked as shown_revoked, ticket as shown};
use crate::print::{Format, print as printed};
use crate::request::AskedPage;
use crate::tokens::PageQuery;

fn id(text: &str) -> Result<TicketId> {
    TicketId::parse("ticket_id", text)
}

pub(super) async fn get(grpc: &Grpc, ctx: Ctx, ask: pb::GetTicketRequest) -> Result<pb::GetTicketResponse> {
    let (held, code) = grpc.app.tickets.get(&ctx, id(&ask.ticket_id)?).await?;
    Ok(pb::GetTicketResponse { ticket: Some(shown(held, code)) })
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListTicketsRequest,
) -> Result<pb::ListTicketsResponse> {
    let listing =
        Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: &ask.order_by };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::TicketList);
    let page = grpc.app.tickets.list(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    let tickets = page.items.into_iter().map(|(held, code)| shown(held, code)).collect();
    Ok(pb::ListTicketsResponse { tickets, next_page_token })
}

pub(super) async fn print(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::PrintTicketRequest,
) -> Result<pb::PrintTicketResponse> {
    let (id, format) = (id(&ask.ticket_id)?, Format::parse("format", &ask.format)?);
    let content = printed(&grpc.app, &ctx, id, format).await?;
    Ok(pb::PrintTicketResponse { content, content_type: format.media_type().to_owned() })
}

pub(super) async fn transfer(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::TransferTicketRequest,
) -> Result<pb::TransferTicketResponse> {
    let (id, ctx) = (id(&ask.ticket_id)?, at(ctx, &ask.etag));
    let (held, code) = grpc.app.tickets.transfer(&ctx, id, ask.holder).await?;
    Ok(pb::TransferTicketResponse { ticket: Some(shown(held, code)) })
}

pub(super) async fn cancel(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CancelTicketRequest,
) -> Result<pb::CancelTicketResponse> {
    let (id, ctx) = (id(&ask.ticket_id)?, at(ctx, &ask.etag));
    let held = grpc.app.tickets.cancel(&ctx, id, ask.restock).await?;
    Ok(pb::CancelTicketResponse { ticket: Some(shown(held, None)) })
}

pub(super) async fn revoked(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListRevokedCodesRequest,
) -> Result<pb::ListRevokedCodesResponse> {
    let event = EventId::parse("event_id", &ask.event_id)?;
    let named = event.to_string();
    let (operation, scope) = (Operation::TicketRevoked, [named.as_str()]);
    let query = PageQuery { operation, filter: &ask.filter, order_by: REVOKED_ORDER, scope: &scope };
    let (spec, max) = (&REVOKED, MAX_REVOKED);
    let asked = AskedPage { spec, max, size: ask.page_size.into(), token: &ask.page_token, query };
    let page = grpc.app.tickets.revoked(&ctx, event, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    let revoked_codes = page.items.into_iter().map(shown_revoked).collect();
    Ok(pb::ListRevokedCodesResponse { revoked_codes, next_page_token })
}

pub(super) async fn keys(
    grpc: &Grpc,
    ctx: Ctx,
    _: pb::ListSigningKeysRequest,
) -> Result<pb::ListSigningKeysResponse> {
    let keys = grpc.app.codes.list(&ctx).await?;
    Ok(pb::ListSigningKeysResponse {
        keys: keys.iter().map(key).collect(),
        tenant_id: ctx.tenant.to_string(),
    })
}

pub(super) async fn rotate(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::RotateSigningKeysRequest,
) -> Result<pb::RotateSigningKeysResponse> {
    let made = grpc.app.codes.rotate(&ctx, ask.revoke_former).await?;
    Ok(pb::RotateSigningKeysResponse { key: Some(key(&made)) })
}
