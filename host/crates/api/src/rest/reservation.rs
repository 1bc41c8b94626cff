//! Reservations, and what can still be had.

use axum::extract::State;
use serde::Deserialize;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::id::{EventId, ReservationId, TicketTypeId};
use tessera_core::inventory::Reservation;
use tessera_core::inventory::reservation::{MAX_PAGE, SPEC};
use tessera_core::text::Faults;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::catalog::small;
use crate::request::etag;
use crate::rest::dto::reservation::{
    AvailableAnswer, CheckAnswer, CheckBody, ConfirmBody, ExtendBody, ReleaseBody, ReservationAnswer,
    ReservationBody, ReservationsPage, ReserveBody, ReservedAnswer,
};
use crate::rest::extract::{Ask, Id, Public, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .with(routes!(reserve, list))
        .with(routes!(get))
        .with(routes!(confirm))
        .with(routes!(extend))
        .with(routes!(release))
        .with(routes!(available))
        .with(routes!(check))
}

/// What is asked of an event's availability.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct AvailableQuery {
    /// One ticket type; absent: all that are on sale.
    ticket_type_id: Option<String>,
    /// At most so many seats of each type that has seats, up to 2,000; 0: 100.
    limit: i32,
}

fn shown(held: &Reservation) -> Reply<ReservationAnswer> {
    Reply::ok(ReservationAnswer { reservation: ReservationBody::from(held) }).tagged(&etag(held.version))
}

/// Claims units of an event's ticket types for a while, all or none of them.
#[utoipa::path(post, path = "/v1/reservations", operation_id = "reservation.create", tag = "reservations",
    request_body = ReserveBody, responses((status = 201, description = "What is held", body = ReservedAnswer)))]
async fn reserve(
    ctx: Ctx,
    State(rest): State<Rest>,
    Sent(body): Sent<ReserveBody>,
) -> Answer<ReservedAnswer> {
    let held = body.written().reserve(&rest.app, &ctx).await?;
    let location = format!("/v1/reservations/{}", held.id);
    Ok(Reply::created(location, ReservedAnswer::from(&held)).tagged(&etag(held.version)))
}

/// Lists reservations.
///
/// Filters: `event`, `buyer`, `state`, `created`, `expires`; order: `created`. At most 200 rows.
#[utoipa::path(get, path = "/v1/reservations", operation_id = "reservation.list", tag = "reservations",
    params(ListQuery), responses((status = 200, description = "A page of reservations", body = ReservationsPage)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Ask(ask): Ask<ListQuery>) -> Answer<ReservationsPage> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::ReservationList);
    let page = rest.app.reservations.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    let reservations = page.items.iter().map(ReservationBody::from).collect();
    Ok(Reply::ok(ReservationsPage { reservations, next_page_token }))
}

/// Shows a reservation.
#[utoipa::path(get, path = "/v1/reservations/{reservation_id}", operation_id = "reservation.get",
    tag = "reservations",
    responses((status = 200, description = "The reservation", body = ReservationAnswer)))]
async fn get(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<ReservationId>) -> Answer<ReservationAnswer> {
    Ok(shown(&rest.app.reservations.get(&ctx, id).await?))
}

/// Sells what is held.
#[utoipa::path(post, path = "/v1/reservations/{reservation_id}:confirm", operation_id = "reservation.confirm",
    tag = "reservations", request_body = ConfirmBody,
    responses((status = 200, description = "The reservation, confirmed", body = ReservationAnswer)))]
async fn confirm(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<ReservationId>,
    Sent(body): Sent<ConfirmBody>,
) -> Answer<ReservationAnswer> {
    Ok(shown(&rest.app.reservations.confirm(&ctx, id, body.payment_reference).await?))
}

/// Holds for longer, as far as the event allows.
#[utoipa::path(post, path = "/v1/reservations/{reservation_id}:extend", operation_id = "reservation.extend",
    tag = "reservations", request_body = ExtendBody,
    responses((status = 200, description = "The reservation with its new end", body = ReservationAnswer)))]
async fn extend(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<ReservationId>,
    Sent(body): Sent<ExtendBody>,
) -> Answer<ReservationAnswer> {
    let mut faults = Faults::default();
    let seconds = small("timeout_seconds", Some(body.timeout_seconds), &mut faults);
    faults.into_result()?;
    let seconds = seconds.filter(|seconds| *seconds > 0);
    Ok(shown(&rest.app.reservations.extend(&ctx, id, seconds).await?))
}

/// Gives back what is held, or a part of it.
#[utoipa::path(post, path = "/v1/reservations/{reservation_id}:release", operation_id = "reservation.release",
    tag = "reservations", request_body = ReleaseBody,
    responses((status = 200, description = "The reservation with what is left", body = ReservationAnswer)))]
async fn release(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<ReservationId>,
    Sent(body): Sent<ReleaseBody>,
) -> Answer<ReservationAnswer> {
    Ok(shown(&rest.app.reservations.release(&ctx, id, body.units()?).await?))
}

/// Lists what can be had of an event, with some of the free seats.
#[utoipa::path(get, path = "/v1/events/{event_id}/availability", operation_id = "availability.list",
    tag = "reservations", security(("bearer" = []), ()), params(AvailableQuery),
    responses((status = 200, description = "What can be had", body = AvailableAnswer)))]
async fn available(
    Public(ctx): Public,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Ask(ask): Ask<AvailableQuery>,
) -> Answer<AvailableAnswer> {
    let named = ask.ticket_type_id.map(|id| TicketTypeId::parse("ticket_type_id", &id)).transpose()?;
    let mut faults = Faults::default();
    let limit = small("limit", Some(ask.limit), &mut faults).unwrap_or_default();
    faults.into_result()?;
    let held = rest.app.availability.list(&ctx, event, named, limit).await?;
    Ok(Reply::ok(AvailableAnswer { tickets: held.into_iter().map(Into::into).collect() }))
}

/// Says whether so many units, or these seats, can be had now. Holds nothing.
#[utoipa::path(post, path = "/v1/events/{event_id}/availability:check", operation_id = "availability.check",
    tag = "reservations", security(("bearer" = []), ()), request_body = CheckBody,
    responses((status = 200, description = "Whether it can be had", body = CheckAnswer)))]
async fn check(
    Public(ctx): Public,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Sent(body): Sent<CheckBody>,
) -> Answer<CheckAnswer> {
    let ticket_type = TicketTypeId::parse("ticket_type_id", &body.ticket_type_id)?;
    let mut faults = Faults::default();
    let quantity = small("quantity", Some(body.quantity), &mut faults).unwrap_or_default();
    faults.into_result()?;
    let of = (event, ticket_type);
    let checked = rest.app.availability.check(&ctx, of, (quantity, &body.seat_numbers)).await?;
    Ok(Reply::ok(checked.into()))
}
