//! Pricing plugins that exceed the limits of a call: each refuses the price with its reason.

use serde_json::json;

use super::{basket, price, show, total, with};
use crate::harness::{Home, Host, Kind};
use crate::plugins::install;
use crate::reservations::{counts, reserve};
use crate::tracker::done;

/// A host with more instructions and time for a call, so that the other limits are reached first.
const SETTINGS: [(&str, &str); 2] =
    [("TESSERA_PLUGIN_FUEL", "100000000"), ("TESSERA_PLUGIN_TIME_MS", "10000")];

#[tokio::test(flavor = "multi_thread")]
async fn price_is_refused_with_the_limit_that_a_plugin_exceeds() {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start_with(&home, &SETTINGS).await;
    let rest = host.rest();
    let (event, seat) = show(&rest, 1_000).await;
    let bought = basket(&event, &[(&seat, 1)]);
    let installed = install(&rest, "hostile", json!({"settings": {"act": "nothing"}})).await;
    let installed = format!("/v1/installations/{}", installed["installation_id"].as_str().unwrap());
    // 300 labels of 200 bytes each are 60,000 bytes.
    let adjustment = json!({"kind": "fee", "amount": 1, "label": "x".repeat(200)});
    let labels = json!({"act": "adjust", "amount": 300, "adjustments": [adjustment]});
    let (none, memory) = (json!({}), json!({"memory": 4 << 20}));
    for (settings, limits, reason, detail) in [
        (json!({"act": "grow-memory", "amount": 1_000}), memory, "OUT_OF_MEMORY", "4194304"),
        (json!({"act": "recurse"}), none.clone(), "TRAPPED", "stack"),
        (json!({"act": "spin"}), json!({"time_ms": 1}), "TIMED_OUT", "1 are allowed"),
        (labels, json!({"output": 50_000}), "OUTPUT_TOO_LARGE", "50000"),
        (json!({"act": "spin"}), none, "OUT_OF_FUEL", "100000000"),
    ] {
        done(&rest.patch(&installed, json!({"settings": settings, "limits": limits})).await);
        let refused = rest.post("/v1/prices:calculate", bought.clone()).await;
        assert_eq!(refused.code(424), format!("PLUGIN_{reason}"));
        let message = refused.body["detail"].as_str().unwrap();
        assert!(message.contains("hostile@1.0.0") && message.contains(detail), "{reason}: {message}");
    }
    let reserved = reserve(&rest, &(event.clone(), seat), "ann", 1).await;
    assert_eq!(reserved.code(424), "PLUGIN_OUT_OF_FUEL");
    assert_eq!(counts(&rest, &event).await, [0, 0, 0]);
    // With the policy `open` the price is made without it.
    done(&rest.patch(&installed, json!({"on_failure": "open"})).await);
    let priced = price(&rest, bought.clone()).await;
    assert_eq!((total(&priced), priced["passed_over"].as_array().unwrap().len()), (1_000, 1));
    // Nothing of those calls is left.
    done(&rest.patch(&installed, json!({"settings": {"act": "nothing"}, "on_failure": "closed"})).await);
    let priced = price(&rest, with(bought, json!({"keep": true}))).await;
    assert_eq!((total(&priced), &priced["passed_over"]), (1_000, &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_larger_than_the_limit_of_the_host_is_refused() {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start_with(&home, &SETTINGS).await;
    let rest = host.rest();
    let (event, seat) = show(&rest, 1_000).await;
    let adjustment = json!({"kind": "fee", "amount": 1, "label": "x".repeat(200)});
    // 2,000 labels of 200 bytes each are 400,000 bytes.
    let labels = json!({"act": "adjust", "amount": 2_000, "adjustments": [adjustment]});
    install(&rest, "hostile", json!({"settings": labels})).await;
    let refused = rest.post("/v1/prices:calculate", basket(&event, &[(&seat, 1)])).await;
    assert_eq!(refused.code(424), "PLUGIN_OUTPUT_TOO_LARGE");
    assert!(refused.body["detail"].as_str().unwrap().contains("262144"), "{:#}", refused.body);
}
