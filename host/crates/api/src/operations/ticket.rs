//! Tickets and signing keys.

use tessera_core::access::Operation;
use tessera_core::admission::revoked_codes::{MAX_PAGE as MAX_REVOKED, SPEC as REVOKED};
use tessera_core::admission::ticket::{MAX_PAGE, SPEC};
use tessera_core::admission::tickets::TicketView;
use tessera_core::id::{EventId, TicketId, TicketTypeId};
use tessera_core::{Ctx, Error, ErrorKind, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::admission::{
    public_ticket as encode_public, revoked_code as encode_revoked_code, signing_key as encode_key,
    ticket as encode,
};
use crate::convert::ticket_type::ticket_type as encode_type;
use crate::operations::{Answer, Api, at_version, listing};
use crate::ticket_document::format::{Format, render};

/// The order of revoked codes; there is no other.
const REVOKED_ORDER: &str = "revoked";

fn id(text: &str) -> Result<TicketId> {
    TicketId::parse("ticket_id", text)
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetTicketRequest,
) -> Result<Answer<pb::GetTicketResponse>> {
    let id = id(&request.ticket_id)?;
    match api.app.tickets.get(&ctx, id, &request.code).await {
        Ok(TicketView::Whole(ticket, code)) => {
            Ok(Answer::of(encode(ticket, code), |ticket| pb::GetTicketResponse { ticket, ..<_>::default() }))
        }
        Ok(TicketView::Public(ticket)) => {
            let public_ticket = Some(encode_public(ticket));
            Ok(Answer::new(pb::GetTicketResponse { public_ticket, ..<_>::default() }))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => ticket_type(&api, &ctx, id, error).await,
        Err(error) => Err(error),
    }
}

/// Returns the ticket type with this id, or `error` if there is none.
async fn ticket_type(
    api: &Api,
    ctx: &Ctx,
    id: TicketId,
    error: Error,
) -> Result<Answer<pb::GetTicketResponse>> {
    match api.app.ticket_types.get(ctx, TicketTypeId(id.0), "").await {
        Ok((ticket_type, stock)) => {
            let message = encode_type(ticket_type, stock.available);
            Ok(Answer::of(message, |ticket_type| pb::GetTicketResponse { ticket_type, ..<_>::default() }))
        }
        Err(other) if other.kind() == ErrorKind::NotFound => Err(error),
        Err(other) => Err(other),
    }
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListTicketsRequest,
) -> Result<Answer<pb::ListTicketsResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::TicketList);
    let page = api.app.tickets.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (tickets, next_page_token) =
        api.encode_page(&ctx, &page_args, page, |(ticket, code)| encode(ticket, code));
    Ok(Answer::new(pb::ListTicketsResponse { tickets, next_page_token }))
}

pub(crate) async fn print(
    api: Api,
    ctx: Ctx,
    request: pb::PrintTicketRequest,
) -> Result<Answer<pb::PrintTicketResponse>> {
    let (id, format) = (id(&request.ticket_id)?, Format::parse("format", &request.format)?);
    let content = render(&api.app, &ctx, id, format).await?;
    Ok(Answer::new(pb::PrintTicketResponse { content, content_type: format.media_type().to_owned() }))
}

pub(crate) async fn transfer(
    api: Api,
    ctx: Ctx,
    request: pb::TransferTicketRequest,
) -> Result<Answer<pb::TransferTicketResponse>> {
    let (id, ctx) = (id(&request.ticket_id)?, at_version(ctx, &request.etag));
    let (ticket, code) = api.app.tickets.transfer(&ctx, id, request.holder).await?;
    Ok(Answer::of(encode(ticket, code), |ticket| pb::TransferTicketResponse { ticket }))
}

pub(crate) async fn cancel(
    api: Api,
    ctx: Ctx,
    request: pb::CancelTicketRequest,
) -> Result<Answer<pb::CancelTicketResponse>> {
    let (id, ctx) = (id(&request.ticket_id)?, at_version(ctx, &request.etag));
    let ticket = api.app.tickets.cancel(&ctx, id, request.restock).await?;
    Ok(Answer::of(encode(ticket, None), |ticket| pb::CancelTicketResponse { ticket }))
}

pub(crate) async fn revoked(
    api: Api,
    ctx: Ctx,
    request: pb::ListRevokedCodesRequest,
) -> Result<Answer<pb::ListRevokedCodesResponse>> {
    let event = EventId::parse("event_id", &request.event_id)?;
    let event_id = event.to_string();
    let scope = [event_id.as_str()];
    let page_args = listing!(request, &request.filter, REVOKED_ORDER).within(
        &REVOKED,
        MAX_REVOKED,
        Operation::TicketRevoked,
        &scope,
    );
    let page = api.app.tickets.revoked(&ctx, event, &api.page(&ctx, &page_args)?).await?;
    let (revoked_codes, next_page_token) = api.encode_page(&ctx, &page_args, page, encode_revoked_code);
    Ok(Answer::new(pb::ListRevokedCodesResponse { revoked_codes, next_page_token }))
}

pub(crate) async fn keys(
    api: Api,
    ctx: Ctx,
    _: pb::ListSigningKeysRequest,
) -> Result<Answer<pb::ListSigningKeysResponse>> {
    let keys = api.app.codes.list(&ctx).await?;
    Ok(Answer::new(pb::ListSigningKeysResponse {
        keys: keys.iter().map(encode_key).collect(),
        tenant_id: ctx.tenant.to_string(),
    }))
}

pub(crate) async fn rotate(
    api: Api,
    ctx: Ctx,
    request: pb::RotateSigningKeysRequest,
) -> Result<Answer<pb::RotateSigningKeysResponse>> {
    let key = api.app.codes.rotate(&ctx, request.revoke_former).await?;
    Ok(Answer::of(encode_key(&key), |key| pb::RotateSigningKeysResponse { key }))
}
