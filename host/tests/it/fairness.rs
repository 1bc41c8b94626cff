//! Tenants and addresses beside each other: floods, large batches and many timers of one leave another its turn.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::{ConnectOptions as _, Connection as _};
use tessera_proto::issues::v1::CreateIssueRequest;
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tessera_proto::tenancy::v1::WhoAmIRequest;
use tessera_proto::tenancy::v1::key_service_client::KeyServiceClient;
use tonic_types::StatusExt as _;

use crate::harness::{Answer, Grpc, Home, Host, Kind, Rest};
use crate::plugins::install;
use crate::reservations::{counts, create, id, reserve, show};
use crate::streams::client::EventReader;
use crate::tracker::done;

/// Connections of a flood, and callers on each: more than one tenant's requests, or one address's look-ups, may wait.
const CONNECTIONS: usize = 16;
const CALLERS: usize = 190;

/// Creates another tenant; returns a client with its admin's key.
async fn tenant(root: &Rest, slug: &str) -> Rest {
    done(&root.post("/v1/tenants", json!({"slug": slug, "name": slug})).await);
    let key = root.post("/v1/keys", json!({"name": "theirs", "roles": ["admin"], "tenant": slug})).await;
    root.with_key(key.expect(201)["secret"].as_str())
}

/// A connection with a key.
type Keyed = tonic::service::interceptor::InterceptedService<tonic::transport::Channel, Grpc>;

/// The outcomes of the calls of a flood.
#[derive(Default)]
struct Flood {
    /// The times of the successful calls.
    served: Mutex<Vec<Duration>>,
    refused: AtomicUsize,
}

impl Flood {
    /// Creates issues in a closed loop until it is aborted. Waits as long as a refusal says.
    async fn call(&self, mut client: IssuesServiceClient<Keyed>, project_id: &str) {
        let request = CreateIssueRequest {
            summary: "One of many".into(),
            project_id: project_id.to_owned(),
            ..CreateIssueRequest::default()
        };
        loop {
            let start = Instant::now();
            match client.create_issue(request.clone()).await {
                Ok(_) => self.served.lock().unwrap().push(start.elapsed()),
                Err(status) => self.wait_after(&status).await,
            }
        }
    }

    /// Calls with an invented key in a closed loop until it is aborted. Waits as long as a refusal says.
    async fn invent(&self, mut client: KeyServiceClient<Keyed>) {
        loop {
            let status = client.who_am_i(WhoAmIRequest {}).await.unwrap_err();
            if status.code() != tonic::Code::Unauthenticated {
                self.wait_after(&status).await;
            }
        }
    }

    /// Counts a refusal, and waits as long as it says.
    async fn wait_after(&self, status: &tonic::Status) {
        assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
        self.refused.fetch_add(1, Ordering::Relaxed);
        let delay = status.get_details_retry_info().and_then(|info| info.retry_delay).unwrap();
        tokio::time::sleep(delay.min(Duration::from_secs(1))).await;
    }

    /// Waits until calls are refused.
    async fn until_refused(&self) {
        let begun = Instant::now();
        while self.refused.load(Ordering::Relaxed) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is refused");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The number of successful calls.
    fn served(&self) -> usize {
        self.served.lock().unwrap().len()
    }
}

/// Returns the value below which `percent` of 100 are.
fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times[times.len() * percent / 100]
}

async fn flood_of_one_tenant_leaves_another_its_turn(kind: Kind) {
    const HOLD: Duration = Duration::from_secs(2);
    // The flood is served at least as often.
    const SERVED: usize = 500;
    let home = Home::new(kind).await;
    let host = Host::start_with(&home, &[("LOG_LEVEL", "warn")]).await;
    let root = host.rest();
    let calm = tenant(&root, "calm").await;
    let (busy_project, calm_project) = (root.project("Busy").await, calm.project("Calm").await);
    let sale = show(&calm, 50, json!({"hold_seconds": HOLD.as_secs(), "hold_min_seconds": 1})).await;

    let flood = Arc::new(Flood::default());
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        let grpc = host.grpc().await;
        let client = IssuesServiceClient::with_interceptor(grpc.channel.clone(), grpc);
        for _ in 0..CALLERS {
            let (flood, client, project) = (Arc::clone(&flood), client.clone(), busy_project.clone());
            callers.push(tokio::spawn(async move { flood.call(client, &project).await }));
        }
    }
    flood.until_refused().await;

    id(&reserve(&calm, &sale, "ann", 5).await);
    let held_at = Instant::now();
    let (mut times, mut ended_after) = (Vec::new(), None);
    while times.len() < 60 || ended_after.is_none() || (flood.served() <= SERVED && times.len() < 600) {
        let number = times.len();
        let start = Instant::now();
        let issue = calm.issue(&calm_project, &format!("{number}")).await;
        calm.get(&format!("/v1/issues/{issue}")).await.expect(200);
        root.with_key(None).get("/readyz").await.expect(200);
        times.push(start.elapsed());
        if ended_after.is_none() && counts(&calm, &sale.0).await[0] == 0 {
            ended_after = Some(held_at.elapsed());
        }
        assert!(
            ended_after.is_some() || held_at.elapsed() < Duration::from_secs(60),
            "the hold has not ended"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The calls that still wait would take as long as the samples, and show nothing more.
    callers.iter().for_each(tokio::task::JoinHandle::abort);
    for caller in callers {
        assert!(caller.await.unwrap_err().is_cancelled(), "a call was neither served nor refused");
    }
    let served = std::mem::take(&mut *flood.served.lock().unwrap());
    assert!(served.len() > SERVED, "the flood itself is served");
    // Compared with the flood's own times, so that the speed of the machine does not matter. In the flood's queue, the
    // two requests of a sample that need a turn would take twice the flood's median.
    let (slowest, of_flood) = (percentile(times, 95), percentile(served, 50));
    assert!(slowest < of_flood, "p95 of another tenant: {slowest:?}; median of the flood: {of_flood:?}");
    // A hold ends at most two seconds late; as long again is for a busy machine. In the flood's queue, the sweep would
    // wait for its reads and again for its write.
    let late = ended_after.unwrap().saturating_sub(HOLD);
    let limit = of_flood.max(Duration::from_secs(4));
    assert!(late < limit, "the hold ended {late:?} late; the limit is {limit:?}");
    assert!(!host.log().contains("not ended; retrying"), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_one_tenant_leaves_another_its_turn_on_sqlite() {
    flood_of_one_tenant_leaves_another_its_turn(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_one_tenant_leaves_another_its_turn_on_postgres() {
    flood_of_one_tenant_leaves_another_its_turn(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_invented_keys_leaves_other_addresses_their_look_ups() {
    let home = Home::new(Kind::Postgres).await;
    let host = Host::start_with(&home, &[("LOG_LEVEL", "warn")]).await;
    let root = host.rest();
    // Not used yet, so the host has to look it up.
    let key = root.new_key(&["viewer"], None).await;
    let client = reqwest::Client::builder().local_address(IpAddr::from([127, 0, 0, 2]));
    let elsewhere = Rest { client: client.build().unwrap(), ..root.with_key(Some(&key)) };

    // Look-ups take as long as the table is locked.
    let options: sqlx::postgres::PgConnectOptions = home.database_url().unwrap().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let mut lock = connection.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    let flood = Arc::new(Flood::default());
    let mut callers = Vec::new();
    for number in 0..CONNECTIONS {
        let invented = format!("tsk_invented{number}_00112233445566778899aabbccddeeff");
        let grpc = host.grpc().await.with_key(Some(&invented));
        let client = KeyServiceClient::with_interceptor(grpc.channel.clone(), grpc);
        for _ in 0..CALLERS {
            let (flood, client) = (Arc::clone(&flood), client.clone());
            callers.push(tokio::spawn(async move { flood.invent(client).await }));
        }
    }
    flood.until_refused().await;

    let mut answer = pin!(elsewhere.get("/v1/me"));
    let early = tokio::time::timeout(Duration::from_secs(1), answer.as_mut()).await;
    assert!(early.is_err(), "refused, though its address has no other look-up: {early:?}");
    lock.rollback().await.unwrap();
    answer.await.expect(200);
    callers.iter().for_each(tokio::task::JoinHandle::abort);
    for caller in callers {
        assert!(caller.await.unwrap_err().is_cancelled(), "a call was neither answered nor refused");
    }
    connection.close().await.unwrap();
}

/// Waits until the host has read the facts about the tenant of a client: that of its creation empties the cache.
async fn facts_are_read(rest: &Rest) {
    let mut facts = EventReader::open(rest, "/v1/streams/facts", None).await.unwrap();
    rest.project("Later than the tenant").await;
    let read = async { while facts.event().await.unwrap().name != "project.created" {} };
    tokio::time::timeout(Duration::from_secs(10), read).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn look_ups_of_invented_tenants_take_the_turn_of_their_caller() {
    // Of the connections, 6 are the host's; a tenant has three quarters of the others.
    const CONNECTIONS_OF_TENANT: i64 = 3;
    let home = Home::new(Kind::Postgres).await;
    let host = Host::start_with(&home, &[("DATABASE_MAX_CONNECTIONS", "10")]).await;
    let root = host.rest();
    let calm = tenant(&root, "calm").await;
    let project = format!("/v1/projects/{}", calm.project("Calm").await);
    facts_are_read(&calm).await;
    // The keys and their tenants are in the cache from here on.
    root.get("/v1/me").await.expect(200);
    calm.get(&project).await.expect(200);

    // Look-ups of tenants take as long as the table is locked.
    let options: sqlx::postgres::PgConnectOptions = home.database_url().unwrap().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let mut lock = connection.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE tenants IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    // The name of another tenant than the key's is refused without a look-up.
    for name in [uuid::Uuid::now_v7().to_string(), "nobody".to_owned()] {
        let named = calm.send(calm.request(Method::GET, &project).header("x-tenant", name));
        let refused = tokio::time::timeout(Duration::from_secs(10), named).await.unwrap();
        assert_eq!(refused.code(404), "TENANT_NOT_FOUND");
    }
    let look_ups: Vec<_> = (0..16)
        .map(|_| {
            let (root, path) = (root.clone(), format!("/v1/tenants/{}", uuid::Uuid::now_v7()));
            tokio::spawn(async move { root.get(&path).await })
        })
        .collect();
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = 'tenants'::regclass
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let begun = Instant::now();
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut *lock).await.unwrap() < CONNECTIONS_OF_TENANT {
        assert!(begun.elapsed() < Duration::from_secs(10), "no tenant is looked up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    calm.get(&project).await.expect(200);
    let waiting = sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut *lock).await.unwrap();
    assert_eq!(waiting, CONNECTIONS_OF_TENANT);
    lock.rollback().await.unwrap();
    look_ups.iter().for_each(tokio::task::JoinHandle::abort);
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn large_confirmations_leave_another_tenant_its_turn() {
    // A request of another tenant waits for one or two of them, at most a 20th of the time. The limit is a third, so that
    // a pause of the test by as long as ten confirmations does not exceed it.
    const SALES: usize = 40;
    let home = Home::new(Kind::Sqlite).await;
    let host = Host::start_with(&home, &[("TESSERA_REQUEST_TIMEOUT_MS", "180000")]).await;
    let root = host.rest();
    let calm = tenant(&root, "calm").await;
    let project = calm.project("Calm").await;
    let (event, _) = show(&root, 1, json!({})).await;
    let large = json!({
        "name": "Large", "price": {"amount": 1, "currency": "EUR"}, "quantity": SALES * 1_000, "max_per_purchase": 1_000,
    });
    let large = create(&root, &format!("/v1/events/{event}/tickets"), large, "ticket_type").await;
    let sale = (event, large);
    let mut reservations = Vec::new();
    for number in 0..SALES {
        reservations.push(id(&reserve(&root, &sale, &format!("buyer {number}"), 1_000).await));
    }
    let start = Instant::now();
    let confirmations: Vec<_> = reservations
        .into_iter()
        .map(|reservation| {
            let root = root.clone();
            let path = format!("/v1/reservations/{reservation}:confirm");
            tokio::spawn(async move { root.post(&path, json!({"payment_reference": "paid"})).await })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    while !confirmations.iter().all(tokio::task::JoinHandle::is_finished) {
        let begun = Instant::now();
        calm.issue(&project, "It waits for few").await;
        slowest = slowest.max(begun.elapsed());
    }
    let all = start.elapsed();
    for answer in join_all(confirmations).await {
        let answer: Answer = answer.unwrap();
        assert_eq!(done(&answer)["reservation"]["state"], "confirmed");
    }
    assert_eq!(counts(&root, &sale.0).await, [0, SALES as u64 * 1_000, 0]);
    assert!(slowest < all / 3, "{slowest:?} of {all:?}");
}

/// Moves the due times of all timers into the past, to the time at which their issue was created.
async fn make_due(home: &Home) {
    let mut connection = sqlite(home).await;
    let sql = "UPDATE timers SET at = (SELECT created_at FROM issues WHERE issues.id = timers.issue_id)";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn sqlite(home: &Home) -> sqlx::SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.folder.join("tessera.db"));
    options.connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_of_one_tenant_do_not_delay_those_of_another() {
    const TIMERS: i64 = 400;
    let home = Home::new(Kind::Sqlite).await;
    let host = Host::start_patient(&home).await;
    let root = host.rest();
    let calm = tenant(&root, "calm").await;
    let with_timer = json!({"settings": {"act": "timer", "amount": 3_600}});
    for rest in [&root, &calm] {
        install(rest, "hostile", with_timer.clone()).await;
    }
    let (busy_project, calm_project) = (root.project("Busy").await, calm.project("Calm").await);
    for start in (0..TIMERS).step_by(20) {
        join_all((start..start + 20).map(|_| root.issue(&busy_project, "One of many"))).await;
    }
    // Due after all of the first tenant's.
    calm.issue(&calm_project, "Another").await;
    drop(host);
    make_due(&home).await;

    let _host = Host::start_patient(&home).await;
    let mut connection = sqlite(&home).await;
    // A timer and its comment are written in one transaction.
    let timers = "SELECT COUNT(*) FROM timers";
    let end = Instant::now() + Duration::from_secs(120);
    while sqlx::query_scalar::<_, i64>(timers).fetch_one(&mut connection).await.unwrap() > 0 {
        assert!(Instant::now() < end, "not all timers fire");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let later = "SELECT COUNT(*) FROM comments WHERE created_at > (SELECT comments.created_at FROM comments
        JOIN issues ON issues.id = comments.issue_id WHERE issues.summary = 'Another')";
    let later: i64 = sqlx::query_scalar(later).fetch_one(&mut connection).await.unwrap();
    assert!(later > TIMERS / 2, "{later} of {TIMERS} timers fired later than the other tenant's");
    connection.close().await.unwrap();
}
