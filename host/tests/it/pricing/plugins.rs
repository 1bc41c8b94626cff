//! Pricing plugins: their order and scopes, failures, answers that are refused, and discount codes.

use serde_json::{Value, json};
use tessera_proto::ticket::v1::CalculatePriceRequest;
use tessera_proto::ticket::v1::pricing_service_client::PricingServiceClient;

use super::{
    amount, basket, expected, facts, keep, percent, price, rule, show, steps, ticket_type, total, with,
};
use crate::harness::{Home, Host, Kind, Rest};
use crate::plugins::{component, install, upload};
use crate::reservations::{counts, create, id, reserve};
use crate::tracker::{done, faults, memory, on, on_every_store};

on_every_store! {
    plugins_are_called_in_their_order
    answer_that_the_contract_does_not_allow_is_refused
}

/// Installs the plugin that returns the adjustments of its settings; returns the path of its installation.
async fn hostile(rest: &Rest, settings: Value, more: Value) -> String {
    path(&install(rest, "hostile", with(json!({"settings": settings}), more)).await)
}

fn path(installation: &Value) -> String {
    format!("/v1/installations/{}", installation["installation_id"].as_str().unwrap())
}

/// Returns settings of `hostile` with one adjustment. `more` is merged into it.
fn adjust(kind: &str, amount: i64, more: Value) -> Value {
    let adjustment = with(json!({"kind": kind, "amount": amount, "label": "Hostile"}), more);
    json!({"act": "adjust", "adjustments": [adjustment]})
}

/// Uploads and installs the same plugin under another name, since a plugin can be installed only once for the tenant.
async fn hostile_named(rest: &Rest, name: &str, settings: Value, order: i64) {
    let mut renamed = component("hostile");
    let places: Vec<_> = (0..renamed.len()).filter(|at| renamed[*at..].starts_with(b"hostile")).collect();
    for at in places {
        renamed[at..at + name.len()].copy_from_slice(name.as_bytes());
    }
    let release = upload(rest, renamed).await;
    let body = json!({"release": {"digest": release["digest"]}, "settings": settings, "order": order});
    rest.post("/v1/installations", body).await.expect(201);
}

async fn plugins_are_called_in_their_order(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (event, seat) = show(&rest, 1_000).await;
    rule(&rest, percent("surcharge", "10", json!({}))).await;
    rule(&rest, percent("tax", "10", json!({}))).await;
    // The later a plugin is installed, the earlier it is called. Each adds another fee between both rules.
    for plugins in 0..=5_i64 {
        if plugins > 0 {
            let fee = adjust("fee", 10_i64.pow(u32::try_from(plugins).unwrap()), json!({"line": 0}));
            hostile_named(&rest, &format!("hostil{plugins}"), fee, -plugins).await;
        }
        let (priced, quote) = keep(&rest, basket(&event, &[(&seat, 1)])).await;
        let fees: Vec<_> = (1..=plugins).rev().map(|n| 10_i64.pow(u32::try_from(n).unwrap())).collect();
        let before_tax = 1_100 + fees.iter().sum::<i64>();
        let mut by_hand = expected([("surcharge", Some(0), 100)]);
        by_hand.extend(fees.iter().map(|fee| ("fee".to_owned(), Some(0), *fee)));
        by_hand.extend(expected([("tax", Some(0), before_tax / 10)]));
        assert_eq!(steps(&priced), by_hand, "{plugins} plugins");
        assert_eq!(total(&priced), before_tax + before_tax / 10, "{plugins} plugins");
        let stored = rest.get(&format!("/v1/quotes/{quote}")).await.expect(200)["quote"].clone();
        let calls = stored["calls"].as_array().unwrap();
        let applied: Vec<_> = calls.iter().map(|call| call["applied"].as_i64().unwrap()).collect();
        assert_eq!(applied, (1..=plugins).collect::<Vec<_>>(), "{plugins} plugins");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn installation_for_an_event_is_called_for_it_alone() {
    let (_home, _host, rest) = memory().await;
    let (own, other) = (show(&rest, 1_000).await, show(&rest, 1_000).await);
    let groups = json!({"steps": [{"units": 2, "percent": "10"}]});
    let surge = json!({"steps": [{"sold": "0", "percent": "50"}]});
    let of_event = json!({"event_id": own.0, "settings": surge, "order": 1});
    let installed = install(&rest, "surge", of_event).await;
    assert_eq!((&installed["event_id"], &installed["project_id"]), (&json!(own.0), &Value::Null));
    install(&rest, "group-discount", json!({"settings": groups, "order": 2})).await;
    let price_of = async |show: &(String, String)| price(&rest, basket(&show.0, &[(&show.1, 2)])).await;
    let both = price_of(&own).await;
    assert_eq!(steps(&both), expected([("surcharge", Some(0), 1_000), ("discount", Some(0), -300)]));
    assert_eq!(steps(&price_of(&other).await), expected([("discount", Some(0), -200)]));
    // A reservation of the other event is quoted as well, because a plugin of the tenant prices it.
    let reserved = reserve(&rest, &other, "ann", 2).await;
    assert_eq!(reserved.expect(201)["reservation"]["total"]["amount"], 1_800);

    // Validations of an event: of its changes, its ticket types, reservations and check-ins.
    let sell = async |show: &(String, String)| {
        let held = id(&reserve(&rest, show, "ann", 1).await);
        let confirm = format!("/v1/reservations/{}:confirm", id(&reserve(&rest, show, "ann", 1).await));
        let sold = rest.post(&confirm, json!({"payment_reference": "p"})).await;
        let ticket = done(&sold)["reservation"]["tickets"][0]["id"].as_str().unwrap().to_owned();
        let ticket = rest.get(&format!("/v1/tickets/{ticket}")).await.expect(200)["ticket"].clone();
        (held, ticket["code"].clone())
    };
    let (of_own, of_other) = (sell(&own).await, sell(&other).await);
    let change = async |(event, ticket_type): &(String, String), (held, code): &(String, Value)| {
        let event = format!("/v1/events/{event}");
        [
            rest.patch(&event, json!({"title": "Another night"})).await,
            rest.patch(&format!("{event}/tickets/{ticket_type}"), json!({"name": "Place"})).await,
            rest.post(&format!("/v1/reservations/{held}:confirm"), json!({"payment_reference": "p"})).await,
            rest.post(&format!("{event}/check-ins"), json!({"gate": "North", "qr_code": code})).await,
        ]
    };
    let kinds = json!(["event", "ticket-type", "reservation", "ticket"]);
    let rules = json!({"rules": [{"fields": ["coupon"], "kinds": kinds}]});
    let validation = json!({"event_id": own.0, "settings": rules});
    let validation = path(&install(&rest, "required-fields", validation).await);
    assert_eq!(reserve(&rest, &own, "ann", 1).await.code(422), "FIELD_REQUIRED");
    reserve(&rest, &other, "ann", 1).await.expect(201);
    for refused in change(&own, &of_own).await {
        assert_eq!(refused.code(422), "FIELD_REQUIRED", "{:#}", refused.body);
    }
    for changed in change(&other, &of_other).await {
        done(&changed);
    }
    done(&rest.delete(&validation).await);
    reserve(&rest, &own, "ann", 1).await.expect(201);

    let release = async |name: &str| {
        let release = upload(&rest, component(name)).await;
        json!({"release": {"digest": release["digest"]}})
    };
    let (surge_release, workflow) = (release("surge").await, release("issue-lifecycle").await);
    // It has all hooks: as long as one of them would not be called, the release is refused.
    let every_hook = release("hostile").await;
    let project = rest.project("P").await;
    for (body, scope) in [
        (&surge_release, json!({"project_id": project, "settings": surge})),
        (&every_hook, json!({"project_id": project})),
    ] {
        let refused = rest.post("/v1/installations", with(body.clone(), scope)).await;
        assert_eq!(faults(&refused), ["project_id"]);
    }
    for (body, more) in [
        (&every_hook, json!({"event_id": own.0})),
        (&surge_release, json!({"event_id": own.1, "settings": surge})),
        (&surge_release, json!({"event_id": own.0, "project_id": project, "settings": surge})),
        (&workflow, json!({"event_id": own.0})),
    ] {
        let refused = rest.post("/v1/installations", with(body.clone(), more)).await;
        assert_eq!(faults(&refused), ["event_id"]);
    }
}

/// Locked units are not available, but not sold either.
#[tokio::test(flavor = "multi_thread")]
async fn plugin_is_given_the_share_sold_that_rules_see() {
    let (_home, _host, rest) = memory().await;
    let show = crate::reservations::show(&rest, 10, json!({})).await;
    let demand = json!([{"sold": "50", "percent": "10"}]);
    rule(&rest, json!({"name": "Demand", "kind": "surcharge", "steps": demand})).await;
    install(&rest, "surge", json!({"event_id": show.0, "settings": {"steps": demand}})).await;
    let lock = json!({"pool_id": show.1, "quantity": 4, "reason": "press"});
    create(&rest, &format!("/v1/events/{}/locks", show.0), lock, "lock").await;
    let seat = basket(&show.0, &[(&show.1, 1)]);
    id(&reserve(&rest, &show, "ann", 4).await);
    assert_eq!(steps(&price(&rest, seat.clone()).await), expected([]));
    id(&reserve(&rest, &show, "ann", 1).await);
    // 10 % of 1,250, and 10 % of 1,375, of which the half is rounded to even.
    let both = expected([("surcharge", Some(0), 125), ("surcharge", Some(0), 138)]);
    assert_eq!(steps(&price(&rest, seat).await), both);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_plugin_refuses_or_is_passed_over_by_policy() {
    let (_home, host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_000).await;
    rule(&rest, amount("fee", 100, "order")).await;
    let bought = basket(&event, &[(&seat, 1)]);
    let installed = hostile(&rest, json!({"act": "trap"}), json!({})).await;
    for (act, reason) in [("trap", "PLUGIN_TRAPPED"), ("spin", "PLUGIN_OUT_OF_FUEL")] {
        done(&rest.patch(&installed, json!({"settings": {"act": act}})).await);
        let refused = rest.post("/v1/prices:calculate", bought.clone()).await;
        assert_eq!(refused.code(424), reason);
        assert!(refused.body["detail"].as_str().unwrap().contains("hostile@1.0.0"), "{:#}", refused.body);
    }
    let client = host.grpc().await;
    let mut grpc = PricingServiceClient::with_interceptor(client.channel.clone(), client);
    let request = CalculatePriceRequest {
        event_id: event.clone(),
        zone_id: seat.clone(),
        quantity: 1,
        ..CalculatePriceRequest::default()
    };
    let status = grpc.calculate_price(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    assert!(status.message().contains("hostile@1.0.0"), "{status:?}");
    let reserved = reserve(&rest, &(event.clone(), seat.clone()), "ann", 1).await;
    assert_eq!(reserved.status.as_u16(), 424);
    assert_eq!(counts(&rest, &event).await, [0, 0, 0]);

    done(&rest.patch(&installed, json!({"on_failure": "open"})).await);
    let (priced, quote) = keep(&rest, bought.clone()).await;
    assert_eq!((total(&priced), steps(&priced)), (1_100, expected([("fee", None, 100)])));
    let passed_over = priced["passed_over"].as_array().unwrap();
    assert!(passed_over.len() == 1 && passed_over[0].to_string().contains("hostile"), "{priced:#}");
    let stored = rest.get(&format!("/v1/quotes/{quote}")).await.expect(200)["quote"].clone();
    assert_eq!((&stored["calls"][0]["failed"], &stored["calls"][0]["applied"]), (&json!(true), &json!(0)));
    // One that works again is not passed over, and one that is disabled is not called.
    done(&rest.patch(&installed, json!({"settings": adjust("fee", 7, json!({}))})).await);
    let priced = price(&rest, bought.clone()).await;
    assert_eq!((total(&priced), &priced["passed_over"]), (1_107, &json!([])));
    done(&rest.patch(&installed, json!({"enabled": false})).await);
    assert_eq!(total(&price(&rest, bought).await), 1_100);
}

async fn answer_that_the_contract_does_not_allow_is_refused(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (event, seat) = show(&rest, 1_000).await;
    let circle = ticket_type(&rest, &event, (500, "EUR")).await;
    let more = json!({"codes": ["FRIENDS"], "keep": true});
    let bought = with(basket(&event, &[(&seat, 1), (&circle, 1)]), more);
    let installed = hostile(&rest, json!({}), json!({})).await;
    let many = with(adjust("fee", 1, json!({})), json!({"amount": 1_001}));
    let refuses = json!({"act": "adjust", "refused_codes": ["OTHER"]});
    for (settings, detail) in [
        (adjust("fee", 1, json!({"line": 2})), "line"),
        (adjust("surcharge", -1, json!({})), "wrong sign"),
        (adjust("discount", 1, json!({})), "wrong sign"),
        (adjust("discount", -1_001, json!({"line": 0})), "below zero"),
        (adjust("discount", -1_501, json!({})), "below zero"),
        (adjust("fee", 1_000_000_000_000_000, json!({})), "more than"),
        (adjust("fee", 1_000_000_000_000_001, json!({})), "10^15"),
        (adjust("surcharge", 1, json!({"included": true})), "cannot be included"),
        (adjust("fee", 1_001, json!({"line": 0, "included": true})), "the price that contains it"),
        (adjust("fee", 1, json!({"label": ""})), "label"),
        (adjust("fee", 1, json!({"label": "x".repeat(201)})), "label"),
        (adjust("fee", 1, json!({"label": "a\tb"})), "label"),
        (adjust("discount", -1, json!({"code": "OTHER"})), "OTHER"),
        (refuses, "OTHER"),
        (many, "at most 1000 adjustments"),
    ] {
        // No policy passes over a price that is wrong.
        for policy in ["closed", "open"] {
            done(&rest.patch(&installed, json!({"settings": settings, "on_failure": policy})).await);
            let refused = rest.post("/v1/prices:calculate", bought.clone()).await;
            assert_eq!(refused.code(424), "PLUGIN_BAD_ANSWER", "{detail}, {policy}");
            let message = refused.body["detail"].as_str().unwrap();
            assert!(message.contains("hostile@1.0.0") && message.contains(detail), "{detail}: {message}");
        }
    }
    let reserved = reserve(&rest, &(event.clone(), seat), "ann", 1).await;
    assert_eq!(reserved.code(424), "PLUGIN_BAD_ANSWER");
    // A refusal is the plugin's right.
    done(&rest.patch(&installed, json!({"settings": {"act": "refuse-basket"}})).await);
    let refused = rest.post("/v1/prices:calculate", bought.clone()).await;
    assert_eq!(refused.code(422), "NOT_SOLD");
    assert_eq!(refused.body["violations"][0]["plugin"], "hostile");
    assert_eq!(facts(&rest, "quote.created").await, 0);
    assert_eq!(counts(&rest, &event).await, [0, 0, 0]);
    // An adjustment of zero changes nothing and is left out.
    done(&rest.patch(&installed, json!({"settings": adjust("discount", 0, json!({}))})).await);
    let priced = price(&rest, with(bought, json!({"keep": false, "codes": []}))).await;
    assert_eq!((total(&priced), &priced["adjustments"]), (1_500, &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_accepted_or_refused_with_a_reason() {
    let (_home, _host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_250).await;
    let codes = json!({"codes": [
        {"code": "FRIENDS", "percent": "10", "label": "Friends"},
        {"code": "BIG", "percent": "20", "minimum": 5_000, "currency": "EUR"},
    ]});
    install(&rest, "loyalty", json!({"settings": codes})).await;
    let entered = json!({"codes": ["BIG", "FRIENDS", "NOPE"]});
    let (priced, quote) = keep(&rest, with(basket(&event, &[(&seat, 2)]), entered.clone())).await;
    assert_eq!(steps(&priced), expected([("discount", None, -250)]));
    assert_eq!(priced["adjustments"][0]["code"], "FRIENDS");
    assert_eq!((&priced["codes"], &priced["discount_reason"]), (&json!(["FRIENDS"]), &json!("Friends")));
    let refused = json!([
        {"code": "BIG", "reason": "the basket is below the minimum of the code"},
        {"code": "NOPE", "reason": "the code is not valid"},
    ]);
    assert_eq!(priced["refused_codes"], refused);
    let stored = rest.get(&format!("/v1/quotes/{quote}")).await.expect(200)["quote"].clone();
    assert_eq!((&stored["codes"], &stored["refused_codes"]), (&json!(["FRIENDS"]), &refused));
    assert_eq!(stored["inputs"]["codes"], entered["codes"]);
    // Four units cost 5,000, which is the minimum.
    let big = with(basket(&event, &[(&seat, 4)]), json!({"discount_code": "BIG"}));
    assert_eq!(total(&price(&rest, big).await), 4_000);
    // A reservation takes codes as well.
    let body = json!({"user_id": "ann", "codes": ["FRIENDS"]});
    let reserved = rest.post("/v1/reservations", with(basket(&event, &[(&seat, 2)]), body)).await;
    assert_eq!(reserved.expect(201)["reservation"]["total"]["amount"], 2_250);
    let many: Vec<_> = (0..11).map(|n| format!("C{n}")).collect();
    let many = with(basket(&event, &[(&seat, 1)]), json!({"codes": many}));
    assert_eq!(faults(&rest.post("/v1/prices:calculate", many).await), ["codes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_switches_off_dynamic_prices_or_discounts() {
    for (name, off, by_hand) in [
        ("DYNAMIC_PRICING_ENABLED", "surcharge", vec![("discount", -100), ("fee", 50)]),
        ("DISCOUNT_RULES_ENABLED", "discount", vec![("surcharge", 500), ("surcharge", 750), ("fee", 50)]),
    ] {
        let home = Home::new(Kind::Sqlite).await;
        let host = Host::start(&home).await;
        let rest = host.rest();
        let (event, seat) = show(&rest, 1_000).await;
        let surcharge = rule(&rest, percent("surcharge", "50", json!({}))).await;
        let discount = rule(&rest, percent("discount", "10", json!({"order": 1}))).await;
        rule(&rest, amount("fee", 50, "order")).await;
        let surge = json!({"settings": {"steps": [{"sold": "0", "percent": "50"}]}});
        let surge = path(&install(&rest, "surge", surge).await);
        drop(host);
        let host = Host::start_with(&home, &[(name, "false")]).await;
        let rest = host.rest();
        // What is stored stays, and is not applied.
        let bought = basket(&event, &[(&seat, 1)]);
        let priced = price(&rest, bought.clone()).await;
        let found: Vec<_> = steps(&priced).into_iter().map(|(kind, _, amount)| (kind, amount)).collect();
        let by_hand: Vec<_> = by_hand.into_iter().map(|(kind, amount)| (kind.to_owned(), amount)).collect();
        assert_eq!(found, by_hand, "{name}");
        let with_code = with(bought.clone(), json!({"codes": ["FRIENDS"]}));
        let answer = rest.post("/v1/prices:calculate", with_code).await;
        if name == "DISCOUNT_RULES_ENABLED" {
            assert_eq!(faults(&answer), ["codes"]);
        } else {
            assert_eq!(done(&answer)["refused_codes"][0]["code"], "FRIENDS");
        }
        let listed = rest.get(&format!("/v1/events/{event}/pricing-rules")).await;
        let listed = listed.expect(200)["rules"].as_array().unwrap().clone();
        assert!(listed.len() == 2 && listed.iter().all(|of| of["kind"] != off), "{listed:#?}");

        let stored = format!("/v1/pricing-rules/{}", if off == "surcharge" { surcharge } else { discount });
        let new = percent(off, "5", json!({}));
        let tried = json!({"rule": new, "basket": bought});
        for (refused, field) in [
            (rest.post("/v1/pricing-rules", new.clone()).await, "kind"),
            (rest.post("/v1/pricing-rules:test", tried).await, "rule.kind"),
            (rest.patch(&stored, json!({"name": "Other"})).await, "kind"),
        ] {
            assert_eq!(faults(&refused), [field], "{name}");
            assert!(refused.body.to_string().contains(name), "{:#}", refused.body);
        }
        rule(&rest, with(new, json!({"enabled": false}))).await;
        done(&rest.patch(&stored, json!({"enabled": false})).await);
        assert_eq!(faults(&rest.patch(&stored, json!({"enabled": true})).await), ["kind"]);
        let release = upload(&rest, component("group-discount")).await;
        let settings = json!({"steps": [{"units": 2, "percent": "10"}]});
        let groups = json!({"release": {"digest": release["digest"]}, "settings": settings});
        if name == "DISCOUNT_RULES_ENABLED" {
            done(&rest.patch(&surge, json!({"order": 3})).await);
            continue;
        }
        for refused in
            [rest.post("/v1/installations", groups).await, rest.patch(&surge, json!({"order": 3})).await]
        {
            assert_eq!(faults(&refused), ["release"]);
            assert!(refused.body.to_string().contains(name), "{:#}", refused.body);
        }
        done(&rest.patch(&surge, json!({"enabled": false})).await);
        assert_eq!(faults(&rest.patch(&surge, json!({"enabled": true})).await), ["release"]);
    }
}
