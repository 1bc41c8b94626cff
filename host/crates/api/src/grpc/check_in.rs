//! The door.

use tessera_core::access::Operation;
use tessera_core::admission::check_in::{MAX_PAGE, SPEC};
use tessera_core::id::{CheckInId, EventId};
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::admission::{WrittenCheckIn, told};
use crate::grpc::call::Grpc;
use crate::grpc::convert::check_in::{inspection, merged, record, scan, stats as shown_stats};
use crate::grpc::convert::read_time;
use crate::request::AskedPage;
use crate::tokens::PageQuery;

pub(super) async fn validate(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ValidateTicketRequest,
) -> Result<pb::ValidateTicketResponse> {
    let event = EventId::parse("event_id", &ask.event_id)?;
    let asked = WrittenCheckIn {
        ticket_id: ask.ticket_id,
        qr_code: ask.qr_code,
        direction: ask.direction,
        ..WrittenCheckIn::default()
    };
    Ok(inspection(grpc.app.door.inspect(&ctx, &asked.read(event)?).await?))
}

pub(super) async fn create(grpc: &Grpc, ctx: Ctx, ask: pb::CheckInRequest) -> Result<pb::CheckInResponse> {
    let event = EventId::parse("event_id", &ask.event_id)?;
    let asked = WrittenCheckIn {
        ticket_id: ask.ticket_id,
        qr_code: ask.qr_code,
        direction: ask.direction,
        gate: ask.gate,
        device_id: ask.device_id,
        staff_id: ask.staff_id,
    };
    let held = grpc.app.door.check_in(&ctx, asked.read(event)?).await?;
    let message = told(&held).to_owned();
    Ok(pb::CheckInResponse { record: Some(record(held)), message })
}

pub(super) async fn batch(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CheckInBatchRequest,
) -> Result<pb::CheckInBatchResponse> {
    let event = EventId::parse("event_id", &ask.event_id)?;
    let scans = ask.scans.into_iter().map(|noted| scan(event, &ask.device_id, noted)).collect();
    let results = grpc.app.door.merge(&ctx, event, scans).await?;
    Ok(pb::CheckInBatchResponse { results: results.into_iter().map(merged).collect() })
}

pub(super) async fn get(grpc: &Grpc, ctx: Ctx, ask: pb::GetCheckInRequest) -> Result<pb::GetCheckInResponse> {
    let held = grpc.app.door.get(&ctx, CheckInId::parse("id", &ask.id)?).await?;
    Ok(pb::GetCheckInResponse { record: Some(record(held)) })
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListCheckInsRequest,
) -> Result<pb::ListCheckInsResponse> {
    let event = EventId::parse("event_id", &ask.event_id)?;
    let named = event.to_string();
    let (operation, scope) = (Operation::CheckInList, [named.as_str()]);
    let query = PageQuery { operation, filter: &ask.filter, order_by: &ask.order_by, scope: &scope };
    let (spec, max) = (&SPEC, MAX_PAGE);
    let asked = AskedPage { spec, max, size: ask.page_size.into(), token: &ask.page_token, query };
    let page = grpc.app.door.list(&ctx, event, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    let records = page.items.into_iter().map(record).collect();
    Ok(pb::ListCheckInsResponse { records, next_page_token })
}

pub(super) async fn undo(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UndoCheckInRequest,
) -> Result<pb::UndoCheckInResponse> {
    let held = grpc.app.door.undo(&ctx, CheckInId::parse("id", &ask.id)?).await?;
    Ok(pb::UndoCheckInResponse { record: Some(record(held)) })
}

pub(super) async fn stats(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::GetEventStatsRequest,
) -> Result<pb::GetEventStatsResponse> {
    let event = EventId::parse("event_id", &ask.event_id)?;
    let since = ask.since.map(|at| read_time("since", &at)).transpose()?;
    let held = grpc.app.door.stats(&ctx, event, since).await?;
    Ok(pb::GetEventStatsResponse { stats: Some(shown_stats(held)) })
}
