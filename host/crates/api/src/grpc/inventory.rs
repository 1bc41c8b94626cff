//! Supply: pools, units out of sale, seats.

use tessera_core::access::Operation;
use tessera_core::catalog::TicketType;
use tessera_core::id::{EventId, LockId, PoolId, TicketTypeId};
use tessera_core::inventory::seat::SPEC;
use tessera_core::inventory::seats::MAX_PAGE;
use tessera_core::text::Faults;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::catalog::small;
use crate::grpc::call::{Grpc, at};
use crate::grpc::convert::inventory::{
    capacities, create_lock, create_pool as new_pool, create_seats, lock as shown_lock, pool, seat,
};
use crate::grpc::convert::large;
use crate::request::AskedPage;
use crate::tokens::PageQuery;

pub(super) async fn check(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CheckAvailabilityRequest,
) -> Result<pb::CheckAvailabilityResponse> {
    let of = (
        EventId::parse("event_id", &ask.event_id)?,
        TicketTypeId::parse("ticket_type_id", &ask.ticket_type_id)?,
    );
    let mut faults = Faults::default();
    let quantity = small("quantity", Some(ask.quantity), &mut faults).unwrap_or_default();
    faults.into_result()?;
    let checked = grpc.app.availability.check(&ctx, of, (quantity, &ask.seat_numbers)).await?;
    Ok(pb::CheckAvailabilityResponse {
        available: checked.available,
        available_quantity: checked.quantity.map(large),
        available_seats: checked.seats,
        message: checked.message,
    })
}

pub(super) async fn levels(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::GetInventoryLevelsRequest,
) -> Result<pb::GetInventoryLevelsResponse> {
    let pools = grpc.app.supplies.levels(&ctx, EventId::parse("event_id", &ask.event_id)?).await?;
    Ok(pb::GetInventoryLevelsResponse { pools: pools.iter().map(pool).collect() })
}

pub(super) async fn update(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UpdateInventoryRequest,
) -> Result<pb::UpdateInventoryResponse> {
    let event = EventId::parse("event_id", &ask.event_id)?;
    let pools = grpc.app.supplies.update(&ctx, event, capacities(&ask.pools)?).await?;
    Ok(pb::UpdateInventoryResponse { pools: pools.iter().map(pool).collect() })
}

pub(super) async fn create_pool(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CreatePoolRequest,
) -> Result<pb::CreatePoolResponse> {
    let event = EventId::parse("event_id", &ask.event_id)?;
    let made = grpc.app.supplies.create_pool(&ctx, event, new_pool(ask)?).await?;
    Ok(pb::CreatePoolResponse { pool: Some(pool(&made)) })
}

pub(super) async fn delete_pool(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::DeletePoolRequest,
) -> Result<pb::DeletePoolResponse> {
    let (event, id) = (EventId::parse("event_id", &ask.event_id)?, PoolId::parse("pool_id", &ask.pool_id)?);
    grpc.app.supplies.delete_pool(&at(ctx, &ask.etag), event, id).await?;
    Ok(pb::DeletePoolResponse {})
}

pub(super) async fn lock(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::LockInventoryRequest,
) -> Result<pb::LockInventoryResponse> {
    let event = EventId::parse("event_id", &ask.event_id)?;
    let lock = grpc.app.supplies.lock(&ctx, event, create_lock(ask)?).await?;
    Ok(pb::LockInventoryResponse { lock: Some(shown_lock(lock)) })
}

pub(super) async fn unlock(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UnlockInventoryRequest,
) -> Result<pb::UnlockInventoryResponse> {
    grpc.app.supplies.unlock(&ctx, LockId::parse("lock_id", &ask.lock_id)?).await?;
    Ok(pb::UnlockInventoryResponse {})
}

pub(super) async fn locks(grpc: &Grpc, ctx: Ctx, ask: pb::ListLocksRequest) -> Result<pb::ListLocksResponse> {
    let locks = grpc.app.supplies.locks(&ctx, EventId::parse("event_id", &ask.event_id)?).await?;
    Ok(pb::ListLocksResponse { locks: locks.into_iter().map(shown_lock).collect() })
}

fn seats_of(held: &TicketType) -> i64 {
    held.attributes.quantity.map(large).unwrap_or_default()
}

pub(super) async fn import_seats(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ImportSeatsRequest,
) -> Result<pb::ImportSeatsResponse> {
    let id = TicketTypeId::parse("ticket_type_id", &ask.ticket_type_id)?;
    let held = grpc.app.supplies.import_seats(&at(ctx, &ask.etag), id, create_seats(ask.seats)?).await?;
    Ok(pb::ImportSeatsResponse { quantity: seats_of(&held) })
}

pub(super) async fn delete_seats(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::DeleteSeatsRequest,
) -> Result<pb::DeleteSeatsResponse> {
    let id = TicketTypeId::parse("ticket_type_id", &ask.ticket_type_id)?;
    let held = grpc.app.supplies.delete_seats(&at(ctx, &ask.etag), id, ask.seat_numbers).await?;
    Ok(pb::DeleteSeatsResponse { quantity: seats_of(&held) })
}

pub(super) async fn list_seats(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListSeatsRequest,
) -> Result<pb::ListSeatsResponse> {
    let id = TicketTypeId::parse("ticket_type_id", &ask.ticket_type_id)?;
    let scope = [ask.ticket_type_id.as_str()];
    let query =
        PageQuery { operation: Operation::SeatList, filter: &ask.filter, order_by: "", scope: &scope };
    let (spec, max) = (&SPEC, MAX_PAGE);
    let asked = AskedPage { spec, max, size: ask.page_size.into(), token: &ask.page_token, query };
    let page = grpc.app.supplies.seats(&ctx, id, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::ListSeatsResponse { seats: page.items.into_iter().map(seat).collect(), next_page_token })
}
