//! Prices, quotes and pricing rules.

use crate::operations::{dynamic_pricing, pricing};
use crate::rest::route::{EVENTS, RouteEntry, delete, get, patch, post, put};

pub(super) fn routes() -> Vec<RouteEntry> {
    let rule = "/v1/pricing-rules/{rule_id}";
    vec![
        post("/v1/prices:calculate", "price.calculate", pricing::calculate).public().also_below(EVENTS),
        post("/v1/prices:apply-discount", "discount.apply", pricing::apply_discount)
            .public()
            .also_below(EVENTS),
        post("/v1/quotes", "quote.create", pricing::create_quote)
            .created("/v1/quotes/{id}")
            .summary("Computes what a basket costs, and stores the quote. It can be reserved at its prices."),
        get("/v1/quotes/{quote_id}", "quote.get", pricing::get_quote),
        post("/v1/pricing-rules", "pricing_rule.create", pricing::create_rule)
            .created("/v1/pricing-rules/{id}"),
        get("/v1/pricing-rules", "pricing_rule.list", pricing::list_rules),
        get(rule, "pricing_rule.get", pricing::get_rule),
        put(rule, "pricing_rule.replace", pricing::update_rule).summary("Replaces a pricing rule."),
        patch(rule, "pricing_rule.update", pricing::update_rule),
        delete(rule, "pricing_rule.delete", pricing::delete_rule),
        post("/v1/pricing-rules:test", "pricing_rule.test", pricing::test_rule),
        get("/v1/events/{event_id}/pricing-rules", "pricing_rule.of_event", pricing::rules_of_event)
            .also_below(EVENTS),
        get("/v1/events/{event_id}/dynamic-pricing", "price.display", dynamic_pricing::get)
            .public()
            .also_below(EVENTS),
        get(
            "/v1/events/{event_id}/tickets/{ticket_type_id}/dynamic-pricing",
            "price.forecast",
            dynamic_pricing::forecast,
        )
        .also_below(EVENTS)
        .summary("Returns the price of a ticket type now, by the time of the sale, and by the share sold."),
    ]
}
