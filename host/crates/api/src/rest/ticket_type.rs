//! Ticket types: those of an event, and each by itself.

use axum::extract::State;
use serde::Deserialize;
use tessera_core::catalog::TicketType;
use tessera_core::id::{EventId, TicketTypeId};
use tessera_core::{Ctx, Error, ErrorKind, Result};
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::catalog::available;
use crate::rest::Rest;
use crate::rest::dto::Empty;
use crate::rest::dto::ticket_type::{
    TicketTypeAnswer, TicketTypeBody, TicketTypePatch, TicketTypes, WriteTicketTypeBody,
};
use crate::rest::event::ALIAS;
use crate::rest::extract::{Ask, Id, Public, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .with_alias(ALIAS, routes!(create, list))
        .with_alias(ALIAS, routes!(get, replace, update, delete))
        .with_alias(ALIAS, routes!(of_event))
        .with_alias(ALIAS, routes!(by_id))
}

/// Whose ticket types are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct TypesQuery {
    /// The event.
    #[param(required = true)]
    event_id: String,
}

fn shown(held: TicketType, available: Option<u64>) -> Reply<TicketTypeAnswer> {
    let ticket_type = TicketTypeBody::new(held, available);
    let tag = ticket_type.etag.clone();
    Reply::ok(TicketTypeAnswer { ticket_type }).tagged(&tag)
}

async fn all(rest: &Rest, ctx: &Ctx, event: EventId) -> Answer<TicketTypes> {
    let held = rest.app.ticket_types.list(ctx, event).await?;
    let ticket_types =
        held.into_iter().map(|(held, stock)| TicketTypeBody::new(held, stock.available)).collect();
    Ok(Reply::ok(TicketTypes { ticket_types }))
}

/// Refuses a type that is another event's. Of one that does not exist, the core says so.
async fn is_of(rest: &Rest, ctx: &Ctx, event: EventId, id: TicketTypeId) -> Result<()> {
    match rest.app.ticket_types.get(ctx, id).await {
        Ok((held, _)) if held.event != event => Err(Error::not_found("ticket-type")),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Makes a ticket type.
#[utoipa::path(post, path = "/v1/events/{event_id}/tickets", operation_id = "ticket_type.create", tag = "events",
    request_body = WriteTicketTypeBody,
    responses((status = 201, description = "The ticket type", body = TicketTypeAnswer)))]
async fn create(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Sent(body): Sent<WriteTicketTypeBody>,
) -> Answer<TicketTypeAnswer> {
    let made = rest.app.ticket_types.create(&ctx, event, body.command()?).await?;
    let left = available(&rest.app, &ctx, made.id).await?;
    let ticket_type = TicketTypeBody::new(made, left);
    let (tag, location) =
        (ticket_type.etag.clone(), format!("/v1/events/{event}/tickets/{}", ticket_type.id));
    Ok(Reply::created(location, TicketTypeAnswer { ticket_type }).tagged(&tag))
}

/// Lists an event's ticket types, oldest first, with what is left of each.
#[utoipa::path(get, path = "/v1/events/{event_id}/tickets", operation_id = "ticket_type.list", tag = "events",
    security(("bearer" = []), ()), responses((status = 200, description = "The ticket types", body = TicketTypes)))]
async fn list(Public(ctx): Public, State(rest): State<Rest>, Id(event): Id<EventId>) -> Answer<TicketTypes> {
    all(&rest, &ctx, event).await
}

/// Lists the ticket types of the event that the query names.
#[utoipa::path(get, path = "/v1/tickets/types", operation_id = "ticket_type.of_event", tag = "events",
    security(("bearer" = []), ()), params(TypesQuery),
    responses((status = 200, description = "The ticket types", body = TicketTypes)))]
async fn of_event(
    Public(ctx): Public,
    State(rest): State<Rest>,
    Ask(ask): Ask<TypesQuery>,
) -> Answer<TicketTypes> {
    all(&rest, &ctx, EventId::parse("event_id", &ask.event_id)?).await
}

/// Shows a ticket type of an event, with what is left of it.
#[utoipa::path(get, path = "/v1/events/{event_id}/tickets/{ticket_type_id}", operation_id = "ticket_type.get",
    tag = "events", security(("bearer" = []), ()),
    responses((status = 200, description = "The ticket type", body = TicketTypeAnswer)))]
async fn get(
    Public(ctx): Public,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Id(id): Id<TicketTypeId>,
) -> Answer<TicketTypeAnswer> {
    is_of(&rest, &ctx, event, id).await?;
    let (held, stock) = rest.app.ticket_types.get(&ctx, id).await?;
    Ok(shown(held, stock.available))
}

/// Shows a ticket type, with what is left of it.
#[utoipa::path(get, path = "/v1/tickets/types/{ticket_type_id}", operation_id = "ticket_type.by_id", tag = "events",
    security(("bearer" = []), ()),
    responses((status = 200, description = "The ticket type", body = TicketTypeAnswer)))]
async fn by_id(
    Public(ctx): Public,
    State(rest): State<Rest>,
    Id(id): Id<TicketTypeId>,
) -> Answer<TicketTypeAnswer> {
    let (held, stock) = rest.app.ticket_types.get(&ctx, id).await?;
    Ok(shown(held, stock.available))
}

/// Replaces all of a ticket type.
#[utoipa::path(put, path = "/v1/events/{event_id}/tickets/{ticket_type_id}", operation_id = "ticket_type.replace",
    tag = "events", request_body = WriteTicketTypeBody,
    responses((status = 200, description = "The ticket type", body = TicketTypeAnswer)))]
async fn replace(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Id(id): Id<TicketTypeId>,
    Sent(body): Sent<WriteTicketTypeBody>,
) -> Answer<TicketTypeAnswer> {
    is_of(&rest, &ctx, event, id).await?;
    let held = rest.app.ticket_types.update(&ctx, id, body.command()?.into()).await?;
    Ok(shown(held, available(&rest.app, &ctx, id).await?))
}

/// Changes a ticket type.
#[utoipa::path(patch, path = "/v1/events/{event_id}/tickets/{ticket_type_id}", operation_id = "ticket_type.update",
    tag = "events", request_body = TicketTypePatch,
    responses((status = 200, description = "The ticket type", body = TicketTypeAnswer)))]
async fn update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Id(id): Id<TicketTypeId>,
    Sent(body): Sent<TicketTypePatch>,
) -> Answer<TicketTypeAnswer> {
    is_of(&rest, &ctx, event, id).await?;
    let held = rest.app.ticket_types.update(&ctx, id, body.command()?).await?;
    Ok(shown(held, available(&rest.app, &ctx, id).await?))
}

/// Removes a ticket type of which nothing was sold or is held.
#[utoipa::path(delete, path = "/v1/events/{event_id}/tickets/{ticket_type_id}", operation_id = "ticket_type.delete",
    tag = "events", responses((status = 200, description = "It is gone", body = Empty)))]
async fn delete(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Id(id): Id<TicketTypeId>,
) -> Answer<Empty> {
    is_of(&rest, &ctx, event, id).await?;
    rest.app.ticket_types.delete(&ctx, id).await?;
    Ok(Reply::ok(Empty {}))
}
