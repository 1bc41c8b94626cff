//! Bookings whose reservations fail again and again: they step back, and fail after a bounded number of attempts.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::{enter_queue, lines, until};
use crate::plugins::install;
use crate::reservations::show;
use crate::tracker::{done, memory};

/// More bookings than the host takes up in one round.
const HEADS: usize = 205;

/// Longest wait for an outcome.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn failing_bookings_step_back_and_fail_with_their_reason() {
    let (_home, _host, rest) = memory().await;
    // Its answer for three tickets or more breaks the contract.
    install(&rest, "hostile", json!({"settings": {"act": "greedy", "amount": 3}})).await;
    let show = show(&rest, 1_000, json!({})).await;
    let terms = json!({"max_active": HEADS + 1, "active_seconds": 3_600});
    done(&rest.put(&format!("/v1/events/{}/queue", show.0), terms).await);
    let heads = (0..HEADS).map(|number| {
        let (rest, show) = (&rest, &show);
        async move { enter_queue(rest, &show.0, &format!("head {number}"), lines(show, 3)).await }
    });
    let heads = join_all(heads).await;
    let behind = enter_queue(&rest, &show.0, "behind", lines(&show, 1)).await;
    until(&rest, &behind, "done", PATIENCE).await;
    for id in &heads {
        let failed = until(&rest, id, "failed", PATIENCE).await;
        assert_eq!(failed["failure_reason"], "PLUGIN_BAD_ANSWER", "{failed:#}");
        assert!(failed["failure_message"].as_str().unwrap().contains("hostile@1.0.0"), "{failed:#}");
    }
}
