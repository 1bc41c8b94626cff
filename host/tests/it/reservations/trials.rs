//! Several hosts on one database, one of them killed: sold exactly, and nothing that was acknowledged is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{counts, show};
use crate::harness::{Home, Host, Kind, Rest};

const UNITS: usize = 150;
const CLIENTS: usize = 24;

/// What a client was told.
#[derive(Default)]
struct Told {
    held: Vec<String>,
    sold: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_die_neither_lose_nor_double_a_reservation() {
    let home = Home::new(Kind::Postgres).await;
    let (one, two) = (Host::start(&home).await, Host::start(&home).await);
    let mut third = Host::start(&home).await;
    let show = show(&one.rest(), UNITS as u64, json!({})).await;
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let hosts = [third.rest(), one.rest(), two.rest()];
            let (show, acknowledged) = (show.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move { buy(&hosts, &show, client, &acknowledged).await })
        })
        .collect();
    let end = Instant::now() + Duration::from_secs(60);
    while acknowledged.load(Ordering::Relaxed) < UNITS / 3 {
        assert!(Instant::now() < end, "the load does not get on");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    third.kill();
    let mut told = Told::default();
    for client in clients {
        let one = client.await.unwrap();
        told.held.extend(one.held);
        told.sold.extend(one.sold);
    }
    assert_eq!(told.sold.len(), UNITS);
    assert_eq!(counts(&one.rest(), &show.0).await, [0, UNITS as u64, 0]);
    for id in &told.held {
        let held = two.rest().get(&format!("/v1/reservations/{id}")).await;
        assert_eq!(held.expect(200)["reservation"]["state"], "confirmed", "{id}");
    }
}

/// Buys until nothing is left; each request is repeated with its key, on another host, until it is answered.
async fn buy(hosts: &[Rest; 3], show: &(String, String), client: usize, acknowledged: &AtomicUsize) -> Told {
    let mut told = Told::default();
    for round in 0.. {
        let key = format!("c{client}-r{round}");
        let body = json!({
            "event_id": show.0, "ticket_type_id": show.1, "quantity": 1, "user_id": key,
        });
        let Some(held) = ask(hosts, client, "/v1/reservations", &key, &body).await else { break };
        let id = held["reservation_id"].as_str().unwrap().to_owned();
        acknowledged.fetch_add(1, Ordering::Relaxed);
        let path = format!("/v1/reservations/{id}:confirm");
        let sold = ask(hosts, client, &path, &key, &json!({"payment_reference": key})).await;
        assert_eq!(sold.unwrap()["reservation"]["state"], "confirmed");
        told.held.push(id.clone());
        told.sold.push(id);
    }
    told
}

/// The answer, from whichever host gives one; none: nothing is left.
async fn ask(hosts: &[Rest; 3], client: usize, path: &str, key: &str, body: &Value) -> Option<Value> {
    let end = Instant::now() + Duration::from_secs(30);
    for attempt in client.. {
        assert!(Instant::now() < end, "{path} is never answered");
        let request =
            hosts[attempt % 3].request(Method::POST, path).header("idempotency-key", key).json(body);
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
