//! Check-ins.

use tessera_core::access::Operation;
use tessera_core::admission::check_in::{MAX_PAGE, SPEC};
use tessera_core::id::{CheckInId, EventId};
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::check_in::{
    check_in, inspection, message, record, scan, scan_result, stats as encode_stats, validation,
};
use crate::convert::read_time;
use crate::operations::{Answer, Api, listing};

pub(crate) async fn validate(
    api: Api,
    ctx: Ctx,
    request: pb::ValidateTicketRequest,
) -> Result<Answer<pb::ValidateTicketResponse>> {
    Ok(Answer::new(inspection(api.app.door.inspect(&ctx, &validation(request)?).await?)))
}

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CheckInRequest,
) -> Result<Answer<pb::CheckInResponse>> {
    let check_in = api.app.door.check_in(&ctx, check_in(request)?).await?;
    let message = message(&check_in).to_owned();
    Ok(Answer::of(record(check_in), |record| pb::CheckInResponse { record, message }))
}

pub(crate) async fn batch(
    api: Api,
    ctx: Ctx,
    request: pb::CheckInBatchRequest,
) -> Result<Answer<pb::CheckInBatchResponse>> {
    let pb::CheckInBatchRequest { event_id, device_id, scans } = request;
    let event = EventId::parse("event_id", &event_id)?;
    let scans = scans.into_iter().map(|message| scan(&event_id, &device_id, message)).collect();
    let results = api.app.door.merge(&ctx, event, scans).await?;
    Ok(Answer::new(pb::CheckInBatchResponse { results: results.into_iter().map(scan_result).collect() }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetCheckInRequest,
) -> Result<Answer<pb::GetCheckInResponse>> {
    let check_in = api.app.door.get(&ctx, CheckInId::parse("check_in_id", &request.check_in_id)?).await?;
    Ok(Answer::of(record(check_in), |record| pb::GetCheckInResponse { record }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListCheckInsRequest,
) -> Result<Answer<pb::ListCheckInsResponse>> {
    let event = EventId::parse("event_id", &request.event_id)?;
    let event_id = event.to_string();
    let scope = [event_id.as_str()];
    let page_args = listing!(request).within(&SPEC, MAX_PAGE, Operation::CheckInList, &scope);
    let page = api.app.door.list(&ctx, event, &api.page(&ctx, &page_args)?).await?;
    let (records, next_page_token) = api.encode_page(&ctx, &page_args, page, record);
    Ok(Answer::new(pb::ListCheckInsResponse { records, next_page_token }))
}

pub(crate) async fn undo(
    api: Api,
    ctx: Ctx,
    request: pb::UndoCheckInRequest,
) -> Result<Answer<pb::UndoCheckInResponse>> {
    let check_in = api.app.door.undo(&ctx, CheckInId::parse("check_in_id", &request.check_in_id)?).await?;
    Ok(Answer::of(record(check_in), |record| pb::UndoCheckInResponse { record }))
}

pub(crate) async fn stats(
    api: Api,
    ctx: Ctx,
    request: pb::GetEventStatsRequest,
) -> Result<Answer<pb::GetEventStatsResponse>> {
    let event = EventId::parse("event_id", &request.event_id)?;
    let since = request.since.map(|at| read_time("since", &at)).transpose()?;
    let stats = api.app.door.stats(&ctx, event, since).await?;
    Ok(Answer::new(pb::GetEventStatsResponse { stats: Some(encode_stats(stats)) }))
}
