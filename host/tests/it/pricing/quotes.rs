//! Stored quotes: who keeps and reads them, how they explain their prices, and when they end.

use serde_json::{Value, json};
use tessera_proto::ticket::v1::pricing_service_client::PricingServiceClient;
use tessera_proto::ticket::v1::{CalculatePriceRequest, GetQuoteRequest};

use super::{
    basket, event, expected, facts, keep, other_tenant, percent, price, rule, show, steps, ticket_type,
    total, with,
};
use crate::harness::{Home, Host, Kind, Rest, faketime, shifted_clock};
use crate::plugins::install;
use crate::reservations::{counts, create};
use crate::tracker::{done, memory, on, on_every_store};

on_every_store! {
    kept_quote_explains_its_price
}

#[tokio::test(flavor = "multi_thread")]
async fn quotes_are_kept_with_a_key_alone() {
    let (_home, _host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_250).await;
    let bought = with(basket(&event, &[(&seat, 2)]), json!({"keep": true}));
    let stranger = rest.with_key(None);
    assert_eq!(stranger.post("/v1/prices:calculate", bought.clone()).await.status.as_u16(), 401);
    let viewer = rest.with_key(Some(&rest.new_key(&["viewer"], None).await));
    assert_eq!(viewer.post("/v1/prices:calculate", bought.clone()).await.code(403), "PERMISSION_DENIED");
    // Without `keep` nothing is stored.
    price(&viewer, basket(&event, &[(&seat, 2)])).await;
    assert_eq!(facts(&rest, "quote.created").await, 0);

    let agent = rest.with_key(Some(&rest.new_key(&["agent"], None).await));
    let (priced, id) = keep(&agent, basket(&event, &[(&seat, 2)])).await;
    let path = format!("/v1/quotes/{id}");
    let stored = viewer.get(&path).await.expect(200)["quote"].clone();
    assert_eq!((&stored["id"], &stored["final_price"]), (&json!(id), &priced["final_price"]));
    assert_eq!((&stored["expires_at"], &stored["event_id"]), (&priced["expires_at"], &json!(event)));
    assert_eq!((&stored["calls"], &stored["inputs"]), (&json!([]), &Value::Null));
    assert_eq!(other_tenant(&rest).await.get(&path).await.code(404), "QUOTE_NOT_FOUND");
    assert!(stranger.get(&path).await.status.is_client_error());
    assert_eq!(rest.get(&format!("/v1/quotes/{event}")).await.code(404), "QUOTE_NOT_FOUND");
    // A repeated request gets the first quote.
    let repeat = || {
        let request = rest.request(reqwest::Method::POST, "/v1/prices:calculate");
        rest.send(request.header("idempotency-key", "k-1").json(&bought))
    };
    let (first, again) = (repeat().await, repeat().await);
    assert_eq!(done(&first)["quote_id"], done(&again)["quote_id"]);
    assert_ne!(first.body["quote_id"], json!(id));
}

async fn kept_quote_explains_its_price(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let venue = json!({"name": "Hall", "address": "1 Street", "city": "Berlin", "country": "Germany",
        "time_zone": "Europe/Berlin"});
    let venue = create(&rest, "/v1/venues", venue, "venue").await;
    let event = event(&rest, json!({"title": "Hamlet", "venue_id": venue})).await;
    let seat = ticket_type(&rest, &event, (1_000, "EUR")).await;
    let early = rule(&rest, percent("discount", "20", json!({"min_minutes_to_start": 10}))).await;
    let fee = rule(&rest, percent("fee", "10", json!({}))).await;
    let surge = json!({"settings": {"steps": [{"sold": "0", "percent": "50"}], "label": "Gala"}, "order": 1});
    let surge = install(&rest, "surge", surge).await;
    let tax = json!({"settings": {"cities": [{"city": "Berlin", "percent": "7.5"}]}, "order": 2});
    let tax = install(&rest, "city-tax", tax).await;
    let more = json!({"buyer_id": "ann", "channel": "web"});
    let (priced, id) = keep(&rest, with(basket(&event, &[(&seat, 2)]), more)).await;
    // 2,000, less 20 %, and 50 % more of 1,600; 7.5 % and 10 % of what the steps before left.
    let by_hand = [
        ("discount", Some(0), -400),
        ("surcharge", Some(0), 800),
        ("tax", Some(0), 180),
        ("fee", Some(0), 258),
    ];
    assert_eq!((steps(&priced), total(&priced)), (expected(by_hand), 2_838));

    let quote = rest.get(&format!("/v1/quotes/{id}")).await.expect(200)["quote"].clone();
    let members = ["base_price", "final_price", "lines", "adjustments", "codes", "expires_at"];
    for member in members {
        assert_eq!(quote[member], priced[member], "{member}");
    }
    let of = |installation: &Value| {
        let digest = installation["release"]["digest"].as_str().unwrap();
        format!("plugin:{}@{digest}", installation["installation_id"].as_str().unwrap())
    };
    let sources = [0, 1, 2, 3].map(|step| quote["adjustments"][step]["source"].as_str().unwrap().to_owned());
    assert_eq!(sources, [format!("rule:{early}@1"), of(&surge), of(&tax), format!("rule:{fee}@1")]);
    let call = |installation: &Value, plugin: &str, applied: u32| {
        json!({
            "installation_id": installation["installation_id"], "installation_version": 1, "plugin": plugin,
            "release": installation["release"]["digest"], "applied": applied, "failed": false,
            "settings": installation["settings"],
        })
    };
    assert_eq!(quote["calls"], json!([call(&surge, "surge@1.0.0", 1), call(&tax, "city-tax@1.0.0", 2)]));
    let inputs = &quote["inputs"];
    assert_eq!(inputs["event"]["title"], "Hamlet");
    assert_eq!(inputs["event"]["venue_city"], "Berlin");
    assert_eq!(inputs["starts_at"], "2126-03-01T19:00:00Z");
    assert_eq!((&inputs["offset_start"], &inputs["buyer"]), (&json!(60), &json!({"id": "ann"})));
    let line = json!([{"ticket_type_id": seat, "available": 100, "capacity": 100}]);
    assert_eq!((&inputs["lines"], &inputs["codes"]), (&line, &json!([])));
    assert_eq!((&quote["buyer_id"], &quote["channel"]), (&json!("ann"), &json!("web")));
    assert!(quote["created_by"].as_str().unwrap().starts_with("key:"), "{quote:#}");

    // It stays as it is when rules and plugins are gone.
    for path in [
        format!("/v1/pricing-rules/{early}"),
        format!("/v1/installations/{}", surge["installation_id"].as_str().unwrap()),
    ] {
        done(&rest.delete(&path).await);
    }
    assert_eq!(rest.get(&format!("/v1/quotes/{id}")).await.expect(200)["quote"], quote);
}

#[tokio::test(flavor = "multi_thread")]
async fn quote_keeps_the_settings_that_plugins_had() {
    let (_home, _host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_000).await;
    let gala = json!({"steps": [{"sold": "0", "percent": "50"}], "label": "Gala"});
    let surge = install(&rest, "surge", json!({"settings": gala})).await;
    let (_, id) = keep(&rest, basket(&event, &[(&seat, 1)])).await;
    let installation = format!("/v1/installations/{}", surge["installation_id"].as_str().unwrap());
    let dearer = json!({"steps": [{"sold": "0", "percent": "75"}], "label": "Late"});
    done(&rest.patch(&installation, json!({"settings": dearer})).await);
    let (_, later) = keep(&rest, basket(&event, &[(&seat, 1)])).await;
    let call = async |reader: &Rest, id: &str| {
        reader.get(&format!("/v1/quotes/{id}")).await.expect(200)["quote"]["calls"][0].clone()
    };
    let (first, second) = (call(&rest, &id).await, call(&rest, &later).await);
    assert_eq!((&first["settings"], &second["settings"]), (&gala, &dearer));
    assert_eq!((&first["installation_version"], &second["installation_version"]), (&json!(1), &json!(2)));
    // Settings may be confidential: only those who may read installations see them.
    let viewer = rest.with_key(Some(&rest.new_key(&["viewer"], None).await));
    let hidden = call(&viewer, &id).await;
    assert_eq!((&hidden["settings"], &hidden["plugin"]), (&Value::Null, &first["plugin"]));
    done(&rest.delete(&installation).await);
    assert_eq!(call(&rest, &id).await, first);
}

/// A host whose clock is two minutes ahead finds quotes of a minute expired.
#[tokio::test(flavor = "multi_thread")]
async fn expired_quote_is_refused() {
    let home = Home::new(Kind::Sqlite).await;
    let minute = ("TESSERA_QUOTE_SECONDS", "60");
    let host = Host::start_with(&home, &[minute]).await;
    let rest = host.rest();
    let (event, seat) = show(&rest, 1_250).await;
    let bought = basket(&event, &[(&seat, 1)]);
    let (_, id) = keep(&rest, bought.clone()).await;
    let body = with(bought, json!({"quote_id": id, "user_id": "ann"}));
    drop(host);

    let library = faketime();
    let settings: Vec<_> = shifted_clock(&library, "+120s").into_iter().chain([minute]).collect();
    let host = Host::start_with(&home, &settings).await;
    let rest = host.rest();
    let refused = rest.post("/v1/reservations", body.clone()).await;
    assert_eq!(refused.code(410), "QUOTE_EXPIRED");
    assert_eq!(counts(&rest, &event).await, [0, 0, 0]);
    // A new one is not.
    let (_, id) = keep(&rest, basket(&event, &[(&seat, 1)])).await;
    rest.post("/v1/reservations", with(body, json!({"quote_id": id}))).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn quotes_are_equal_over_grpc() {
    let (_home, host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_250).await;
    rule(&rest, percent("fee", "5", json!({}))).await;
    let client = host.grpc().await;
    let stranger = client.with_key(None);
    let mut grpc = PricingServiceClient::with_interceptor(client.channel.clone(), client);
    let request = CalculatePriceRequest {
        event_id: event,
        zone_id: seat,
        quantity: 2,
        user_id: "ann".into(),
        keep: true,
        ..CalculatePriceRequest::default()
    };
    let quote_id = grpc.calculate_price(request.clone()).await.unwrap().into_inner().quote_id.unwrap();
    let stored = grpc.get_quote(GetQuoteRequest { quote_id: quote_id.clone() }).await.unwrap();
    let stored = stored.into_inner().quote.unwrap();
    let over_rest = rest.get(&format!("/v1/quotes/{quote_id}")).await.expect(200)["quote"].clone();
    assert_eq!(json!(stored.adjustments[0].source), over_rest["adjustments"][0]["source"]);
    assert_eq!(json!(stored.final_price.unwrap().amount), over_rest["final_price"]["amount"]);
    assert_eq!(over_rest["buyer_id"], "ann");
    let mut grpc = PricingServiceClient::with_interceptor(stranger.channel.clone(), stranger);
    assert_eq!(grpc.calculate_price(request).await.unwrap_err().code(), tonic::Code::Unauthenticated);
}
