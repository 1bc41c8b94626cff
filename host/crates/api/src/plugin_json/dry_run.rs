//! Dry runs for the command line.

use serde_json::Value as Json;
use tessera_core::plugin::{Basket, DryRun, DryRunResult};
use tessera_core::{Error, Result};

use crate::convert::release;
use crate::plugin_json::basket::BasketBody;
use crate::rest::decode;

/// Decodes a dry run from the JSON that REST accepts.
pub fn read_dry_run(json: &[u8]) -> Result<DryRun> {
    release::dry_run(decode::json(json)?)
}

/// Encodes the result of a dry run as the JSON that REST returns.
pub fn show_dry_run(result: DryRunResult) -> Result<Json> {
    serde_json::to_value(release::dry_run_result(result)?).map_err(Error::internal)
}

/// Encodes a basket as the input of a dry run of `quote`.
pub fn show_basket(basket: Basket) -> Result<Json> {
    serde_json::to_value(BasketBody::from(basket)).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tessera_core::plugin::DryRunRequest;

    use super::*;

    #[test]
    fn shown_basket_is_read_as_the_same_basket() {
        let input = json!({
            "event": {"venue_city": "Berlin"}, "starts_at": "2026-06-01T12:00:00Z",
            "offset_now": 60, "offset_start": 120, "currency": "JPY", "currency_exponent": 0,
            "lines": [{
                "ticket_type": "t", "name": "Seat", "quantity": 2, "unit_price": 500,
                "available": 3, "capacity": 9, "attributes": {"category": "child"},
            }],
            "codes": ["A"], "channel": "web", "buyer": {"id": "ann"},
            "applied": [{
                "source": "rule:1@1",
                "adjustment": {"kind": "tax", "line": 0, "amount": 5, "included": true, "label": "Tax"},
            }],
        });
        let read = |input: &Json| {
            let dry_run = json!({"function": "quote", "input": input});
            match read_dry_run(dry_run.to_string().as_bytes()).unwrap().request {
                DryRunRequest::Quote(basket) => basket,
                other => panic!("{other:?}"),
            }
        };
        let basket = read(&input);
        assert_eq!(read(&show_basket(basket.clone()).unwrap()), basket);
    }
}
