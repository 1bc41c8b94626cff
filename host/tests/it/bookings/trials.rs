//! More buyers than units, and several hosts on one database: order of entry decides, each booking is served once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{SOON, booking, cancel, enqueue, enter_queue, lines, set, status, time_of, until};
use crate::harness::{Home, Host, Kind, Rest};
use crate::reservations::{counts, show};
use crate::tracker::{done, on, on_every_store};

on_every_store! { first_buyers_get_the_last_units }

const BUYERS: usize = 60;
const UNITS: u64 = 40;

/// Enters all buyers concurrently; returns their bookings.
async fn crowd(hosts: &[Rest], show: &(String, String)) -> Vec<String> {
    let tasks: Vec<_> = (0..BUYERS)
        .map(|buyer| {
            let (rest, show) = (hosts[buyer % hosts.len()].clone(), show.clone());
            tokio::spawn(
                async move { enter_queue(&rest, &show.0, &format!("b{buyer}"), lines(&show, 1)).await },
            )
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        ids.push(task.await.unwrap());
    }
    ids
}

/// Waits until all bookings are finished; returns them in order of entry.
async fn finished_bookings(rest: &Rest, ids: &[String]) -> Vec<Value> {
    let start = Instant::now();
    let mut all = Vec::new();
    for id in ids {
        loop {
            let booking = booking(rest, id).await;
            if booking["state"] != "waiting" && booking["state"] != "active" {
                all.push(booking);
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "the queue does not get on: {booking:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    all.sort_by_key(|booking| (time_of(booking, "entered_at"), booking["id"].as_str().unwrap().to_owned()));
    all
}

async fn first_buyers_get_the_last_units(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let show = show(&rest, UNITS, json!({})).await;
    // An active booking keeps the others waiting until all have entered.
    done(&set(&rest, &show.0, 1, true).await);
    let first = enqueue(&rest, &show.0, "first", json!({})).await;
    let first = first.expect(201)["booking"]["id"].as_str().unwrap().to_owned();
    until(&rest, &first, "active", SOON).await;
    let ids = crowd(&[host.rest()], &show).await;
    assert_eq!(status(&rest, &show.0).await["waiting"], BUYERS);
    // All become active at once: only the order of entry decides who gets the last unit.
    done(&set(&rest, &show.0, 100, true).await);
    let all = finished_bookings(&rest, &ids).await;
    let states: Vec<_> = all.iter().map(|booking| booking["state"].as_str().unwrap()).collect();
    let expected: Vec<_> = (0..BUYERS).map(|place| if place < 40 { "done" } else { "failed" }).collect();
    assert_eq!(states, expected);
    for failed in &all[40..] {
        assert_eq!(failed["failure_reason"], "INVENTORY_EXHAUSTED");
    }
    let turns: Vec<_> = all.iter().map(|booking| time_of(booking, "active_at")).collect();
    assert!(turns.is_sorted(), "{turns:?}");
    assert_eq!(counts(&rest, &show.0).await, [UNITS, 0, 0]);
    done(&cancel(&rest, &first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_queue_serves_each_booking_once_when_a_host_dies() {
    let home = Home::new(Kind::Postgres).await;
    let (mut one, two) = (Host::start(&home).await, Host::start(&home).await);
    let rest = two.rest();
    let show = show(&rest, 500, json!({})).await;
    done(&set(&rest, &show.0, 6, false).await);
    let ids = crowd(&[one.rest(), rest.clone()], &show).await;
    let start = Instant::now();
    while counts(&rest, &show.0).await[0] < 12 {
        assert!(start.elapsed() < Duration::from_secs(30), "the queue does not get on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    one.kill();
    let all = finished_bookings(&rest, &ids).await;
    let mut reserved = Vec::new();
    for booking in &all {
        assert_eq!(booking["state"], "done", "{booking:#}");
        reserved.push(booking["reservation_id"].as_str().unwrap());
    }
    reserved.sort_unstable();
    reserved.dedup();
    assert_eq!(reserved.len(), BUYERS);
    assert_eq!(counts(&rest, &show.0).await, [BUYERS as u64, 0, 0]);
    let list = rest.get(&format!("/v1/reservations?page_size=200&filter=event:{}", show.0)).await;
    assert_eq!(list.expect(200)["reservations"].as_array().unwrap().len(), BUYERS);
}
