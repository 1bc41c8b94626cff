//! Displayed prices: how old they are, who sees them, the facts of their changes, and the curves.

use serde_json::{Value, json};
use tessera_proto::ticket::v1::GetDynamicPricingRequest;
use tessera_proto::ticket::v1::pricing_service_client::PricingServiceClient;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::{amount, basket, event, facts, percent, price, rule, show, ticket_type, total};
use crate::harness::{Answer, Home, Host, Kind, Rest};
use crate::plugins::install;
use crate::reservations::reserve;
use crate::tracker::{done, memory, on_every_store, until};

on_every_store! {
    change_of_a_price_is_displayed_after_the_interval_with_a_fact
}

/// Starts a host with this interval in seconds.
async fn with_interval(kind: Kind, seconds: &str) -> (Home, Host, Rest) {
    let home = Home::new(kind).await;
    let host = Host::start_with(&home, &[("PRICE_UPDATE_INTERVAL", seconds)]).await;
    let rest = host.rest();
    (home, host, rest)
}

fn path(event: &str) -> String {
    format!("/v1/events/{event}/dynamic-pricing")
}

async fn displayed(rest: &Rest, event: &str) -> Value {
    done(&rest.get(&path(event)).await).clone()
}

/// Returns the displayed prices without currencies.
fn prices(displayed: &Value) -> Vec<i64> {
    let prices = displayed["prices"].as_array().unwrap_or_else(|| panic!("{displayed:#}"));
    prices.iter().map(|price| price["price"]["amount"].as_i64().unwrap()).collect()
}

/// Returns the prices of the points of a curve.
fn curve(answer: &Value, name: &str) -> Vec<i64> {
    let points = answer[name].as_array().unwrap_or_else(|| panic!("{answer:#}"));
    points.iter().map(|point| point["price"]["amount"].as_i64().unwrap()).collect()
}

/// Creates an event that starts in 49 hours, with a ticket type at 1,000; returns both ids.
async fn soon(rest: &Rest) -> (String, String) {
    let at = |hours| {
        let now = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap();
        (now + Duration::hours(hours)).format(&Rfc3339).unwrap()
    };
    let event = event(rest, json!({"start_date": at(49), "end_date": at(52)})).await;
    let seat = ticket_type(rest, &event, (1_000, "EUR")).await;
    (event, seat)
}

async fn curves(rest: &Rest, (event, seat): &(String, String)) -> Value {
    let answer = rest.get(&format!("/v1/events/{event}/tickets/{seat}/dynamic-pricing")).await;
    done(&answer).clone()
}

async fn change_of_a_price_is_displayed_after_the_interval_with_a_fact(kind: Kind) {
    let (_home, _host, rest) = with_interval(kind, "1").await;
    let (event, seat) = show(&rest, 1_000).await;
    let other = ticket_type(&rest, &event, (500, "EUR")).await;
    assert_eq!(prices(&displayed(&rest, &event).await), [1_000, 500]);
    assert_eq!(facts(&rest, "price.changed").await, 0);
    let id = rule(&rest, percent("surcharge", "10", json!({"ticket_type_ids": [seat]}))).await;
    // The host refreshes them although no caller asks for them.
    let has_changed = |answer: &Answer| answer.body["facts"][0].is_object();
    let changed = until(&rest, "/v1/audit?filter=type:price.changed", has_changed).await;
    let fact = &changed.body["facts"][0];
    assert_eq!((&fact["object_id"], &fact["actor"]["kind"]), (&json!(seat), &json!("system")));
    let euros = |amount: i64| json!({"amount": amount, "currency": "EUR"});
    let [from, to] = [1_000, 1_100].map(|amount| json!({"money": euros(amount)}));
    assert_eq!(fact["changes"], json!([{"field": "price", "before": from, "after": to}]));
    let after = displayed(&rest, &event).await;
    assert_eq!(prices(&after), [1_100, 500]);
    let [first, second] = [0, 1].map(|place| &after["prices"][place]);
    assert_eq!((&first["ticket_type_id"], &second["ticket_type_id"]), (&json!(seat), &json!(other)));
    assert_eq!((&first["base_price"], &first["share_sold"]), (&euros(1_000), &json!("0")));
    assert_eq!(first["adjustments"][0]["source"], format!("rule:{id}@1"));
    // The price that has not changed has no fact.
    assert_eq!(facts(&rest, "price.changed").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn displayed_price_stays_within_the_interval_and_quotes_are_fresh() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 1_000).await;
    let (event, seat) = &show;
    let spare = ticket_type(&rest, event, (700, "EUR")).await;
    let before = displayed(&rest, event).await;
    assert_eq!(prices(&before), [1_000, 700]);
    rule(&rest, percent("surcharge", "10", json!({}))).await;
    // A new ticket type is left out until then.
    ticket_type(&rest, event, (300, "EUR")).await;
    reserve(&rest, &show, "ann", 10).await.expect(201);
    assert_eq!(displayed(&rest, event).await, before);
    assert_eq!(total(&price(&rest, basket(event, &[(seat, 1)])).await), 1_100);
    let now = curves(&rest, &show).await;
    assert_eq!((prices(&now), &now["prices"][0]["share_sold"]), (vec![1_100], &json!("10")));
    // A ticket type that is gone is not displayed any more.
    done(&rest.delete(&format!("/v1/events/{event}/tickets/{spare}")).await);
    assert_eq!(prices(&displayed(&rest, event).await), [1_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_are_computed_for_each_request_without_an_interval() {
    let (_home, _host, rest) = with_interval(Kind::Memory, "0").await;
    let (event, _) = show(&rest, 1_000).await;
    for (percentage, expected) in [("10", 1_100), ("20", 1_320)] {
        rule(&rest, percent("surcharge", percentage, json!({}))).await;
        assert_eq!(prices(&displayed(&rest, &event).await), [expected]);
    }
    assert_eq!(facts(&rest, "price.changed").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_a_key_see_prices_and_no_curve() {
    let (_home, host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_250).await;
    rule(&rest, amount("fee", 50, "order")).await;
    let stranger = rest.with_key(None);
    let shown = displayed(&stranger, &event).await;
    assert_eq!((prices(&shown), &shown["event_id"]), (vec![1_300], &json!(event)));
    assert_eq!((&shown["by_time"], &shown["by_share_sold"]), (&json!([]), &json!([])));
    assert_eq!(displayed(&rest, &event).await, shown);
    let of_type = format!("/v1/events/{event}/tickets/{seat}/dynamic-pricing");
    for with_curves in [of_type.clone(), format!("{}?ticket_type_id={seat}", path(&event))] {
        assert_eq!(stranger.get(&with_curves).await.code(401), "UNAUTHENTICATED");
        let answer = rest.get(&with_curves).await;
        assert_eq!(curve(done(&answer), "by_time"), [1_300; 25]);
    }
    let viewer = rest.with_key(Some(&rest.new_key(&["viewer"], None).await));
    done(&viewer.get(&of_type).await);
    let gate = rest.with_key(Some(&rest.new_key(&["gate"], None).await));
    assert_eq!(gate.get(&of_type).await.code(403), "PERMISSION_DENIED");
    let unknown = rest.get(&format!("{}?ticket_type_id={event}", path(&event))).await;
    assert_eq!(unknown.code(404), "TICKET_TYPE_NOT_FOUND");

    let client = host.grpc().await;
    let mut grpc = PricingServiceClient::with_interceptor(client.channel.clone(), client.clone());
    let request = GetDynamicPricingRequest { event_id: event.clone(), ticket_type_id: seat };
    let answer = grpc.get_dynamic_pricing(request.clone()).await.unwrap().into_inner();
    assert_eq!((answer.by_time.len(), answer.by_share_sold.len()), (25, 11));
    assert_eq!(answer.prices[0].price.as_ref().unwrap().amount, 1_300);
    let stranger = client.with_key(None);
    let mut grpc = PricingServiceClient::with_interceptor(stranger.channel.clone(), stranger);
    let refused = grpc.get_dynamic_pricing(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    let request = GetDynamicPricingRequest { ticket_type_id: String::new(), ..request };
    assert_eq!(grpc.get_dynamic_pricing(request).await.unwrap().into_inner().prices, answer.prices);
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_of_a_draft_are_for_callers_with_a_key_and_always_fresh() {
    let (_home, _host, rest) = memory().await;
    let (event, _) = show(&rest, 1_000).await;
    let status = async |status: &str| {
        done(&rest.patch(&format!("/v1/events/{event}"), json!({"status": status})).await);
    };
    status("draft").await;
    assert_eq!(rest.with_key(None).get(&path(&event)).await.code(404), "EVENT_NOT_FOUND");
    for (percentage, expected) in [("10", 1_100), ("20", 1_320)] {
        rule(&rest, percent("surcharge", percentage, json!({}))).await;
        assert_eq!(prices(&displayed(&rest, &event).await), [expected]);
    }
    status("cancelled").await;
    let (over, _) = show(&rest, 1_000).await;
    done(&rest.patch(&format!("/v1/events/{over}"), json!({"status": "ended"})).await);
    for event in [event, over] {
        assert_eq!(rest.get(&path(&event)).await.code(409), "EVENT_NOT_ON_SALE");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curves_follow_rules_by_time_and_by_share_sold() {
    let (_home, _host, rest) = memory().await;
    let show = soon(&rest).await;
    let steps = json!([{"sold": "50", "percent": "10"}, {"sold": "80", "percent": "25"}]);
    rule(&rest, json!({"name": "Demand", "kind": "surcharge", "steps": steps})).await;
    let early = json!({"min_minutes_to_start": 24 * 60, "order": 1});
    rule(&rest, percent("discount", "10", early)).await;
    let answer = curves(&rest, &show).await;
    // Half of the 24 steps are 24.5 hours before the start.
    assert_eq!(curve(&answer, "by_time"), [vec![900; 13], vec![1_000; 12]].concat());
    assert_eq!(curve(&answer, "by_share_sold"), [vec![900; 5], vec![990; 3], vec![1_125; 3]].concat());
    let times = answer["by_time"].as_array().unwrap();
    let event = rest.get(&format!("/v1/events/{}", show.0)).await.expect(200)["event"].clone();
    assert_eq!((&times[0]["at"], &times[24]["at"]), (&answer["computed_at"], &event["start_date"]));
    let shares = answer["by_share_sold"].as_array().unwrap();
    let shares: Vec<_> = shares.iter().map(|point| point["share_sold"].as_str().unwrap()).collect();
    assert_eq!(shares, ["0", "10", "20", "30", "40", "50", "60", "70", "80", "90", "100"]);
    assert_eq!(prices(&answer), [900]);
}

#[tokio::test(flavor = "multi_thread")]
async fn curves_follow_a_plugin_by_time_and_by_share_sold() {
    let (_home, _host, rest) = memory().await;
    let show = soon(&rest).await;
    let steps = json!([{"sold": "90", "percent": "50"}, {"hours": 24, "percent": "20"}]);
    let surge = json!({"settings": {"steps": steps, "label": "Gala"}, "event_id": show.0});
    install(&rest, "surge", surge).await;
    let answer = curves(&rest, &show).await;
    assert_eq!(curve(&answer, "by_time"), [vec![1_000; 13], vec![1_200; 12]].concat());
    assert_eq!(curve(&answer, "by_share_sold"), [vec![1_000; 9], vec![1_500; 2]].concat());
    // Nothing of it changes what is displayed or quoted now.
    assert_eq!(prices(&displayed(&rest, &show.0).await), [1_000]);
    assert_eq!(total(&price(&rest, basket(&show.0, &[(&show.1, 1)])).await), 1_000);
}

/// Returns the path of the log of an installation's calls.
fn calls_path(installed: &Value) -> String {
    format!("{}/calls", installation_path(installed))
}

fn installation_path(installed: &Value) -> String {
    format!("/v1/installations/{}", installed["installation_id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_for_curves_have_ids_of_their_own_and_are_logged_with_the_time_of_the_request() {
    let (_home, _host, rest) = memory().await;
    let show = soon(&rest).await;
    // Its fee follows from the id of the call.
    let whim = install(&rest, "hostile", json!({"settings": {"act": "whim"}})).await;
    let answer = curves(&rest, &show).await;
    for name in ["by_time", "by_share_sold"] {
        let points = curve(&answer, name);
        assert!(points.windows(2).all(|pair| pair[0] != pair[1]), "{name}: {points:?}");
    }
    let calls = rest.get(&calls_path(&whim)).await;
    let mut calls = calls.expect(200)["calls"].as_array().unwrap().clone();
    calls.retain(|call| call["function"] == "quote");
    assert_eq!(calls.len(), 1 + 25 + 11);
    let latest = OffsetDateTime::now_utc() + Duration::minutes(1);
    for call in &calls {
        let at = OffsetDateTime::parse(call["at"].as_str().unwrap(), &Rfc3339).unwrap();
        assert!(at < latest, "{call:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_for_curves_have_one_budget() {
    let (_home, _host, rest) = memory().await;
    let show = soon(&rest).await;
    // Each call uses more than a 37th of 100 million instructions, and less than 10 million.
    let settings = json!({"act": "work", "amount": 500_000});
    let installed = install(&rest, "hostile", json!({"settings": settings})).await;
    assert_eq!(prices(&displayed(&rest, &show.0).await), [1_000]);
    let refused = rest.get(&format!("/v1/events/{}/tickets/{}/dynamic-pricing", show.0, show.1)).await;
    assert_eq!(refused.code(424), "PLUGIN_OUT_OF_FUEL");
    let calls = rest.get(&calls_path(&installed)).await;
    assert_eq!(calls.expect(200)["counters"]["failed"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_prices_are_not_computed_again_at_once() {
    let (_home, _host, rest) = with_interval(Kind::Memory, "0").await;
    let (event, _) = show(&rest, 1_000).await;
    let installed = install(&rest, "hostile", json!({"settings": {"act": "trap"}})).await;
    let failed = async || {
        let calls = rest.get(&calls_path(&installed)).await;
        calls.expect(200)["counters"]["failed"].as_u64().unwrap()
    };
    let stranger = rest.with_key(None);
    for _ in 0..3 {
        assert_eq!(stranger.get(&path(&event)).await.code(424), "PLUGIN_FAILED");
    }
    assert_eq!(failed().await, 1);
    // What the public meets is not remembered for callers with a key.
    for _ in 0..3 {
        assert_eq!(rest.get(&path(&event)).await.code(424), "PLUGIN_TRAPPED");
    }
    assert_eq!(failed().await, 2);
    done(&rest.patch(&installation_path(&installed), json!({"settings": {"act": "adjust"}})).await);
    let shown = until(&stranger, &path(&event), |answer| answer.status.as_u16() == 200).await;
    assert_eq!(prices(&shown.body), [1_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn price_that_changes_while_it_cannot_be_displayed_has_a_fact() {
    let (_home, _host, rest) = with_interval(Kind::Memory, "1").await;
    let (event, _) = show(&rest, 1_000).await;
    assert_eq!(prices(&displayed(&rest, &event).await), [1_000]);
    let installed = install(&rest, "hostile", json!({"settings": {"act": "adjust"}})).await;
    let settings = async |act: &str| {
        done(&rest.patch(&installation_path(&installed), json!({"settings": {"act": act}})).await);
    };
    let counted = async |counter: &str| {
        let is_counted = |answer: &Answer| answer.body["counters"][counter].as_u64() > Some(0);
        until(&rest, &calls_path(&installed), is_counted).await;
    };
    // No client asks for the prices: the host refreshes them in the background.
    let acts = [("trap", "failed", 1_000, 1_100), ("refuse-basket", "refused", 1_100, 1_210)];
    for (act, counter, from, to) in acts {
        settings(act).await;
        counted(counter).await;
        rule(&rest, percent("surcharge", "10", json!({}))).await;
        settings("adjust").await;
        let money = |amount: i64| json!({"money": {"amount": amount, "currency": "EUR"}});
        let change = json!([{"field": "price", "before": money(from), "after": money(to)}]);
        let has_changed = |answer: &Answer| {
            let facts = answer.body["facts"].as_array().unwrap_or_else(|| panic!("{:#}", answer.body));
            facts.iter().any(|fact| fact["changes"] == change)
        };
        until(&rest, "/v1/audit?filter=type:price.changed", has_changed).await;
        assert_eq!(prices(&displayed(&rest, &event).await), [to]);
    }
    assert_eq!(facts(&rest, "price.changed").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn public_is_not_told_which_plugin_failed() {
    let (_home, _host, rest) = memory().await;
    let (event, _) = show(&rest, 1_000).await;
    install(&rest, "hostile", json!({"settings": {"act": "trap"}})).await;
    let refused = rest.get(&path(&event)).await;
    assert_eq!(refused.code(424), "PLUGIN_TRAPPED");
    let refused = rest.with_key(None).get(&path(&event)).await;
    assert_eq!(refused.code(424), "PLUGIN_FAILED");
    assert!(!refused.body.to_string().contains("hostile"), "{:#}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn ticket_type_that_a_plugin_refuses_is_left_out() {
    let (_home, _host, rest) = memory().await;
    let (event, _) = show(&rest, 1_000).await;
    install(&rest, "hostile", json!({"settings": {"act": "refuse-basket"}})).await;
    assert_eq!(prices(&displayed(&rest, &event).await), Vec::<i64>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_ticket_type_is_never_displayed() {
    let (_home, _host, rest) = memory().await;
    let (event, _) = show(&rest, 1_000).await;
    let guests = ticket_type(&rest, &event, (0, "EUR")).await;
    assert_eq!(prices(&displayed(&rest, &event).await), [1_000, 0]);
    let of_type = format!("/v1/events/{event}/tickets/{guests}");
    done(&rest.patch(&of_type, json!({"hidden": true})).await);
    for caller in [&rest, &rest.with_key(None)] {
        assert_eq!(prices(&displayed(caller, &event).await), [1_000]);
    }
    let curves = rest.get(&format!("{of_type}/dynamic-pricing")).await;
    assert_eq!(curves.code(404), "TICKET_TYPE_NOT_FOUND");
}
