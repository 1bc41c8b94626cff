//! Series of events.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::catalog::series::{MAX_PAGE, SPEC};
use tessera_core::catalog::{Series, WriteSeries};
use tessera_core::id::SeriesId;
use utoipa_axum::routes;

use crate::rest::dto::Empty;
use crate::rest::dto::series::{SeriesAnswer, SeriesBody, SeriesPage, SeriesPatch, WriteSeriesBody};
use crate::rest::extract::{Ask, Id, Public, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with(routes!(create, list)).with(routes!(get, replace, update, delete))
}

fn shown(series: Series) -> Reply<SeriesAnswer> {
    let series = SeriesBody::from(series);
    let tag = series.etag.clone();
    Reply::ok(SeriesAnswer { series }).tagged(&tag)
}

/// Makes a series.
#[utoipa::path(post, path = "/v1/series", operation_id = "series.create", tag = "catalogue",
    request_body = WriteSeriesBody, responses((status = 201, description = "The series", body = SeriesAnswer)))]
async fn create(
    ctx: Ctx,
    State(rest): State<Rest>,
    Sent(body): Sent<WriteSeriesBody>,
) -> Answer<SeriesAnswer> {
    let series = SeriesBody::from(rest.app.series.create(&ctx, body.into()).await?);
    let (tag, location) = (series.etag.clone(), format!("/v1/series/{}", series.id));
    Ok(Reply::created(location, SeriesAnswer { series }).tagged(&tag))
}

/// Lists series.
///
/// Filters: `name`, `created`, `modified`; orders: `created`, `modified`, `name`. At most 200 rows.
#[utoipa::path(get, path = "/v1/series", operation_id = "series.list", tag = "catalogue", security(("bearer" = []), ()),
    params(ListQuery), responses((status = 200, description = "A page of series", body = SeriesPage)))]
async fn list(Public(ctx): Public, State(rest): State<Rest>, Ask(ask): Ask<ListQuery>) -> Answer<SeriesPage> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::SeriesList);
    let page = rest.app.series.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(SeriesPage { series: page.items.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Shows a series.
#[utoipa::path(get, path = "/v1/series/{series_id}", operation_id = "series.get", tag = "catalogue",
    security(("bearer" = []), ()), responses((status = 200, description = "The series", body = SeriesAnswer)))]
async fn get(Public(ctx): Public, State(rest): State<Rest>, Id(id): Id<SeriesId>) -> Answer<SeriesAnswer> {
    Ok(shown(rest.app.series.get(&ctx, id).await?))
}

/// Replaces all of a series.
#[utoipa::path(put, path = "/v1/series/{series_id}", operation_id = "series.replace", tag = "catalogue",
    request_body = WriteSeriesBody, responses((status = 200, description = "The series", body = SeriesAnswer)))]
async fn replace(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<SeriesId>,
    Sent(body): Sent<WriteSeriesBody>,
) -> Answer<SeriesAnswer> {
    Ok(shown(rest.app.series.update(&ctx, id, WriteSeries::from(body).into()).await?))
}

/// Changes a series.
#[utoipa::path(patch, path = "/v1/series/{series_id}", operation_id = "series.update", tag = "catalogue",
    request_body = SeriesPatch, responses((status = 200, description = "The series", body = SeriesAnswer)))]
async fn update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<SeriesId>,
    Sent(body): Sent<SeriesPatch>,
) -> Answer<SeriesAnswer> {
    Ok(shown(rest.app.series.update(&ctx, id, body.command()?).await?))
}

/// Removes a series to which no event belongs.
#[utoipa::path(delete, path = "/v1/series/{series_id}", operation_id = "series.delete", tag = "catalogue",
    responses((status = 200, description = "It is gone", body = Empty)))]
async fn delete(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<SeriesId>) -> Answer<Empty> {
    rest.app.series.delete(&ctx, id).await?;
    Ok(Reply::ok(Empty {}))
}
