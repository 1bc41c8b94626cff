//! Buyers who leave the queue in the moment in which the host reserves for them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{SOON, booking, cancel, entered, set, wants};
use crate::harness::{Kind, Rest};
use crate::reservations::{counts, show};
use crate::tracker::{all_pages, on, on_every_store};

on_every_store! {
    booking_cancelled_during_reservation_holds_nothing
}

/// Buyers who come at once, and how often others do at most, until one of them has left in the very moment.
const BUYERS: u32 = 16;
const ROUNDS: u32 = 200;
/// How much longer than the one before each waits until it leaves.
const STEP: Duration = Duration::from_millis(2);

/// Enters the queue, and leaves it after a while if that is still possible.
async fn passes(rest: Rest, show: (String, String), buyer: String, stays: Duration) -> String {
    let id = entered(&rest, &show.0, &buyer, wants(&show, 1)).await;
    tokio::time::sleep(stays).await;
    let left = cancel(&rest, &id).await;
    assert!(left.status.is_success() || left.status.as_u16() == 409, "{:#}", left.body);
    id
}

/// Reservations of the event that were given back.
async fn given_back(rest: &Rest, event: &str) -> Vec<Value> {
    let path = format!("/v1/reservations?filter=event:{event}%20state:released");
    all_pages(rest, &path, "reservations", 100).await
}

async fn booking_cancelled_during_reservation_holds_nothing(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let show = show(&rest, 10_000, json!({})).await;
    assert!(set(&rest, &show.0, BUYERS, false).await.status.is_success());
    let mut ids = Vec::new();
    for round in 0..ROUNDS {
        let tasks: Vec<_> = (0..BUYERS)
            .map(|buyer| {
                let name = format!("b-{round}-{buyer}");
                tokio::spawn(passes(host.rest(), show.clone(), name, STEP * buyer))
            })
            .collect();
        for task in tasks {
            ids.push(task.await.unwrap());
        }
        // Somebody was held something already when leaving: that is what is to be seen.
        if !given_back(&rest, &show.0).await.is_empty() {
            break;
        }
    }
    let mut kept = 0;
    for id in &ids {
        let held = booking(&rest, id).await;
        match held["state"].as_str().unwrap() {
            "done" => kept += 1,
            state => {
                assert_eq!(state, "cancelled", "{held:#}");
                assert_eq!(held["reservation_id"], Value::Null, "{held:#}");
            }
        }
    }
    let begun = Instant::now();
    while counts(&rest, &show.0).await != [kept, 0, 0] {
        let held = counts(&rest, &show.0).await;
        assert!(begun.elapsed() < SOON, "{held:?} is held, but {kept} of {} buyers stayed", ids.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let back = given_back(&rest, &show.0).await;
    assert!(!back.is_empty(), "nobody left while the host reserved");
}
