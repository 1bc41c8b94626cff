//! Displayed prices and their curves.

use tessera_core::access::Operation;
use tessera_core::id::{EventId, TicketTypeId};
use tessera_core::pricing::PriceCurves;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::dynamic_pricing::response;
use crate::operations::{Answer, Api};

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetDynamicPricingRequest,
) -> Result<Answer<pb::GetDynamicPricingResponse>> {
    if !request.ticket_type_id.is_empty() {
        return forecast(api, ctx, request).await;
    }
    let event = EventId::parse("event_id", &request.event_id)?;
    let prices = api.app.displayed_pricing.today(&ctx, event).await?;
    Ok(Answer::new(response(prices, PriceCurves::default())))
}

/// Returns the price of one ticket type with its curves.
pub(crate) async fn forecast(
    api: Api,
    ctx: Ctx,
    request: pb::GetDynamicPricingRequest,
) -> Result<Answer<pb::GetDynamicPricingResponse>> {
    // GetDynamicPricing is public, so a missing key is refused here, before the request is decoded.
    ctx.allow(Operation::PriceForecast)?;
    let event = EventId::parse("event_id", &request.event_id)?;
    let ticket_type = TicketTypeId::parse("ticket_type_id", &request.ticket_type_id)?;
    let (prices, curves) = api.app.displayed_pricing.curves(&ctx, event, ticket_type).await?;
    Ok(Answer::new(response(prices, curves)))
}
