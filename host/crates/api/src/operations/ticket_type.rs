//! Ticket types.

use tessera_core::access::Operation;
use tessera_core::catalog::ticket_type::MAX_PAGE;
use tessera_core::id::{EventId, TicketTypeId};
use tessera_core::{Ctx, Error, ErrorKind, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::available;
use crate::convert::non_empty;
use crate::convert::ticket_type::{change, create as command, ticket_type as encode};
use crate::operations::{Answer, Api, at_version, plain_page};

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreateTicketTypeRequest,
) -> Result<Answer<pb::CreateTicketTypeResponse>> {
    let event = EventId::parse("event_id", &request.event_id)?;
    let ticket_type = api.app.ticket_types.create(&ctx, event, command(request)?).await?;
    let available = available(&api.app, &ctx, ticket_type.id).await?;
    Ok(Answer::of(encode(ticket_type, available), |ticket_type| pb::CreateTicketTypeResponse { ticket_type }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetTicketTypeRequest,
) -> Result<Answer<pb::GetTicketTypeResponse>> {
    let id = TicketTypeId::parse("ticket_type_id", &request.ticket_type_id)?;
    let event = non_empty(request.event_id).map(|id| EventId::parse("event_id", &id)).transpose()?;
    let (ticket_type, stock) = api.app.ticket_types.get(&ctx, id, &request.access_code).await?;
    if event.is_some_and(|event| event != ticket_type.event) {
        return Err(Error::not_found("ticket-type"));
    }
    Ok(Answer::of(encode(ticket_type, stock.available), |ticket_type| pb::GetTicketTypeResponse {
        ticket_type,
    }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::GetTicketTypesRequest,
) -> Result<Answer<pb::GetTicketTypesResponse>> {
    let event = non_empty(request.event_id).map(|id| EventId::parse("event_id", &id)).transpose()?;
    let event_id = event.map(|event| event.to_string()).unwrap_or_default();
    // By default, all ticket types of an event are one page.
    let size = if request.page_size == 0 { i32::MAX } else { request.page_size };
    let scope = [event_id.as_str()];
    let page_args = plain_page((size, &request.page_token), MAX_PAGE, Operation::TicketTypeList, &scope);
    let page = api.page(&ctx, &page_args)?;
    let page = api.app.ticket_types.list(&ctx, event, &request.access_code, &page).await?;
    let (ticket_types, next_page_token) =
        api.encode_page(&ctx, &page_args, page, |(ticket_type, stock)| encode(ticket_type, stock.available));
    Ok(Answer::new(pb::GetTicketTypesResponse { ticket_types, next_page_token }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateTicketTypeRequest,
) -> Result<Answer<pb::UpdateTicketTypeResponse>> {
    let (id, ctx) =
        (TicketTypeId::parse("ticket_type_id", &request.ticket_type_id)?, at_version(ctx, &request.etag));
    check_event(&api, &ctx, &request.event_id, id).await?;
    let ticket_type = api.app.ticket_types.update(&ctx, id, change(request)?).await?;
    let available = available(&api.app, &ctx, id).await?;
    Ok(Answer::of(encode(ticket_type, available), |ticket_type| pb::UpdateTicketTypeResponse { ticket_type }))
}

pub(crate) async fn delete(
    api: Api,
    ctx: Ctx,
    request: pb::DeleteTicketTypeRequest,
) -> Result<Answer<pb::DeleteTicketTypeResponse>> {
    let (id, ctx) =
        (TicketTypeId::parse("ticket_type_id", &request.ticket_type_id)?, at_version(ctx, &request.etag));
    check_event(&api, &ctx, &request.event_id, id).await?;
    api.app.ticket_types.delete(&ctx, id).await?;
    Ok(Answer::new(pb::DeleteTicketTypeResponse {}))
}

/// Refuses a ticket type of another event than the event of the request. The service refuses an unknown ticket type.
async fn check_event(api: &Api, ctx: &Ctx, event: &str, id: TicketTypeId) -> Result<()> {
    if event.is_empty() {
        return Ok(());
    }
    let event = EventId::parse("event_id", event)?;
    match api.app.ticket_types.get(ctx, id, "").await {
        Ok((ticket_type, _)) if ticket_type.event != event => Err(Error::not_found("ticket-type")),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
