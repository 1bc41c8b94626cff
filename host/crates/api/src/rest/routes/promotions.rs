//! Promotions and their codes.

use crate::operations::promotion;
use crate::rest::promotion_codes;
use crate::rest::route::{RouteEntry, delete, get, patch, post, put};

pub(super) fn routes() -> Vec<RouteEntry> {
    let (one, codes) = ("/v1/promotions/{promotion_id}", "/v1/promotions/{promotion_id}/codes");
    vec![
        post("/v1/promotions", "promotion.create", promotion::create).created("/v1/promotions/{id}"),
        get("/v1/promotions", "promotion.list", promotion::list),
        get(one, "promotion.get", promotion::get),
        put(one, "promotion.replace", promotion::update).summary("Replaces a promotion."),
        patch(one, "promotion.update", promotion::update),
        delete(one, "promotion.delete", promotion::delete),
        post(codes, "promotion_code.create", promotion::create_codes).created(codes),
        get(codes, "promotion_code.list", promotion::list_codes),
        promotion_codes::route(),
        delete("/v1/promotions/{promotion_id}/codes/{code}", "promotion_code.delete", promotion::delete_code),
    ]
}
