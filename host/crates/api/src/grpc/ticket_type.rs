//! Ticket types.

use tessera_core::id::{EventId, TicketTypeId};
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::catalog::available;
use crate::grpc::call::{Grpc, at};
use crate::grpc::convert::ticket_type::{change, create as command, ticket_type as shown};

pub(super) async fn create(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CreateTicketTypeRequest,
) -> Result<pb::CreateTicketTypeResponse> {
    let event = EventId::parse("event_id", &ask.event_id)?;
    let made = grpc.app.ticket_types.create(&ctx, event, command(ask)?).await?;
    let left = available(&grpc.app, &ctx, made.id).await?;
    Ok(pb::CreateTicketTypeResponse { ticket_type: Some(shown(made, left)) })
}

pub(super) async fn get(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::GetTicketTypeRequest,
) -> Result<pb::GetTicketTypeResponse> {
    let (held, stock) = grpc.app.ticket_types.get(&ctx, TicketTypeId::parse("id", &ask.id)?).await?;
    Ok(pb::GetTicketTypeResponse { ticket_type: Some(shown(held, stock.available)) })
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::GetTicketTypesRequest,
) -> Result<pb::GetTicketTypesResponse> {
    let held = grpc.app.ticket_types.list(&ctx, EventId::parse("event_id", &ask.event_id)?).await?;
    let ticket_types = held.into_iter().map(|(held, stock)| shown(held, stock.available)).collect();
    Ok(pb::GetTicketTypesResponse { ticket_types })
}

pub(super) async fn update(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UpdateTicketTypeRequest,
) -> Result<pb::UpdateTicketTypeResponse> {
    let (id, ctx) = (TicketTypeId::parse("id", &ask.id)?, at(ctx, &ask.etag));
    let held = grpc.app.ticket_types.update(&ctx, id, change(ask)?).await?;
    let left = available(&grpc.app, &ctx, id).await?;
    Ok(pb::UpdateTicketTypeResponse { ticket_type: Some(shown(held, left)) })
}

pub(super) async fn delete(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::DeleteTicketTypeRequest,
) -> Result<pb::DeleteTicketTypeResponse> {
    let (id, ctx) = (TicketTypeId::parse("id", &ask.id)?, at(ctx, &ask.etag));
    grpc.app.ticket_types.delete(&ctx, id).await?;
    Ok(pb::DeleteTicketTypeResponse {})
}
