//! Cancellation of a booking during its automatic reservation.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{SOON, booking, cancel, enter_queue, lines, set};
use crate::harness::{Kind, Rest};
use crate::reservations::{counts, show};
use crate::tracker::{all_pages, on, on_every_store};

on_every_store! {
    booking_cancelled_during_reservation_holds_nothing
}

/// Buyers in each round, and the most rounds until a cancellation meets a reservation.
const BUYERS: u32 = 16;
const ROUNDS: u32 = 200;
/// Difference between the waits of two buyers before they leave.
const STEP: Duration = Duration::from_millis(2);

/// Enters the queue and cancels after `stays`, if that is still possible; returns the booking.
async fn enter_and_leave(rest: Rest, show: (String, String), buyer: String, stays: Duration) -> String {
    let id = enter_queue(&rest, &show.0, &buyer, lines(&show, 1)).await;
    tokio::time::sleep(stays).await;
    let answer = cancel(&rest, &id).await;
    assert!(answer.status.is_success() || answer.status.as_u16() == 409, "{:#}", answer.body);
    id
}

/// Lists the released reservations of an event.
async fn released_reservations(rest: &Rest, event: &str) -> Vec<Value> {
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
                tokio::spawn(enter_and_leave(host.rest(), show.clone(), name, STEP * buyer))
            })
            .collect();
        for task in tasks {
            ids.push(task.await.unwrap());
        }
        // A released reservation shows that a cancellation met a reservation.
        if !released_reservations(&rest, &show.0).await.is_empty() {
            break;
        }
    }
    let mut reserved = 0;
    for id in &ids {
        let booking = booking(&rest, id).await;
        match booking["state"].as_str().unwrap() {
            "done" => reserved += 1,
            state => {
                assert_eq!(state, "cancelled", "{booking:#}");
                assert_eq!(booking["reservation_id"], Value::Null, "{booking:#}");
            }
        }
    }
    let start = Instant::now();
    while counts(&rest, &show.0).await != [reserved, 0, 0] {
        let counts = counts(&rest, &show.0).await;
        assert!(
            start.elapsed() < SOON,
            "{counts:?} units are held, sold and locked, but {reserved} of {} bookings are done",
            ids.len()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let released = released_reservations(&rest, &show.0).await;
    assert!(!released.is_empty(), "nobody left while the host reserved");
}
