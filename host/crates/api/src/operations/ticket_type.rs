//! Ticket types.

use tessera_core::id::{EventId, TicketTypeId};
use tessera_core::{Ctx, Error, ErrorKind, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::available;
use crate::convert::ticket_type::{change, create as command, ticket_type as encode};
use crate::operations::{Answer, Api, at_version};

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreateTicketTypeRequest,
) -> Result<Answer<pb::CreateTicketTypeResponse>> {
    let event = EventId::parse("event_id", &request.event_id)?;
    let ticket_type = api.app.ticket_types.create(&ctx, event, command(request)?).await?;
    let left = available(&api.app, &ctx, ticket_type.id).await?;
    Ok(Answer::of(encode(ticket_type, left), |ticket_type| pb::CreateTicketTypeResponse { ticket_type }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetTicketTypeRequest,
) -> Result<Answer<pb::GetTicketTypeResponse>> {
    let id = TicketTypeId::parse("ticket_type_id", &request.ticket_type_id)?;
    check_event(&api, &ctx, &request.event_id, id).await?;
    let (ticket_type, stock) = api.app.ticket_types.get(&ctx, id).await?;
    Ok(Answer::of(encode(ticket_type, stock.available), |ticket_type| pb::GetTicketTypeResponse {
        ticket_type,
    }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::GetTicketTypesRequest,
) -> Result<Answer<pb::GetTicketTypesResponse>> {
    let types = api.app.ticket_types.list(&ctx, EventId::parse("event_id", &request.event_id)?).await?;
    let ticket_types =
        types.into_iter().map(|(ticket_type, stock)| encode(ticket_type, stock.available)).collect();
    Ok(Answer::new(pb::GetTicketTypesResponse { ticket_types }))
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
    let left = available(&api.app, &ctx, id).await?;
    Ok(Answer::of(encode(ticket_type, left), |ticket_type| pb::UpdateTicketTypeResponse { ticket_type }))
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

/// Refuses a ticket type of another event than the one that the request names. The service refuses a type that does not
/// exist.
async fn check_event(api: &Api, ctx: &Ctx, event: &str, id: TicketTypeId) -> Result<()> {
    if event.is_empty() {
        return Ok(());
    }
    let event = EventId::parse("event_id", event)?;
    match api.app.ticket_types.get(ctx, id).await {
        Ok((ticket_type, _)) if ticket_type.event != event => Err(Error::not_found("ticket-type")),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
