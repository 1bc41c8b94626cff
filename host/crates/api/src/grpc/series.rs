//! Series of events.

use tessera_core::access::Operation;
use tessera_core::catalog::series::{MAX_PAGE, SPEC};
use tessera_core::id::SeriesId;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::grpc::call::{Grpc, Listing, at};
use crate::grpc::convert::series::{change, create as command, series as shown};

pub(super) async fn create(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CreateSeriesRequest,
) -> Result<pb::CreateSeriesResponse> {
    let series = grpc.app.series.create(&ctx, command(ask)).await?;
    Ok(pb::CreateSeriesResponse { series: Some(shown(series)) })
}

pub(super) async fn get(grpc: &Grpc, ctx: Ctx, ask: pb::GetSeriesRequest) -> Result<pb::GetSeriesResponse> {
    let series = grpc.app.series.get(&ctx, SeriesId::parse("id", &ask.id)?).await?;
    Ok(pb::GetSeriesResponse { series: Some(shown(series)) })
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListSeriesRequest,
) -> Result<pb::ListSeriesResponse> {
    let listing =
        Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: &ask.order_by };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::SeriesList);
    let page = grpc.app.series.list(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::ListSeriesResponse { series: page.items.into_iter().map(shown).collect(), next_page_token })
}

pub(super) async fn update(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UpdateSeriesRequest,
) -> Result<pb::UpdateSeriesResponse> {
    let (id, ctx) = (SeriesId::parse("id", &ask.id)?, at(ctx, &ask.etag));
    let series = grpc.app.series.update(&ctx, id, change(ask)?).await?;
    Ok(pb::UpdateSeriesResponse { series: Some(shown(series)) })
}

pub(super) async fn delete(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::DeleteSeriesRequest,
) -> Result<pb::DeleteSeriesResponse> {
    let (id, ctx) = (SeriesId::parse("id", &ask.id)?, at(ctx, &ask.etag));
    grpc.app.series.delete(&ctx, id).await?;
    Ok(pb::DeleteSeriesResponse {})
}
