//! Trials of several hosts on one database: killed hosts, concurrent repeats, wrong clocks. The capacity is sold
//! exactly, and no acknowledged sale is lost. `cargo xtask trials` runs them at full size.

#![allow(clippy::print_stdout, reason = "a trial reports its size")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{counts, show};
use crate::harness::{Home, Host, Kind, Rest, faketime, shifted_clock};
use crate::trials::size;

const CLIENTS: usize = 24;

/// The longest duration of a trial.
fn patience() -> Duration {
    Duration::from_secs(size(60, 3_000) as u64)
}

/// Outcomes of the attempts of one or all clients.
#[derive(Default)]
struct Totals {
    sold: Vec<String>,
    refused: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_sell_exactly_the_capacity() {
    let home = Home::new(Kind::Postgres).await;
    let (one, two) = (Host::start(&home).await, Host::start(&home).await);
    sell(&[one.rest(), two.rest()], None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_host_loses_no_acknowledged_sale() {
    let home = Home::new(Kind::Postgres).await;
    let (one, two) = (Host::start(&home).await, Host::start(&home).await);
    let mut third = Host::start(&home).await;
    sell(&[one.rest(), two.rest(), third.rest()], Some(&mut third)).await;
}

/// Makes ten attempts for each unit; kills a host once a third is sold.
async fn sell(hosts: &[Rest], dies: Option<&mut Host>) {
    let units = size(150, 10_000);
    let show = show(&hosts[0], units as u64, json!({})).await;
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (hosts, show, acknowledged) = (hosts.to_vec(), show.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move { buy(&hosts, &show, (client, units), &acknowledged).await })
        })
        .collect();
    if let Some(host) = dies {
        let end = Instant::now() + patience();
        while acknowledged.load(Ordering::Relaxed) < units / 3 {
            assert!(Instant::now() < end, "the load does not get on");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        host.kill();
    }
    let mut totals = Totals::default();
    for client in clients {
        let one = client.await.unwrap();
        totals.sold.extend(one.sold);
        totals.refused += one.refused;
    }
    assert_eq!(totals.sold.len(), units);
    assert_eq!(totals.refused, units * 10 / CLIENTS * CLIENTS - units);
    assert_eq!(counts(&hosts[0], &show.0).await, [0, units as u64, 0]);
    let mut tickets = BTreeSet::new();
    for id in &totals.sold {
        let answer = hosts[1].get(&format!("/v1/reservations/{id}")).await;
        let reservation = answer.expect(200)["reservation"].clone();
        assert_eq!(reservation["state"], "confirmed", "{id}");
        tickets.insert(reservation["tickets"][0]["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(tickets.len(), units, "a ticket was sold twice");
    println!(
        "{} attempts on {units} units: {} sold, {} refused, 0 lost, 0 sold twice",
        units * 10 / CLIENTS * CLIENTS,
        totals.sold.len(),
        totals.refused
    );
}

/// Attempts to buy units; each request is repeated with its key, on another host, until it is answered.
async fn buy(
    hosts: &[Rest],
    show: &(String, String),
    (client, units): (usize, usize),
    acknowledged: &AtomicUsize,
) -> Totals {
    let mut totals = Totals::default();
    for round in 0..units * 10 / CLIENTS {
        let key = format!("c{client}-r{round}");
        let body = json!({
            "event_id": show.0, "ticket_type_id": show.1, "quantity": 1, "user_id": key,
        });
        let Some(reservation) = send_until_answered(hosts, client, "/v1/reservations", &key, &body).await
        else {
            totals.refused += 1;
            continue;
        };
        let id = reservation["reservation_id"].as_str().unwrap().to_owned();
        acknowledged.fetch_add(1, Ordering::Relaxed);
        let path = format!("/v1/reservations/{id}:confirm");
        let sold = send_until_answered(hosts, client, &path, &key, &json!({"payment_reference": key})).await;
        assert_eq!(sold.unwrap()["reservation"]["state"], "confirmed");
        totals.sold.push(id);
    }
    totals
}

/// Sends a request to one host after another until one answers; `None` if the inventory is exhausted.
async fn send_until_answered(
    hosts: &[Rest],
    client: usize,
    path: &str,
    key: &str,
    body: &Value,
) -> Option<Value> {
    let end = Instant::now() + patience();
    for attempt in client.. {
        assert!(Instant::now() < end, "{path} is never answered");
        let request = hosts[attempt % hosts.len()]
            .request(Method::POST, path)
            .header("idempotency-key", key)
            .json(body);
        let Ok(response) = request.send().await else { continue };
        let status = response.status().as_u16();
        let Ok(answer) = response.json::<Value>().await else { continue };
        match (status, answer["code"].as_str()) {
            (200 | 201, _) => return Some(answer),
            (409, Some("INVENTORY_EXHAUSTED")) => return None,
            // A first attempt is still in progress, or a host is stopping. Attempts in quick succession would take the
            // machine from the first.
            (409, Some("IDEMPOTENCY_KEY_IN_FLIGHT")) | (503, _) => {
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            other => panic!("{path}: {other:?} {answer:#}"),
        }
    }
    None
}

/// Each key is sent fifty times concurrently to two hosts: one reservation, and the same answer for all.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_repeats_of_a_key_make_one_reservation() {
    const TIMES: usize = 50;
    let keys = size(20, 1_000);
    let home = Home::new(Kind::Postgres).await;
    let (one, two) = (Host::start(&home).await, Host::start(&home).await);
    let hosts = [one.rest(), two.rest()];
    let show = show(&hosts[0], keys as u64 * 2, json!({})).await;
    for key in 0..keys {
        let key = format!("key-{key}");
        let tasks: Vec<_> = (0..TIMES)
            .map(|time| {
                let (hosts, show, key) = (hosts.to_vec(), show.clone(), key.clone());
                tokio::spawn(async move {
                    let body = json!({
                        "event_id": show.0, "ticket_type_id": show.1, "quantity": 1, "user_id": key,
                    });
                    let reservation =
                        send_until_answered(&hosts, time, "/v1/reservations", &key, &body).await.unwrap();
                    reservation["reservation_id"].as_str().unwrap().to_owned()
                })
            })
            .collect();
        let mut ids = BTreeSet::new();
        for one in tasks {
            ids.insert(one.await.unwrap());
        }
        assert_eq!(ids.len(), 1, "{key}");
    }
    assert_eq!(counts(&hosts[0], &show.0).await, [keys as u64, 0, 0]);
    println!("{keys} keys, each sent {TIMES} times at once: {keys} reservations, 0 answers of another");
}

/// Hosts with clocks five minutes ahead and behind agree on the end of a hold: the clock of the database decides.
#[tokio::test(flavor = "multi_thread")]
async fn holds_end_on_time_despite_wrong_clocks() {
    let home = Home::new(Kind::Postgres).await;
    let library = faketime();
    let mut hosts = Vec::new();
    for offset in ["+300s", "-300s"] {
        hosts.push(Host::start_with(&home, &shifted_clock(&library, offset)).await);
    }
    let rests: Vec<_> = hosts.iter().map(Host::rest).collect();
    let terms = json!({"hold_seconds": 3, "hold_min_seconds": 1, "hold_max_seconds": 60});
    let show = show(&rests[0], 10, terms).await;
    let reserve = |host: &Rest, buyer: &'static str| {
        let (host, show) = (host.clone(), show.clone());
        async move {
            let body = json!({"event_id": show.0, "ticket_type_id": show.1, "quantity": 1, "user_id": buyer});
            let answer = host.post("/v1/reservations", body).await;
            answer.expect(201)["reservation_id"].as_str().unwrap().to_owned()
        }
    };
    let confirm = |host: &Rest, id: &str| {
        let (host, path) = (host.clone(), format!("/v1/reservations/{id}:confirm"));
        async move { host.post(&path, json!({"payment_reference": "p"})).await }
    };
    // A hold of one host can be confirmed on the other.
    for (makes, sells) in [(0, 1), (1, 0)] {
        let id = reserve(&rests[makes], "ann").await;
        confirm(&rests[sells], &id).await.expect(200);
    }
    // Both end a hold after three seconds, regardless of their clocks.
    let (start, ids) = (Instant::now(), [reserve(&rests[0], "ben").await, reserve(&rests[1], "cem").await]);
    for id in &ids {
        let state =
            rests[0].get(&format!("/v1/reservations/{id}")).await.expect(200)["reservation"]["state"].clone();
        assert!(state == "held" || start.elapsed() > Duration::from_secs(3), "{state}");
    }
    let end = start + Duration::from_secs(20);
    while counts(&rests[0], &show.0).await != [0, 2, 0] {
        assert!(Instant::now() < end, "the holds do not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(start.elapsed() >= Duration::from_secs(3), "a hold ended after {:?}", start.elapsed());
    for (id, host) in ids.iter().zip(&rests) {
        confirm(host, id).await.expect(410);
    }
    println!("2 hosts ten minutes apart: 4 holds, 0 ended early, 0 late");
}
