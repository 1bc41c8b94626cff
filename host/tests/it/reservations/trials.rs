//! Trials of several hosts on one database: hosts that die, keys that are sent many times at once, clocks that are
//! wrong. Sold exactly, and nothing that was acknowledged is lost. `cargo xtask trials` runs them at their full size.

#![allow(clippy::print_stdout, reason = "a trial tells how much it tried")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{counts, show};
use crate::harness::{Home, Host, Kind, Rest};

const CLIENTS: usize = 24;

/// How much is tried: a little in the tests, much in long trials.
fn size(short: usize, long: usize) -> usize {
    if std::env::var("TESSERA_TRIALS").is_ok_and(|size| size == "long") { long } else { short }
}

/// How long a trial may take.
fn patience() -> Duration {
    Duration::from_secs(size(60, 3_000) as u64)
}

/// What a client was told.
#[derive(Default)]
struct Told {
    sold: Vec<String>,
    refused: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_sell_at_once() {
    let home = Home::new(Kind::Postgres).await;
    let (one, two) = (Host::start(&home).await, Host::start(&home).await);
    sell(&[one.rest(), two.rest()], None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hosts_of_which_one_dies() {
    let home = Home::new(Kind::Postgres).await;
    let (one, two) = (Host::start(&home).await, Host::start(&home).await);
    let mut third = Host::start(&home).await;
    sell(&[one.rest(), two.rest(), third.rest()], Some(&mut third)).await;
}

/// Ten attempts for each unit; when a third is sold, a host is killed.
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
    let mut told = Told::default();
    for client in clients {
        let one = client.await.unwrap();
        told.sold.extend(one.sold);
        told.refused += one.refused;
    }
    assert_eq!(told.sold.len(), units);
    assert_eq!(told.refused, units * 10 / CLIENTS * CLIENTS - units);
    assert_eq!(counts(&hosts[0], &show.0).await, [0, units as u64, 0]);
    let mut tickets = BTreeSet::new();
    for id in &told.sold {
        let held = hosts[1].get(&format!("/v1/reservations/{id}")).await;
        let held = held.expect(200)["reservation"].clone();
        assert_eq!(held["state"], "confirmed", "{id}");
        tickets.insert(held["tickets"][0]["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(tickets.len(), units, "a ticket was sold twice");
    println!(
        "{} attempts on {units} units: {} sold, {} refused, 0 lost, 0 sold twice",
        units * 10 / CLIENTS * CLIENTS,
        told.sold.len(),
        told.refused
    );
}

/// Buys what can be had, and goes on asking; each request is repeated with its key, on another host, until it is
/// answered.
async fn buy(
    hosts: &[Rest],
    show: &(String, String),
    (client, units): (usize, usize),
    acknowledged: &AtomicUsize,
) -> Told {
    let mut told = Told::default();
    for round in 0..units * 10 / CLIENTS {
        let key = format!("c{client}-r{round}");
        let body = json!({
            "event_id": show.0, "ticket_type_id": show.1, "quantity": 1, "user_id": key,
        });
        let Some(held) = ask(hosts, client, "/v1/reservations", &key, &body).await else {
            told.refused += 1;
            continue;
        };
        let id = held["reservation_id"].as_str().unwrap().to_owned();
        acknowledged.fetch_add(1, Ordering::Relaxed);
        let path = format!("/v1/reservations/{id}:confirm");
        let sold = ask(hosts, client, &path, &key, &json!({"payment_reference": key})).await;
        assert_eq!(sold.unwrap()["reservation"]["state"], "confirmed");
        told.sold.push(id);
    }
    told
}

/// The answer, from whichever host gives one; none: nothing is left.
async fn ask(hosts: &[Rest], client: usize, path: &str, key: &str, body: &Value) -> Option<Value> {
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
            // A first attempt is still being carried out, or a host is stopping.
            (409, Some("IDEMPOTENCY_KEY_IN_FLIGHT")) | (503, _) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            other => panic!("{path}: {other:?} {answer:#}"),
        }
    }
    None
}

/// Each key is sent fifty times at once, to two hosts: one reservation for each, and all are told of it.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_sent_many_times_at_once() {
    const TIMES: usize = 50;
    let keys = size(20, 1_000);
    let home = Home::new(Kind::Postgres).await;
    let (one, two) = (Host::start(&home).await, Host::start(&home).await);
    let hosts = [one.rest(), two.rest()];
    let show = show(&hosts[0], keys as u64 * 2, json!({})).await;
    for key in 0..keys {
        let key = format!("key-{key}");
        let asked: Vec<_> = (0..TIMES)
            .map(|time| {
                let (hosts, show, key) = (hosts.to_vec(), show.clone(), key.clone());
                tokio::spawn(async move {
                    let body = json!({
                        "event_id": show.0, "ticket_type_id": show.1, "quantity": 1, "user_id": key,
                    });
                    let held = ask(&hosts, time, "/v1/reservations", &key, &body).await.unwrap();
                    held["reservation_id"].as_str().unwrap().to_owned()
                })
            })
            .collect();
        let mut told = BTreeSet::new();
        for one in asked {
            told.insert(one.await.unwrap());
        }
        assert_eq!(told.len(), 1, "{key}");
    }
    assert_eq!(counts(&hosts[0], &show.0).await, [keys as u64, 0, 0]);
    println!("{keys} keys, each sent {TIMES} times at once: {keys} reservations, 0 answers of another");
}

/// Where the library lies that shows a program another time; `cargo xtask` installs it.
fn faketime() -> String {
    let folders = ["lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "lib64", "lib"];
    let mut found = folders.iter().map(|folder| format!("/usr/{folder}/faketime/libfaketime.so.1"));
    found.find(|path| Path::new(path).is_file()).expect("libfaketime is installed by `cargo xtask test`")
}

/// Hosts whose clocks are five minutes off, one each way, agree on when a hold is over: the database says it.
#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_five_minutes_off() {
    let home = Home::new(Kind::Postgres).await;
    let library = faketime();
    let off = |offset: &'static str| {
        [
            ("LD_PRELOAD", library.clone()),
            ("FAKETIME", offset.to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    };
    let mut hosts = Vec::new();
    for offset in ["+300s", "-300s"] {
        let settings = off(offset);
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        hosts.push(Host::start_with(&home, &settings).await);
    }
    let rests: Vec<_> = hosts.iter().map(Host::rest).collect();
    let terms = json!({"hold_seconds": 3, "hold_min_seconds": 1, "hold_max_seconds": 60});
    let show = show(&rests[0], 10, terms).await;
    let reserve = |host: &Rest, buyer: &'static str| {
        let (host, show) = (host.clone(), show.clone());
        async move {
            let body = json!({"event_id": show.0, "ticket_type_id": show.1, "quantity": 1, "user_id": buyer});
            let held = host.post("/v1/reservations", body).await;
            held.expect(201)["reservation_id"].as_str().unwrap().to_owned()
        }
    };
    let confirm = |host: &Rest, id: &str| {
        let (host, path) = (host.clone(), format!("/v1/reservations/{id}:confirm"));
        async move { host.post(&path, json!({"payment_reference": "p"})).await }
    };
    // A hold made by the host that is ahead is good on the one behind, and the other way round.
    for (makes, sells) in [(0, 1), (1, 0)] {
        let id = reserve(&rests[makes], "ann").await;
        confirm(&rests[sells], &id).await.expect(200);
    }
    // Both end a hold after three seconds and not five minutes away from them.
    let (begun, ids) = (Instant::now(), [reserve(&rests[0], "ben").await, reserve(&rests[1], "cem").await]);
    for id in &ids {
        let state =
            rests[0].get(&format!("/v1/reservations/{id}")).await.expect(200)["reservation"]["state"].clone();
        assert!(state == "held" || begun.elapsed() > Duration::from_secs(3), "{state}");
    }
    let end = begun + Duration::from_secs(20);
    while counts(&rests[0], &show.0).await != [0, 2, 0] {
        assert!(Instant::now() < end, "the holds do not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(3), "a hold ended after {:?}", begun.elapsed());
    for (id, host) in ids.iter().zip(&rests) {
        confirm(host, id).await.expect(410);
    }
    println!("2 hosts ten minutes apart: 4 holds, 0 ended early, 0 late");
}
