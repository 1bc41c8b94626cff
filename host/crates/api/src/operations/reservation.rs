//! Reservations and availability.

use tessera_core::access::Operation;
use tessera_core::id::{EventId, ReservationId, TicketTypeId};
use tessera_core::inventory::availability::AvailableTypes;
use tessera_core::inventory::reservation::{MAX_PAGE, SPEC};
use tessera_core::text::Faults;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::read_u32;
use crate::convert::reservation::{
    available, rename_single_line, reservation as encode, reserve as read, tickets, unit_ids,
};
use crate::convert::{non_empty, time, to_i64};
use crate::operations::{Answer, Api, at_version, listing};

pub(crate) async fn reserve(
    api: Api,
    ctx: Ctx,
    request: pb::ReserveTicketsRequest,
) -> Result<Answer<pb::ReserveTicketsResponse>> {
    let is_single = request.lines.is_empty();
    let result = api.app.reservations.reserve(&ctx, read(request)?).await;
    let (reservation, passed_over) =
        result.map_err(|error| if is_single { rename_single_line(error) } else { error })?;
    Ok(Answer::of(encode(&reservation), |message| pb::ReserveTicketsResponse {
        reservation_id: reservation.id.to_string(),
        expires_at: time(reservation.expires_at),
        tickets: tickets(&reservation),
        reservation: message,
        passed_over,
    }))
}

pub(crate) async fn confirm(
    api: Api,
    ctx: Ctx,
    request: pb::ConfirmReservationRequest,
) -> Result<Answer<pb::ConfirmReservationResponse>> {
    let (id, ctx) =
        (ReservationId::parse("reservation_id", &request.reservation_id)?, at_version(ctx, &request.etag));
    let reservation = api.app.reservations.confirm(&ctx, id, request.payment_reference).await?;
    Ok(Answer::of(encode(&reservation), |reservation| pb::ConfirmReservationResponse { reservation }))
}

pub(crate) async fn extend(
    api: Api,
    ctx: Ctx,
    request: pb::ExtendReservationRequest,
) -> Result<Answer<pb::ExtendReservationResponse>> {
    let (id, ctx) =
        (ReservationId::parse("reservation_id", &request.reservation_id)?, at_version(ctx, &request.etag));
    let mut faults = Faults::default();
    let seconds = read_u32("timeout_seconds", Some(request.timeout_seconds), &mut faults);
    faults.into_result()?;
    let reservation = api.app.reservations.extend(&ctx, id, seconds.filter(|seconds| *seconds > 0)).await?;
    Ok(Answer::of(encode(&reservation), |reservation| pb::ExtendReservationResponse { reservation }))
}

pub(crate) async fn release(
    api: Api,
    ctx: Ctx,
    request: pb::ReleaseTicketsRequest,
) -> Result<Answer<pb::ReleaseTicketsResponse>> {
    let (id, ctx) =
        (ReservationId::parse("reservation_id", &request.reservation_id)?, at_version(ctx, &request.etag));
    let reservation = api.app.reservations.release(&ctx, id, unit_ids(&request.ticket_ids)?).await?;
    Ok(Answer::of(encode(&reservation), |reservation| pb::ReleaseTicketsResponse { reservation }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetReservationRequest,
) -> Result<Answer<pb::GetReservationResponse>> {
    let id = ReservationId::parse("reservation_id", &request.reservation_id)?;
    let reservation = api.app.reservations.get(&ctx, id).await?;
    Ok(Answer::of(encode(&reservation), |reservation| pb::GetReservationResponse { reservation }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListReservationsRequest,
) -> Result<Answer<pb::ListReservationsResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::ReservationList);
    let page = api.app.reservations.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (reservations, next_page_token) =
        api.encode_page(&ctx, &page_args, page, |reservation| encode(&reservation));
    Ok(Answer::new(pb::ListReservationsResponse { reservations, next_page_token }))
}

pub(crate) async fn available_tickets(
    api: Api,
    ctx: Ctx,
    request: pb::GetAvailableTicketsRequest,
) -> Result<Answer<pb::GetAvailableTicketsResponse>> {
    let event = EventId::parse("event_id", &request.event_id)?;
    let ticket_type =
        non_empty(request.ticket_type_id).map(|id| TicketTypeId::parse("ticket_type_id", &id)).transpose()?;
    let mut faults = Faults::default();
    let limit = read_u32("limit", Some(request.limit), &mut faults).unwrap_or_default();
    faults.into_result()?;
    let AvailableTypes { types, total } =
        api.app.availability.list(&ctx, event, ticket_type, limit, &request.access_code).await?;
    let tickets = types.into_iter().map(available).collect();
    Ok(Answer::new(pb::GetAvailableTicketsResponse { tickets, total_available: total.map(to_i64) }))
}
