//! Supply: pools, units out of sale, seats.

use axum::extract::State;
use serde::Deserialize;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::catalog::TicketType;
use tessera_core::id::{EventId, LockId, PoolId, TicketTypeId};
use tessera_core::inventory::seat::SPEC;
use tessera_core::inventory::seats::MAX_PAGE;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::request::{AskedPage, etag};
use crate::rest::Rest;
use crate::rest::dto::Empty;
use crate::rest::dto::inventory::{
    CreateLockBody, CreatePoolBody, DeleteSeatsBody, ImportSeatsBody, LockAnswer, LockBody, LocksAnswer,
    PoolAnswer, PoolBody, PoolsAnswer, SeatBody, SeatCount, SeatsPage, UpdateInventoryBody,
};
use crate::rest::extract::{Ask, Id, Public, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::tokens::PageQuery;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .with(routes!(levels, update))
        .with(routes!(create_pool))
        .with(routes!(delete_pool))
        .with(routes!(lock, locks))
        .with(routes!(unlock))
        .with(routes!(import_seats, list_seats))
        .with(routes!(delete_seats))
}

/// Which page of seats.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct SeatsQuery {
    /// At most so many: 1 to 1,000; 0 means 50, more means 1,000.
    page_size: i64,
    /// Where the page before ended; absent: the first page.
    page_token: String,
    /// Which seats: `free:true` or `free:false`; absent: all.
    filter: String,
}

/// Shows how much of each of an event's pools is held, sold, locked and free.
#[utoipa::path(get, path = "/v1/events/{event_id}/inventory", operation_id = "inventory.get", tag = "inventory",
    responses((status = 200, description = "The pools", body = PoolsAnswer)))]
async fn levels(ctx: Ctx, State(rest): State<Rest>, Id(event): Id<EventId>) -> Answer<PoolsAnswer> {
    let pools = rest.app.supplies.levels(&ctx, event).await?;
    Ok(Reply::ok(PoolsAnswer { pools: pools.iter().map(PoolBody::from).collect() }))
}

/// Gives pools other capacities, all or none, never below what is held, sold and locked.
#[utoipa::path(patch, path = "/v1/events/{event_id}/inventory", operation_id = "inventory.update",
    tag = "inventory", request_body = UpdateInventoryBody,
    responses((status = 200, description = "The pools", body = PoolsAnswer)))]
async fn update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Sent(body): Sent<UpdateInventoryBody>,
) -> Answer<PoolsAnswer> {
    let pools = rest.app.supplies.update(&ctx, event, body.capacities()?).await?;
    Ok(Reply::ok(PoolsAnswer { pools: pools.iter().map(PoolBody::from).collect() }))
}

/// Makes a pool that several ticket types may draw on.
#[utoipa::path(post, path = "/v1/events/{event_id}/pools", operation_id = "pool.create", tag = "inventory",
    request_body = CreatePoolBody, responses((status = 201, description = "The pool", body = PoolAnswer)))]
async fn create_pool(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Sent(body): Sent<CreatePoolBody>,
) -> Answer<PoolAnswer> {
    let pool = rest.app.supplies.create_pool(&ctx, event, body.command()?).await?;
    Ok(Reply::made(PoolAnswer { pool: PoolBody::from(&pool) }).tagged(&etag(pool.version)))
}

/// Removes a shared pool on which no ticket type draws.
#[utoipa::path(delete, path = "/v1/events/{event_id}/pools/{pool_id}", operation_id = "pool.delete",
    tag = "inventory", responses((status = 200, description = "It is gone", body = Empty)))]
async fn delete_pool(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Id(id): Id<PoolId>,
) -> Answer<Empty> {
    rest.app.supplies.delete_pool(&ctx, event, id).await?;
    Ok(Reply::ok(Empty {}))
}

/// Takes units out of sale.
#[utoipa::path(post, path = "/v1/events/{event_id}/locks", operation_id = "inventory.lock", tag = "inventory",
    request_body = CreateLockBody, responses((status = 201, description = "What is out of sale", body = LockAnswer)))]
async fn lock(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Sent(body): Sent<CreateLockBody>,
) -> Answer<LockAnswer> {
    let lock = rest.app.supplies.lock(&ctx, event, body.command()?).await?;
    Ok(Reply::made(LockAnswer { lock: LockBody::from(lock) }))
}

/// Lists an event's units that are out of sale.
#[utoipa::path(get, path = "/v1/events/{event_id}/locks", operation_id = "inventory.locks", tag = "inventory",
    responses((status = 200, description = "The locks", body = LocksAnswer)))]
async fn locks(ctx: Ctx, State(rest): State<Rest>, Id(event): Id<EventId>) -> Answer<LocksAnswer> {
    let locks = rest.app.supplies.locks(&ctx, event).await?;
    Ok(Reply::ok(LocksAnswer { locks: locks.into_iter().map(LockBody::from).collect() }))
}

/// Gives units back into sale.
#[utoipa::path(delete, path = "/v1/locks/{lock_id}", operation_id = "inventory.unlock", tag = "inventory",
    responses((status = 200, description = "They are back", body = Empty)))]
async fn unlock(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<LockId>) -> Answer<Empty> {
    rest.app.supplies.unlock(&ctx, id).await?;
    Ok(Reply::ok(Empty {}))
}

fn seated(held: &TicketType) -> Reply<SeatCount> {
    Reply::ok(SeatCount { quantity: held.attributes.quantity.unwrap_or_default() })
        .tagged(&etag(held.version))
}

/// Adds seats to a ticket type of which nothing was sold without one. Their number is its quantity.
#[utoipa::path(post, path = "/v1/tickets/types/{ticket_type_id}/seats", operation_id = "seat.import",
    tag = "inventory", request_body = ImportSeatsBody,
    responses((status = 200, description = "How many seats there are now", body = SeatCount)))]
async fn import_seats(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<TicketTypeId>,
    Sent(body): Sent<ImportSeatsBody>,
) -> Answer<SeatCount> {
    Ok(seated(&rest.app.supplies.import_seats(&ctx, id, body.command()?).await?))
}

/// Lists a ticket type's seats by row and number.
#[utoipa::path(get, path = "/v1/tickets/types/{ticket_type_id}/seats", operation_id = "seat.list",
    tag = "inventory", security(("bearer" = []), ()), params(SeatsQuery),
    responses((status = 200, description = "A page of seats", body = SeatsPage)))]
async fn list_seats(
    Public(ctx): Public,
    State(rest): State<Rest>,
    Id(id): Id<TicketTypeId>,
    Ask(ask): Ask<SeatsQuery>,
) -> Answer<SeatsPage> {
    let named = id.to_string();
    let scope = [named.as_str()];
    let query =
        PageQuery { operation: Operation::SeatList, filter: &ask.filter, order_by: "", scope: &scope };
    let asked = AskedPage { spec: &SPEC, max: MAX_PAGE, size: ask.page_size, token: &ask.page_token, query };
    let page = rest.app.supplies.seats(&ctx, id, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(SeatsPage { seats: page.items.into_iter().map(SeatBody::from).collect(), next_page_token }))
}

/// Removes seats that are free.
#[utoipa::path(post, path = "/v1/tickets/types/{ticket_type_id}:delete_seats", operation_id = "seat.delete",
    tag = "inventory", request_body = DeleteSeatsBody,
    responses((status = 200, description = "How many seats there are now", body = SeatCount)))]
async fn delete_seats(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<TicketTypeId>,
    Sent(body): Sent<DeleteSeatsBody>,
) -> Answer<SeatCount> {
    Ok(seated(&rest.app.supplies.delete_seats(&ctx, id, body.seat_numbers).await?))
}
