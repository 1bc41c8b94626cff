//! Series of events.

use tessera_core::access::Operation;
use tessera_core::catalog::series::{MAX_PAGE, SPEC};
use tessera_core::id::SeriesId;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::series::{change, create as command, series as encode};
use crate::operations::{Answer, Api, at_version, listing};

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreateSeriesRequest,
) -> Result<Answer<pb::CreateSeriesResponse>> {
    let series = api.app.series.create(&ctx, command(request)).await?;
    Ok(Answer::of(encode(series), |series| pb::CreateSeriesResponse { series }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetSeriesRequest,
) -> Result<Answer<pb::GetSeriesResponse>> {
    let series = api.app.series.get(&ctx, SeriesId::parse("series_id", &request.series_id)?).await?;
    Ok(Answer::of(encode(series), |series| pb::GetSeriesResponse { series }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListSeriesRequest,
) -> Result<Answer<pb::ListSeriesResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::SeriesList);
    let page = api.app.series.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (series, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::ListSeriesResponse { series, next_page_token }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateSeriesRequest,
) -> Result<Answer<pb::UpdateSeriesResponse>> {
    let (id, ctx) = (SeriesId::parse("series_id", &request.series_id)?, at_version(ctx, &request.etag));
    let series = api.app.series.update(&ctx, id, change(request)?).await?;
    Ok(Answer::of(encode(series), |series| pb::UpdateSeriesResponse { series }))
}

pub(crate) async fn delete(
    api: Api,
    ctx: Ctx,
    request: pb::DeleteSeriesRequest,
) -> Result<Answer<pb::DeleteSeriesResponse>> {
    let (id, ctx) = (SeriesId::parse("series_id", &request.series_id)?, at_version(ctx, &request.etag));
    api.app.series.delete(&ctx, id).await?;
    Ok(Answer::new(pb::DeleteSeriesResponse {}))
}
