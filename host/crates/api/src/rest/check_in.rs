//! The door.

use axum::extract::State;
use serde::Deserialize;
use tessera_core::access::Operation;
use tessera_core::admission::check_in::{MAX_PAGE, SPEC};
use tessera_core::id::{CheckInId, EventId};
use tessera_core::{Ctx, Timestamp};
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::request::AskedPage;
use crate::rest::dto::check_in::{
    CheckInAnswer, CheckInBatchAnswer, CheckInBatchBody, CheckInBody, CheckInRecordAnswer, CheckInsPage,
    EventStatsAnswer, ValidateTicketAnswer, ValidateTicketBody,
};
use crate::rest::extract::{Ask, Id, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};
use crate::tokens::PageQuery;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .with(routes!(validate))
        .with(routes!(create, list))
        .with(routes!(batch))
        .with(routes!(stats))
        .with(routes!(get))
        .with(routes!(undo))
}

/// Which minutes are told.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct StatsQuery {
    /// From when on minutes are told, for a day; absent: the last day.
    since: Option<String>,
}

/// Says whether a ticket would be let through. Changes nothing.
#[utoipa::path(post, path = "/v1/events/{event_id}/check-ins:validate", operation_id = "ticket.validate",
    tag = "check-ins", request_body = ValidateTicketBody,
    responses((status = 200, description = "What it is worth", body = ValidateTicketAnswer)))]
async fn validate(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Sent(body): Sent<ValidateTicketBody>,
) -> Answer<ValidateTicketAnswer> {
    Ok(Reply::ok(rest.app.door.inspect(&ctx, &body.asked(event)?).await?.into()))
}

/// Lets somebody in, or out.
///
/// Of many who show one ticket at once, one comes in; the others learn when and where it was used.
#[utoipa::path(post, path = "/v1/events/{event_id}/check-ins", operation_id = "check_in.create", tag = "check-ins",
    request_body = CheckInBody,
    responses((status = 201, description = "What was recorded", body = CheckInAnswer)))]
async fn create(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Sent(body): Sent<CheckInBody>,
) -> Answer<CheckInAnswer> {
    let held = rest.app.door.check_in(&ctx, body.asked(event)?).await?;
    let location = format!("/v1/check-ins/{}", held.id);
    Ok(Reply::created(location, held.into()))
}

/// Records what a device without a connection noted, each scan by itself.
///
/// Whatever the order in which devices report, and however often, the end is the same.
#[utoipa::path(post, path = "/v1/events/{event_id}/check-ins:batch", operation_id = "check_in.merge",
    tag = "check-ins", request_body = CheckInBatchBody,
    responses((status = 200, description = "What became of each", body = CheckInBatchAnswer)))]
async fn batch(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Sent(body): Sent<CheckInBatchBody>,
) -> Answer<CheckInBatchAnswer> {
    let results = rest.app.door.merge(&ctx, event, body.scans(event)).await?;
    Ok(Reply::ok(CheckInBatchAnswer { results: results.into_iter().map(Into::into).collect() }))
}

/// Lists an event's check-ins.
///
/// Filters: `ticket`, `gate`, `device`, `staff`, `direction`, `verdict`, `undone`, `at`; order: `at`. At most 200 rows.
#[utoipa::path(get, path = "/v1/events/{event_id}/check-ins", operation_id = "check_in.list", tag = "check-ins",
    params(ListQuery), responses((status = 200, description = "A page of check-ins", body = CheckInsPage)))]
async fn list(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Ask(ask): Ask<ListQuery>,
) -> Answer<CheckInsPage> {
    let named = event.to_string();
    let (operation, scope) = (Operation::CheckInList, [named.as_str()]);
    let query = PageQuery { operation, filter: &ask.filter, order_by: &ask.order_by, scope: &scope };
    let asked = AskedPage { spec: &SPEC, max: MAX_PAGE, size: ask.page_size, token: &ask.page_token, query };
    let page = rest.app.door.list(&ctx, event, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(CheckInsPage { records: page.items.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Counts an event's tickets, and who went through its gates.
#[utoipa::path(get, path = "/v1/events/{event_id}/check-ins/stats", operation_id = "check_in.stats",
    tag = "check-ins", params(StatsQuery),
    responses((status = 200, description = "The counts", body = EventStatsAnswer)))]
async fn stats(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Ask(ask): Ask<StatsQuery>,
) -> Answer<EventStatsAnswer> {
    let since = ask.since.map(|at| Timestamp::parse("since", &at)).transpose()?;
    let stats = rest.app.door.stats(&ctx, event, since).await?;
    Ok(Reply::ok(EventStatsAnswer { stats: stats.into() }))
}

/// Shows a check-in.
#[utoipa::path(get, path = "/v1/check-ins/{check_in_id}", operation_id = "check_in.get", tag = "check-ins",
    responses((status = 200, description = "The check-in", body = CheckInRecordAnswer)))]
async fn get(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<CheckInId>) -> Answer<CheckInRecordAnswer> {
    Ok(Reply::ok(CheckInRecordAnswer { record: rest.app.door.get(&ctx, id).await?.into() }))
}

/// Takes a check-in back, as if it had never been. Done again, it changes nothing.
#[utoipa::path(post, path = "/v1/check-ins/{check_in_id}:undo", operation_id = "check_in.undo", tag = "check-ins",
    responses((status = 200, description = "The check-in, taken back", body = CheckInRecordAnswer)))]
async fn undo(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<CheckInId>) -> Answer<CheckInRecordAnswer> {
    Ok(Reply::ok(CheckInRecordAnswer { record: rest.app.door.undo(&ctx, id).await?.into() }))
}
