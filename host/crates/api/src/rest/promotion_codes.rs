//! The codes of a promotion as a file: comma-separated values (RFC 4180), read and sent one page at a time.

use std::future::ready;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{RawPathParams, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use prost::Name as _;
use tessera_core::access::Operation;
use tessera_core::id::PromotionId;
use tessera_core::page::{Keyset, Page};
use tessera_core::pricing::PromotionCode;
use tessera_core::{Ctx, Error, PageRequest, Result};
use tessera_proto::ticket::v1::GetPromotionRequest;

use crate::operations::plain_page;
use crate::operations::promotion::MAX_CODES_PAGE;
use crate::rest::decode::{self, MaskRule};
use crate::rest::error::Problem;
use crate::rest::extract::Keyed;
use crate::rest::route::{RouteEntry, Shape, special};
use crate::rest::state::Rest;
use crate::state::deadline_exceeded;

/// The first line of the file.
const HEADER: &str = "code,uses,kept_ticket_type_id,kept_units,created_at\r\n";

/// The longest that a file is sent. A slow reader must not go on for hours after its key was revoked.
const MAX_DURATION: Duration = Duration::from_secs(300);

pub(super) fn route() -> RouteEntry {
    let request = GetPromotionRequest::full_name();
    let path = "/v1/promotions/{promotion_id}/codes.csv";
    special(Method::GET, path, "promotion_code.export", request, export)
        .summary("Returns all codes of a promotion as a file.")
        .answers("text/csv", Shape::Text)
}

async fn export(
    Keyed(mut ctx): Keyed,
    State(rest): State<Rest>,
    params: RawPathParams,
    uri: Uri,
) -> Result<Response, Problem> {
    let path: Vec<_> = params.iter().collect();
    let query = decode::query(&uri)?;
    let request: GetPromotionRequest = decode::message(query, &path, MaskRule::Absent, "query")?;
    let id = PromotionId::parse("promotion_id", &request.promotion_id)?;
    ctx.deadline = Instant::now() + MAX_DURATION;
    // Before the response begins, so that a refusal is a problem with its own status.
    let first = read_page(&rest, &ctx, id, None).await?;
    let begin = stream::once(ready(Ok(format!("{HEADER}{}", rows(&first.items)))));
    let further = stream::try_unfold(first.next, move |after| {
        let (rest, ctx) = (rest.clone(), ctx.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            let page = read_page(&rest, &ctx, id, Some(after)).await?;
            Ok::<_, Error>(Some((rows(&page.items), page.next)))
        }
    });
    let pages = begin.chain(further);
    let pages = pages.inspect_err(|error| tracing::warn!(?error, "export of codes failed"));
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (CACHE_CONTROL, "private, no-store".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"promotion-{id}-codes.csv\"")),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

/// Reads a page in the tenant's turn: a client that reads slowly must not occupy a place between pages.
async fn read_page(
    rest: &Rest,
    ctx: &Ctx,
    id: PromotionId,
    after: Option<Keyset>,
) -> Result<Page<PromotionCode>> {
    if ctx.deadline_passed() {
        return Err(deadline_exceeded());
    }
    let _permit = rest.wait_for_turn(ctx).await?;
    let page_args = plain_page((i32::MAX, ""), MAX_CODES_PAGE, Operation::PromotionCodeList, &[]);
    let page = PageRequest { after, ..rest.page(ctx, &page_args)? };
    rest.app.promotions.codes(ctx, id, &page).await
}

fn rows(codes: &[PromotionCode]) -> String {
    codes.iter().map(row).collect()
}

/// Formats a row. Codes have only letters, digits, "-" and "_", so nothing needs quotes.
fn row(code: &PromotionCode) -> String {
    let (ticket_type, units) = match &code.kept {
        Some(kept) => (kept.ticket_type.to_string(), kept.units.to_string()),
        None => (String::new(), String::new()),
    };
    format!("{},{},{ticket_type},{units},{}\r\n", code.code, code.uses, code.created_at)
}

#[cfg(test)]
mod tests {
    use tessera_core::Timestamp;
    use tessera_core::id::{EventId, TicketTypeId};
    use tessera_core::pricing::KeptUnits;

    use super::*;

    #[test]
    fn row_has_a_value_in_each_column() {
        let plain = PromotionCode {
            code: "EARLY-1".into(),
            promotion: PromotionId::generate(),
            uses: 3,
            kept: None,
            created_at: Timestamp::default(),
        };
        let (ticket_type, event) = (TicketTypeId::generate(), EventId::generate());
        let kept = KeptUnits { ticket_type, event, pools: Vec::new(), units: 2 };
        let voucher = PromotionCode { code: "VIP".into(), uses: 0, kept: Some(kept), ..plain };
        let expected =
            format!("EARLY-1,3,,,1970-01-01T00:00:00Z\r\nVIP,0,{ticket_type},2,1970-01-01T00:00:00Z\r\n");
        assert_eq!(rows(&[plain, voucher]), expected);
    }
}
