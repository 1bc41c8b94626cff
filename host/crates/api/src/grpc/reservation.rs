//! Reservations, and what can still be had.

use tessera_core::access::Operation;
use tessera_core::id::{EventId, ReservationId, TicketTypeId};
use tessera_core::inventory::reservation::{MAX_PAGE, SPEC};
use tessera_core::text::Faults;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::catalog::small;
use crate::grpc::call::{Grpc, Listing, at};
use crate::grpc::convert::reservation::{available, reservation as shown, reserve as asked, tickets};
use crate::grpc::convert::{given, time};
use crate::inventory::unit_ids;

pub(super) async fn reserve(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ReserveTicketsRequest,
) -> Result<pb::ReserveTicketsResponse> {
    let held = asked(ask).reserve(&grpc.app, &ctx).await?;
    Ok(pb::ReserveTicketsResponse {
        reservation_id: held.id.to_string(),
        expires_at: time(held.expires_at),
        tickets: tickets(&held),
        reservation: Some(shown(&held)),
    })
}

pub(super) async fn confirm(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ConfirmReservationRequest,
) -> Result<pb::ConfirmReservationResponse> {
    let (id, ctx) = (ReservationId::parse("reservation_id", &ask.reservation_id)?, at(ctx, &ask.etag));
    let held = grpc.app.reservations.confirm(&ctx, id, ask.payment_reference).await?;
    Ok(pb::ConfirmReservationResponse { reservation: Some(shown(&held)) })
}

pub(super) async fn extend(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ExtendReservationRequest,
) -> Result<pb::ExtendReservationResponse> {
    let (id, ctx) = (ReservationId::parse("reservation_id", &ask.reservation_id)?, at(ctx, &ask.etag));
    let mut faults = Faults::default();
    let seconds = small("timeout_seconds", Some(ask.timeout_seconds), &mut faults);
    faults.into_result()?;
    let held = grpc.app.reservations.extend(&ctx, id, seconds.filter(|seconds| *seconds > 0)).await?;
    Ok(pb::ExtendReservationResponse { reservation: Some(shown(&held)) })
}

pub(super) async fn release(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ReleaseTicketsRequest,
) -> Result<pb::ReleaseTicketsResponse> {
    let (id, ctx) = (ReservationId::parse("reservation_id", &ask.reservation_id)?, at(ctx, &ask.etag));
    let held = grpc.app.reservations.release(&ctx, id, unit_ids(&ask.ticket_ids)?).await?;
    Ok(pb::ReleaseTicketsResponse { reservation: Some(shown(&held)) })
}

pub(super) async fn get(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::GetReservationRequest,
) -> Result<pb::GetReservationResponse> {
    let id = ReservationId::parse("reservation_id", &ask.reservation_id)?;
    let held = grpc.app.reservations.get(&ctx, id).await?;
    Ok(pb::GetReservationResponse { reservation: Some(shown(&held)) })
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListReservationsRequest,
) -> Result<pb::ListReservationsResponse> {
    let listing =
        Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: &ask.order_by };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::ReservationList);
    let page = grpc.app.reservations.list(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::ListReservationsResponse { reservations: page.items.iter().map(shown).collect(), next_page_token })
}

pub(super) async fn available_tickets(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::GetAvailableTicketsRequest,
) -> Result<pb::GetAvailableTicketsResponse> {
    let event = EventId::parse("event_id", &ask.event_id)?;
    let named = given(ask.ticket_type_id).map(|id| TicketTypeId::parse("ticket_type_id", &id)).transpose()?;
    let mut faults = Faults::default();
    let limit = small("limit", Some(ask.limit), &mut faults).unwrap_or_default();
    faults.into_result()?;
    let held = grpc.app.availability.list(&ctx, event, named, limit).await?;
    Ok(pb::GetAvailableTicketsResponse { tickets: held.into_iter().map(available).collect() })
}
