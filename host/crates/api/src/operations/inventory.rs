//! Supply: pools, locks, seats.

use tessera_core::access::Operation;
use tessera_core::catalog::TicketType;
use tessera_core::id::{EventId, LockId, PoolId, TicketTypeId};
use tessera_core::inventory::seat::SPEC;
use tessera_core::inventory::seats::MAX_PAGE;
use tessera_core::text::Faults;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::read_u32;
use crate::convert::inventory::{
    capacities, create_lock, create_pool as new_pool, create_seats, lock as encode_lock, pool as encode_pool,
    seat,
};
use crate::convert::to_i64;
use crate::operations::{Answer, Api, at_version, listing};

pub(crate) async fn check(
    api: Api,
    ctx: Ctx,
    request: pb::CheckAvailabilityRequest,
) -> Result<Answer<pb::CheckAvailabilityResponse>> {
    let subject = (
        EventId::parse("event_id", &request.event_id)?,
        TicketTypeId::parse("ticket_type_id", &request.ticket_type_id)?,
    );
    let mut faults = Faults::default();
    let quantity = read_u32("quantity", Some(request.quantity), &mut faults).unwrap_or_default();
    faults.into_result()?;
    let wanted = (quantity, &request.seat_numbers[..]);
    let result = api.app.availability.check(&ctx, subject, wanted, &request.access_code).await?;
    Ok(Answer::new(pb::CheckAvailabilityResponse {
        available: result.available,
        available_quantity: result.quantity.map(to_i64),
        available_seats: result.seats,
        message: result.message,
    }))
}

pub(crate) async fn levels(
    api: Api,
    ctx: Ctx,
    request: pb::GetInventoryLevelsRequest,
) -> Result<Answer<pb::GetInventoryLevelsResponse>> {
    let pools = api.app.supplies.levels(&ctx, EventId::parse("event_id", &request.event_id)?).await?;
    Ok(Answer::new(pb::GetInventoryLevelsResponse { pools: pools.iter().map(encode_pool).collect() }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateInventoryRequest,
) -> Result<Answer<pb::UpdateInventoryResponse>> {
    let event = EventId::parse("event_id", &request.event_id)?;
    let pools = api.app.supplies.update(&ctx, event, capacities(&request.pools)?).await?;
    Ok(Answer::new(pb::UpdateInventoryResponse { pools: pools.iter().map(encode_pool).collect() }))
}

pub(crate) async fn create_pool(
    api: Api,
    ctx: Ctx,
    request: pb::CreatePoolRequest,
) -> Result<Answer<pb::CreatePoolResponse>> {
    let event = EventId::parse("event_id", &request.event_id)?;
    let pool = api.app.supplies.create_pool(&ctx, event, new_pool(request)?).await?;
    Ok(Answer::of(encode_pool(&pool), |pool| pb::CreatePoolResponse { pool }))
}

pub(crate) async fn delete_pool(
    api: Api,
    ctx: Ctx,
    request: pb::DeletePoolRequest,
) -> Result<Answer<pb::DeletePoolResponse>> {
    let (event, id) =
        (EventId::parse("event_id", &request.event_id)?, PoolId::parse("pool_id", &request.pool_id)?);
    api.app.supplies.delete_pool(&at_version(ctx, &request.etag), event, id).await?;
    Ok(Answer::new(pb::DeletePoolResponse {}))
}

pub(crate) async fn lock(
    api: Api,
    ctx: Ctx,
    request: pb::LockInventoryRequest,
) -> Result<Answer<pb::LockInventoryResponse>> {
    let event = EventId::parse("event_id", &request.event_id)?;
    let lock = api.app.supplies.lock(&ctx, event, create_lock(request)?).await?;
    Ok(Answer::of(encode_lock(lock), |lock| pb::LockInventoryResponse { lock }))
}

pub(crate) async fn unlock(
    api: Api,
    ctx: Ctx,
    request: pb::UnlockInventoryRequest,
) -> Result<Answer<pb::UnlockInventoryResponse>> {
    api.app.supplies.unlock(&ctx, LockId::parse("lock_id", &request.lock_id)?).await?;
    Ok(Answer::new(pb::UnlockInventoryResponse {}))
}

pub(crate) async fn locks(
    api: Api,
    ctx: Ctx,
    request: pb::ListLocksRequest,
) -> Result<Answer<pb::ListLocksResponse>> {
    let locks = api.app.supplies.locks(&ctx, EventId::parse("event_id", &request.event_id)?).await?;
    Ok(Answer::new(pb::ListLocksResponse { locks: locks.into_iter().map(encode_lock).collect() }))
}

fn seats_of(ticket_type: &TicketType) -> i64 {
    ticket_type.attributes.quantity.map(to_i64).unwrap_or_default()
}

pub(crate) async fn import_seats(
    api: Api,
    ctx: Ctx,
    request: pb::ImportSeatsRequest,
) -> Result<Answer<pb::ImportSeatsResponse>> {
    let id = TicketTypeId::parse("ticket_type_id", &request.ticket_type_id)?;
    let ticket_type = api
        .app
        .supplies
        .import_seats(&at_version(ctx, &request.etag), id, create_seats(request.seats)?)
        .await?;
    Ok(Answer::new(pb::ImportSeatsResponse { quantity: seats_of(&ticket_type) }))
}

pub(crate) async fn delete_seats(
    api: Api,
    ctx: Ctx,
    request: pb::DeleteSeatsRequest,
) -> Result<Answer<pb::DeleteSeatsResponse>> {
    let id = TicketTypeId::parse("ticket_type_id", &request.ticket_type_id)?;
    let ticket_type =
        api.app.supplies.delete_seats(&at_version(ctx, &request.etag), id, request.seat_numbers).await?;
    Ok(Answer::new(pb::DeleteSeatsResponse { quantity: seats_of(&ticket_type) }))
}

pub(crate) async fn list_seats(
    api: Api,
    ctx: Ctx,
    request: pb::ListSeatsRequest,
) -> Result<Answer<pb::ListSeatsResponse>> {
    let id = TicketTypeId::parse("ticket_type_id", &request.ticket_type_id)?;
    let scope = [request.ticket_type_id.as_str()];
    let page_args =
        listing!(request, &request.filter, "").within(&SPEC, MAX_PAGE, Operation::SeatList, &scope);
    let page = api.page(&ctx, &page_args)?;
    let page = api.app.supplies.seats(&ctx, id, &request.access_code, &page).await?;
    let (seats, next_page_token) = api.encode_page(&ctx, &page_args, page, seat);
    Ok(Answer::new(pb::ListSeatsResponse { seats, next_page_token }))
}
