//! Trials of limits: many uses of one code at once, with a host that is killed in their midst. There are never more
//! uses than the limit, and a promotion counts the reservations that have its codes. `cargo xtask trials` runs them at
//! full size.

#![allow(clippy::print_stdout, reason = "a trial reports its size")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};

use super::{Show, amount_off, coded, promotion, refusal, reserve_coded, uses};
use crate::harness::{Home, Host, Kind, Rest};
use crate::reservations::{counts, id, show};
use crate::tracker::all_pages;
use crate::trials::size;

/// How many buyers more there are than uses.
const REFUSED: usize = 400;

/// The number of keys that the buyers share, so that no key exceeds its limit of wrong codes.
const KEYS: usize = 4;

/// The trials run one after the other, since each opens a connection for each buyer.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn limit_of_a_code_holds_in_memory() {
    race(Kind::Memory, 1, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limit_of_a_code_holds_on_sqlite_when_the_host_is_killed() {
    race(Kind::Sqlite, 1, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limit_of_a_code_holds_on_postgres_when_the_host_is_killed() {
    race(Kind::Postgres, 1, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limit_of_a_code_holds_on_two_hosts_when_one_is_killed() {
    race(Kind::Postgres, 2, true).await;
}

/// The longest duration of a trial.
fn patience() -> Duration {
    Duration::from_secs(size(120, 3_000) as u64)
}

/// What the buyers share.
struct Race {
    show: Show,
    promotion: String,
    limit: usize,
    keys: Vec<String>,
    /// The hosts that run; another list once one was killed.
    hosts: watch::Receiver<Vec<Rest>>,
    answered: AtomicUsize,
    /// Requests that got no answer.
    interrupted: AtomicUsize,
    is_over: AtomicBool,
}

/// Whether a buyer has a use of the code in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Kept,
    Released,
    Refused,
}

/// Lets many buyers use one code at once; kills the first host when a third of them have an answer.
async fn race(kind: Kind, host_count: usize, dies: bool) {
    let _turn = TURN.lock().await;
    let attempts = size(500, 2_000);
    let limit = attempts - REFUSED;
    let home = Home::new(kind).await;
    let mut hosts = Vec::new();
    for _ in 0..host_count {
        hosts.push(Host::start(&home).await);
    }
    let rest = hosts[0].rest();
    let show = show(&rest, attempts as u64 * 2, json!({"hold_seconds": 3_600})).await;
    let promotion = promotion(&rest, amount_off(50, "order", &["RUSH"], json!({"max_uses": limit}))).await;
    let mut keys = Vec::new();
    for _ in 0..KEYS {
        keys.push(rest.new_key(&["admin"], None).await);
    }
    let (running, receiver) = watch::channel(hosts.iter().map(Host::rest).collect::<Vec<_>>());
    let race = Arc::new(Race {
        show,
        promotion,
        limit,
        keys,
        hosts: receiver,
        answered: AtomicUsize::new(0),
        interrupted: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    });
    let observer = tokio::spawn(Arc::clone(&race).observe());
    let buyers: Vec<_> = (0..attempts).map(|buyer| tokio::spawn(Arc::clone(&race).buy(buyer))).collect();
    if dies {
        let end = Instant::now() + patience();
        while race.answered.load(Ordering::Relaxed) < attempts / 3 {
            assert!(Instant::now() < end, "the buyers do not get on");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        hosts[0].kill();
        hosts[0] = Host::start(&home).await;
        running.send_replace(hosts.iter().map(Host::rest).collect());
    }
    let mut outcomes = Vec::new();
    for buyer in buyers {
        outcomes.push(buyer.await.unwrap());
    }
    race.is_over.store(true, Ordering::Relaxed);
    let observed = observer.await.unwrap();
    assert!(observed > 0, "nothing was observed");
    assert_eq!(
        race.interrupted.load(Ordering::Relaxed) > 0,
        dies,
        "a host is killed in the midst of requests"
    );
    let count = |outcome: Outcome| outcomes.iter().filter(|one| **one == outcome).count();
    let kept = count(Outcome::Kept);
    race.check(&hosts, kept).await;
    println!(
        "{attempts} uses at once of a limit of {limit}: {kept} kept, {} released, {} refused, {observed} observations",
        count(Outcome::Released),
        count(Outcome::Refused)
    );
}

impl Race {
    /// Reserves with the code; keeps, sells or releases what was reserved.
    async fn buy(self: Arc<Self>, buyer: usize) -> Outcome {
        let key = format!("buyer-{buyer}");
        let body = coded(&self.show, (&key, 1), &["RUSH"]);
        let Some(reserved) = self.send("/v1/reservations", (buyer, &key), &body).await else {
            return Outcome::Refused;
        };
        let reservation = &reserved["reservation"];
        assert_eq!(
            (&reservation["codes"], &reservation["total"]["amount"]),
            (&json!(["RUSH"]), &json!(1_200))
        );
        let path = format!("/v1/reservations/{}", reserved["reservation_id"].as_str().unwrap());
        match buyer % 4 {
            0 => {
                self.send(&format!("{path}:release"), (buyer, &key), &json!({})).await.unwrap();
                Outcome::Released
            }
            1 => {
                let payment = json!({"payment_reference": key});
                self.send(&format!("{path}:confirm"), (buyer, &key), &payment).await.unwrap();
                Outcome::Kept
            }
            _ => Outcome::Kept,
        }
    }

    /// Sends a request to one host after another until one answers; `None` if the code is used up.
    async fn send(&self, path: &str, (buyer, key): (usize, &str), body: &Value) -> Option<Value> {
        let end = Instant::now() + patience();
        for attempt in buyer.. {
            assert!(Instant::now() < end, "{path} is never answered");
            let hosts = self.hosts.borrow().clone();
            let host = hosts[attempt % hosts.len()].with_key(Some(&self.keys[buyer % KEYS]));
            let request = host.request(Method::POST, path);
            let request = request.header("idempotency-key", key).json(body);
            let answer = match request.send().await {
                Ok(response) => (response.status().as_u16(), response.json::<Value>().await),
                Err(error) => (0, Err(error)),
            };
            let (status, Ok(answer)) = answer else {
                self.interrupted.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(25)).await;
                continue;
            };
            let code = answer["code"].as_str();
            // A first attempt is still in progress, or too many wait. Attempts in quick succession would take the
            // machine from the others.
            if matches!(status, 503 | 504) || code == Some("IDEMPOTENCY_KEY_IN_FLIGHT") {
                tokio::time::sleep(Duration::from_millis(25)).await;
                continue;
            }
            self.answered.fetch_add(1, Ordering::Relaxed);
            match (status, code) {
                (200 | 201, _) => return Some(answer),
                // The limit was reached when the reservation was written.
                (409, Some("CODE_USED_UP")) => return None,
                // It was reached before, so that the code was not accepted.
                (422, _) if answer["detail"].as_str().unwrap().contains("used up") => return None,
                other => panic!("{path}: {other:?} {answer:#}"),
            }
        }
        None
    }

    /// Reads the number of uses until the race is over; returns how often it was read.
    async fn observe(self: Arc<Self>) -> usize {
        let mut observations = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            let host = self.hosts.borrow().last().cloned().unwrap();
            let request = host.request(Method::GET, &format!("/v1/promotions/{}", self.promotion));
            if let Ok(response) = request.send().await
                && let Ok(body) = response.json::<Value>().await
                && let Some(uses) = body["promotion"]["uses"].as_u64()
            {
                assert!(uses <= self.limit as u64, "{uses} uses of {}", self.limit);
                observations += 1;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        observations
    }

    /// Checks on each host that as many reservations have the code as buyers were told, and uses up what is left.
    async fn check(&self, hosts: &[Host], kept: usize) {
        let filter = format!("/v1/reservations?filter=event:{}", self.show.0);
        for host in hosts {
            let rest = host.rest();
            let reservations = all_pages(&rest, &filter, "reservations", 200).await;
            let has_use = |reservation: &&Value| {
                let is_active = reservation["state"] == "held" || reservation["state"] == "confirmed";
                is_active && reservation["codes"] == json!(["RUSH"])
            };
            assert_eq!(reservations.iter().filter(has_use).count(), kept);
            assert_eq!(uses(&rest, &self.promotion).await, kept as u64);
            let [held, sold, locked] = counts(&rest, &self.show.0).await;
            assert_eq!((held + sold, locked), (kept as u64, 0));
        }
        assert!(kept <= self.limit, "{kept} uses of {}", self.limit);
        let rest = hosts[0].rest();
        for number in kept..self.limit {
            id(&reserve_coded(&rest, &self.show, (&format!("late-{number}"), 1), &["RUSH"]).await);
        }
        assert_eq!(uses(&rest, &self.promotion).await, self.limit as u64);
        let refused = refusal(&rest, coded(&self.show, ("last", 1), &["RUSH"])).await;
        assert_eq!(refused.0, "the code has been used up");
    }
}
