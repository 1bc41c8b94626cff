//! Promotions and their codes.

use reqwest::Method;
use serde_json::{Value, json};

use super::calls::{call, joined, patch};
use super::{Caller, Further, Row, delete, get, post, row};

const PROMOTIONS: &str = "/v1/promotions";
const PROMOTION: &str = "/v1/promotions/{promotion_id}";
const CODES: &str = "/v1/promotions/{promotion_id}/codes";

pub(super) fn rows() -> Vec<Row> {
    [promotions(), codes()].concat()
}

fn promotions() -> Vec<Row> {
    let id = json!({"promotion_id": "{promotion_id}"});
    let new = |percent: &str| {
        json!({
            "name": "Evening", "percent": percent, "event_id": "{promoted_event_id}", "max_uses_per_buyer": 2,
        })
    };
    let update = "ticket.v1.PromotionService/UpdatePromotion";
    vec![
        post(
            "promotion.create",
            PROMOTIONS,
            new("12.5"),
            "ticket.v1.PromotionService/CreatePromotion",
            new("12.5"),
        )
        .bad(new("-1"), new("-1")),
        get("promotion.get", PROMOTION, "ticket.v1.PromotionService/GetPromotion", id.clone()),
        get(
            "promotion.list",
            PROMOTIONS,
            "ticket.v1.PromotionService/ListPromotions",
            json!({"filter": "event:{promoted_event_id}"}),
        )
        .query("filter=event:{promoted_event_id}")
        .list(),
        row("promotion.replace", Method::PUT, PROMOTION, new("7"), update, joined(&new("7"), &id)),
        row(
            "promotion.update",
            Method::PATCH,
            PROMOTION,
            json!({"percent": "20", "enabled": false}),
            update,
            json!({
                "promotion_id": "{promotion_id}", "percent": "20", "enabled": false, "update_mask": "percent,enabled",
            }),
        ),
        delete("promotion.delete", PROMOTION, "ticket.v1.PromotionService/DeletePromotion", id),
    ]
}

fn codes() -> Vec<Row> {
    let id = json!({"promotion_id": "{promotion_id}"});
    let of_promotion = |body: &Value| joined(body, &json!({"promotion_id": "{promotion_id}"}));
    let (new, negative) = (json!({"codes": ["{slug}"]}), json!({"count": -1}));
    let list = "ticket.v1.PromotionService/ListPromotionCodes";
    let price = |quantity: i32| {
        json!({
            "event_id": "{promoted_event_id}", "discount_code": "{promotion_code}",
            "original_price": {"amount": 5000, "currency": "EUR"}, "buyer_id": "{slug}",
            "ticket_type_id": "{promoted_type_id}", "quantity": quantity,
        })
    };
    vec![
        post(
            "promotion_code.create",
            CODES,
            new.clone(),
            "ticket.v1.PromotionService/CreatePromotionCodes",
            of_promotion(&new),
        )
        .bad(negative.clone(), of_promotion(&negative)),
        get("promotion_code.list", CODES, list, id.clone()).list(),
        get("promotion_code.export", "/v1/promotions/{promotion_id}/codes.csv", list, id).document(),
        delete(
            "promotion_code.delete",
            "/v1/promotions/{promotion_id}/codes/{code}",
            "ticket.v1.PromotionService/DeletePromotionCode",
            json!({"promotion_id": "{promotion_id}", "code": "{promotion_code}"}),
        )
        .at("/v1/promotions/{promotion_id}/codes/{promotion_code}"),
        post(
            "discount.apply",
            "/v1/prices:apply-discount",
            price(2),
            "ticket.v1.PricingService/ApplyDiscount",
            price(2),
        )
        .bad(price(-1), price(-1)),
    ]
}

/// More calls, also of other operations that take codes.
pub(super) fn further(id: &str) -> Vec<Further> {
    [of_promotions(id), of_codes(id), of_sales(id)].concat()
}

fn of_promotions(id: &str) -> Vec<Further> {
    let (none, promotion) = (json!({}), json!({"promotion_id": "{promotion_id}"}));
    let new = |more: Value| joined(&json!({"name": "New", "event_id": "{promoted_event_id}"}), &more);
    let amount = json!({"amount": {"amount": 250, "currency": "EUR"}, "per": "unit"});
    let types = json!(["{promoted_type_id}"]);
    match id {
        "promotion.create" => vec![
            call(
                "every field",
                &none,
                joined(
                    &new(amount.clone()),
                    &json!({
                        "ticket_type_ids": types, "shown_ticket_type_ids": types, "min_quantity": 2,
                        "valid_from": "2026-02-03T04:05:06.000007Z", "valid_until": "2126-03-04T05:06:07Z",
                        "max_uses": 9, "max_uses_per_buyer": 2, "max_uses_per_code": 3, "combinable": true,
                        "enabled": false, "codes": ["{slug}"],
                    }),
                ),
            ),
            call("no discount", &none, new(json!({"shown_ticket_type_ids": types}))),
            call("percentage and amount", &none, joined(&new(amount), &json!({"percent": "5"}))),
            call(
                "end before the start",
                &none,
                new(json!({
                    "percent": "5", "valid_from": "2126-03-04T05:06:07Z", "valid_until": "2026-02-03T04:05:06Z",
                })),
            ),
            call("code of another promotion", &none, new(json!({"codes": ["{promotion_code}"]}))),
            call("code with a space", &none, new(json!({"codes": ["a b"]}))),
            call("unknown event", &none, json!({"name": "New", "percent": "5", "event_id": "{absent}"})),
        ],
        "promotion.update" => vec![
            patch("bounds", &promotion, json!({"max_uses": 5, "max_uses_per_code": null})),
            patch("no discount", &promotion, json!({"percent": null})),
            patch("amount without what it is for", &promotion, json!({"amount": amount["amount"]})),
            patch("amount", &promotion, amount),
        ],
        _ => Vec::new(),
    }
}

fn of_codes(id: &str) -> Vec<Further> {
    let (none, promotion) = (json!({}), json!({"promotion_id": "{promotion_id}"}));
    match id {
        "promotion_code.create" => vec![
            call("random codes", &promotion, json!({"count": 3, "prefix": "sun-"})),
            call(
                "units kept",
                &promotion,
                json!({"count": 2, "kept_ticket_type_id": "{promoted_type_id}", "kept_units": 3}),
            ),
            call("existing code", &promotion, json!({"codes": ["{promotion_code}"]})),
            call("codes and a count", &promotion, json!({"codes": ["{slug}"], "count": 1})),
            call("units of no ticket type", &promotion, json!({"count": 1, "kept_units": 3})),
            call(
                "more units than there are",
                &promotion,
                json!({"count": 90, "kept_ticket_type_id": "{promoted_type_id}", "kept_units": 1_000}),
            ),
        ],
        "discount.apply" => {
            let price = |code: &str| {
                json!({
                    "event_id": "{promoted_event_id}", "discount_code": code,
                    "original_price": {"amount": 999, "currency": "EUR"}, "user_id": "{slug}",
                })
            };
            vec![
                call("without a key", &none, price("{promotion_code}")).by(Caller::Public),
                call("unknown code", &none, price("NOPE")),
                call("two buyers", &none, joined(&price("NOPE"), &json!({"buyer_id": "ben"}))),
            ]
        }
        _ => Vec::new(),
    }
}

fn of_sales(id: &str) -> Vec<Further> {
    let none = json!({});
    match id {
        "price.calculate" => vec![call(
            "code of a promotion",
            &none,
            json!({
                "event_id": "{promoted_event_id}", "zone_id": "{promoted_type_id}", "quantity": 2,
                "user_id": "{slug}", "discount_code": "{promotion_code}",
            }),
        )],
        "reservation.create" => vec![call(
            "code of a promotion",
            &none,
            json!({
                "event_id": "{promoted_event_id}", "ticket_type_id": "{promoted_type_id}", "quantity": 1,
                "user_id": "{slug}", "codes": ["{promotion_code}"],
            }),
        )],
        _ => Vec::new(),
    }
}
