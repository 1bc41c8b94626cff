//! Displayed prices and their curves.

use tessera_core::pricing::{DisplayedPrice, DisplayedPrices, PriceCurves};
use tessera_proto::ticket::v1 as pb;

use crate::convert::pricing::adjustment;
use crate::convert::reservation::money;
use crate::convert::time;

/// Encodes the prices of an event, with curves if there are any.
#[must_use]
pub(crate) fn response(prices: DisplayedPrices, curves: PriceCurves) -> pb::GetDynamicPricingResponse {
    let by_time = curves.by_time.into_iter();
    let by_share_sold = curves.by_share_sold.into_iter();
    pb::GetDynamicPricingResponse {
        event_id: prices.event.to_string(),
        prices: prices.prices.into_iter().map(price).collect(),
        by_time: by_time
            .map(|(at, price)| pb::TimePoint { at: time(at), price: Some(money(&price)) })
            .collect(),
        by_share_sold: by_share_sold
            .map(|(sold, price)| pb::SharePoint { share_sold: sold.to_string(), price: Some(money(&price)) })
            .collect(),
        computed_at: time(prices.computed_at),
    }
}

fn price(price: DisplayedPrice) -> pb::DynamicPrice {
    let currency = &price.base.currency;
    pb::DynamicPrice {
        ticket_type_id: price.ticket_type.to_string(),
        base_price: Some(money(&price.base)),
        price: Some(money(&price.money())),
        share_sold: price.sold.to_string(),
        adjustments: price.adjustments.iter().map(|step| adjustment(currency, step)).collect(),
        name: price.name,
    }
}
