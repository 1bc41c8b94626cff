//! Events.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::catalog::Event;
use tessera_core::catalog::event::{MAX_PAGE, SPEC};
use tessera_core::id::EventId;
use utoipa_axum::routes;

use crate::catalog;
use crate::rest::dto::Empty;
use crate::rest::dto::event::{Categories, EventAnswer, EventBody, EventPatch, EventsPage, WriteEventBody};
use crate::rest::extract::{Ask, Id, Public, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};

/// Where the seed's clients look for events and tickets: without a version.
pub(super) const ALIAS: &str = "";

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .with_alias(ALIAS, routes!(create, list))
        .with_alias(ALIAS, routes!(categories))
        .with_alias(ALIAS, routes!(featured))
        .with_alias(ALIAS, routes!(get, replace, update, delete))
}

fn shown(event: Event) -> Reply<EventAnswer> {
    let event = EventBody::from(event);
    let tag = event.etag.clone();
    Reply::ok(EventAnswer { event }).tagged(&tag)
}

/// Makes an event.
#[utoipa::path(post, path = "/v1/events", operation_id = "event.create", tag = "events",
    request_body = WriteEventBody, responses((status = 201, description = "The event", body = EventAnswer)))]
async fn create(ctx: Ctx, State(rest): State<Rest>, Sent(body): Sent<WriteEventBody>) -> Answer<EventAnswer> {
    let event = EventBody::from(rest.app.events.create(&ctx, body.command()?).await?);
    let (tag, location) = (event.etag.clone(), format!("/v1/events/{}", event.id));
    Ok(Reply::created(location, EventAnswer { event }).tagged(&tag))
}

/// Lists events. The public sees no drafts.
///
/// Filters: `title`, `category`, `status`, `venue`, `series`, `featured`, `starts`, `ends`, `created`, `modified`;
/// orders: `starts`, `created`, `modified`, `title`; absent: the last to begin first. At most 200 rows.
#[utoipa::path(get, path = "/v1/events", operation_id = "event.list", tag = "events", security(("bearer" = []), ()),
    params(ListQuery), responses((status = 200, description = "A page of events", body = EventsPage)))]
async fn list(Public(ctx): Public, State(rest): State<Rest>, Ask(ask): Ask<ListQuery>) -> Answer<EventsPage> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::EventList);
    let page = rest.app.events.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(EventsPage { events: page.items.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Lists the events that are shown first, with the filters and orders of all events.
#[utoipa::path(get, path = "/v1/events/featured", operation_id = "event.featured", tag = "events",
    security(("bearer" = []), ()), params(ListQuery),
    responses((status = 200, description = "A page of events", body = EventsPage)))]
async fn featured(
    Public(ctx): Public,
    State(rest): State<Rest>,
    Ask(ask): Ask<ListQuery>,
) -> Answer<EventsPage> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::EventFeatured);
    let page = rest.app.events.list(&ctx, &catalog::featured(rest.page(&ctx, &asked)?)).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(EventsPage { events: page.items.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Lists the categories of events that are no drafts.
#[utoipa::path(get, path = "/v1/events/categories", operation_id = "event.categories", tag = "events",
    security(("bearer" = []), ()), responses((status = 200, description = "The categories", body = Categories)))]
async fn categories(Public(ctx): Public, State(rest): State<Rest>) -> Answer<Categories> {
    Ok(Reply::ok(rest.app.events.categories(&ctx).await?.into()))
}

/// Shows an event. To the public, a draft does not exist.
#[utoipa::path(get, path = "/v1/events/{event_id}", operation_id = "event.get", tag = "events",
    security(("bearer" = []), ()), responses((status = 200, description = "The event", body = EventAnswer)))]
async fn get(Public(ctx): Public, State(rest): State<Rest>, Id(id): Id<EventId>) -> Answer<EventAnswer> {
    Ok(shown(rest.app.events.get(&ctx, id).await?))
}

/// Replaces all of an event.
#[utoipa::path(put, path = "/v1/events/{event_id}", operation_id = "event.replace", tag = "events",
    request_body = WriteEventBody, responses((status = 200, description = "The event", body = EventAnswer)))]
async fn replace(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<EventId>,
    Sent(body): Sent<WriteEventBody>,
) -> Answer<EventAnswer> {
    Ok(shown(rest.app.events.update(&ctx, id, body.replacement()?).await?))
}

/// Changes an event.
#[utoipa::path(patch, path = "/v1/events/{event_id}", operation_id = "event.update", tag = "events",
    request_body = EventPatch, responses((status = 200, description = "The event", body = EventAnswer)))]
async fn update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<EventId>,
    Sent(body): Sent<EventPatch>,
) -> Answer<EventAnswer> {
    Ok(shown(rest.app.events.update(&ctx, id, body.command()?).await?))
}

/// Removes an event of which nothing was sold or is held.
#[utoipa::path(delete, path = "/v1/events/{event_id}", operation_id = "event.delete", tag = "events",
    responses((status = 200, description = "It is gone", body = Empty)))]
async fn delete(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<EventId>) -> Answer<Empty> {
    rest.app.events.delete(&ctx, id).await?;
    Ok(Reply::ok(Empty {}))
}
