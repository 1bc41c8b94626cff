//! Timers: restarts, suspension, back-off, parking, listing and retries.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::install;
use super::lifecycle::path;
use crate::harness::{Home, Host, Kind, ROOT_KEY, Rest};
use crate::tracker::{all_pages, done, issue, until};

/// Makes all timers due in the database, each with `failures` failed calls.
pub async fn make_due(home: &Home, failures: u32) {
    make_due_where(home, failures, "TRUE").await;
}

/// Does the same for timers that match a condition.
async fn make_due_where(home: &Home, failures: u32, condition: &str) {
    match home.database_url() {
        Some(url) => {
            let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
            let mut connection = options.connect().await.unwrap();
            let sql = format!(
                "UPDATE timers SET failures = {failures}, at = now() - interval '1 second' WHERE {condition}"
            );
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        None => {
            let mut connection = sqlite(home).await;
            // The issue's stored time is in the past and has the format of the database.
            let sql = format!(
                "UPDATE timers SET failures = {failures},
                 at = (SELECT created_at FROM issues WHERE issues.id = timers.issue_id) WHERE {condition}"
            );
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

async fn sqlite(home: &Home) -> sqlx::SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.folder.join("tessera.db"));
    options.connect().await.unwrap()
}

/// Waits until no SQLite timer has the due time that [`make_due`] wrote.
async fn until_set_back(home: &Home) {
    let mut connection = sqlite(home).await;
    let due = "SELECT COUNT(*) FROM timers JOIN issues ON issues.id = timers.issue_id WHERE timers.at <= issues.created_at";
    let end = Instant::now() + Duration::from_secs(20);
    while sqlx::query_scalar::<_, i64>(due).fetch_one(&mut connection).await.unwrap() > 0 {
        assert!(Instant::now() < end, "the timers stay due");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    connection.close().await.unwrap();
}

async fn escalations(rest: &Rest, id: &str) -> usize {
    let comments = rest.get(&format!("/v1/issues/{id}/comments")).await;
    comments.expect(200)["comments"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn timer_survives_restart_and_fires_once_with_any_number_of_hosts() {
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let home = Home::new(kind).await;
        let host = Host::start(&home).await;
        let project = host.rest().project("P").await;
        install(
            &host.rest(),
            "support-sla",
            json!({"project_id": project, "settings": {"respond": {"CRITICAL": 1}, "resolve": {"MINOR": 100}}}),
        )
        .await;
        let id = host.rest().issue(&project, "It waits").await;
        drop(host);
        make_due(&home, 0).await;
        let hosts = if kind == Kind::Postgres { 2 } else { 1 };
        let mut hosts = futures_util::future::join_all((0..hosts).map(|_| Host::start(&home))).await;
        let rest = hosts[0].rest();
        let path = format!("/v1/issues/{id}");
        until(&rest, &path, |answer| answer.body["issue"]["labels"].to_string().contains("escalated")).await;
        // Calls in progress are over once the hosts have ended.
        for host in &mut hosts {
            host.terminate();
            tokio::task::block_in_place(|| host.wait(Duration::from_secs(40)));
        }
        let host = Host::start(&home).await;
        let rest = host.rest();
        // Only `resolve` has minutes for this priority: one escalation, and no second.
        assert_eq!(escalations(&rest, &id).await, 1, "{kind:?}");
        let issue = issue(&rest, &id).await;
        assert_eq!(issue["priority"], "IMPORTANT", "{kind:?}: {issue:#}");
        let facts = rest.get(&format!("{path}/history")).await;
        let noticed = facts.expect(200)["facts"]
            .as_array()
            .unwrap()
            .iter()
            .any(|fact| fact["type"] == "issue.notified");
        assert!(noticed, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_of_a_suspended_tenant_wait() {
    let home = Home::new(Kind::Sqlite).await;
    let host = Host::start(&home).await;
    let root = host.rest();
    done(&root.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await);
    let key = root.post("/v1/keys", json!({"name": "theirs", "roles": ["admin"], "tenant": "acme"})).await;
    let theirs = root.with_key(key.expect(201)["secret"].as_str());
    let project = theirs.project("P").await;
    install(&theirs, "support-sla", json!({"settings": {"resolve": {"default": 100}}})).await;
    let id = theirs.issue(&project, "It waits").await;
    done(&root.post("/v1/tenants/acme:suspend", Value::Null).await);
    drop(host);
    make_due(&home, 0).await;
    let host = Host::start(&home).await;
    until_set_back(&home).await;
    let (root, theirs) = (host.rest(), host.rest().with_key(theirs.key.as_deref()));
    done(&root.post("/v1/tenants/acme:resume", Value::Null).await);
    assert_eq!(escalations(&theirs, &id).await, 0);
    drop(host);
    make_due(&home, 0).await;
    let host = Host::start(&home).await;
    let theirs = host.rest().with_key(theirs.key.as_deref());
    let path = format!("/v1/issues/{id}");
    until(&theirs, &path, |answer| answer.body["issue"]["labels"].to_string().contains("escalated")).await;
}

/// Runs `tessera plugin` against a host; returns its output.
fn tessera(host: &Host, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.arg("plugin").args(args);
    command.env("TESSERA_KEY", ROOT_KEY).env("TESSERA_SERVER", format!("http://{}", host.grpc));
    let output = tokio::task::block_in_place(|| command.output().unwrap());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_timer_is_parked_listed_and_retried_on_request() {
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let home = Home::new(kind).await;
        let host = Host::start(&home).await;
        let rest = host.rest();
        let project = rest.project("P").await;
        let broken = json!({"settings": {"act": "trap-on-timer", "amount": 60}});
        let installed = path(&install(&rest, "hostile", broken).await);
        let mut issues = Vec::new();
        for n in 0..3 {
            issues.push(rest.issue(&project, &format!("{n}")).await);
        }
        let timers = format!("{installed}/timers");
        let waiting = all_pages(&rest, &timers, "timers", 2).await;
        assert!(waiting.len() == 3 && waiting.iter().all(|timer| timer["parked"] == false), "{waiting:#?}");
        assert_eq!(rest.get(&format!("{timers}?filter=parked:true")).await.expect(200)["timers"], json!([]));
        drop(host);

        make_due(&home, 9).await;
        let host = Host::start(&home).await;
        let rest = host.rest();
        let parked = format!("{timers}?filter=parked:true");
        let all = |answer: &crate::harness::Answer| answer.body["timers"].as_array().unwrap().len() == 3;
        let page = until(&rest, &parked, all).await;
        let timer = &page.body["timers"][0];
        assert_eq!((&timer["name"], &timer["failures"]), (&json!("tick"), &json!(10)));
        assert!(timer["last_failure"].as_str().unwrap().starts_with("PLUGIN_TRAPPED: "), "{timer:#}");
        let of_one = rest.get(&format!("{timers}?filter=issue:{}", issues[0])).await;
        assert_eq!(of_one.expect(200)["timers"][0]["issue_id"], json!(issues[0]));
        let output = tessera(&host, &["timers", "hostile", "--parked"]);
        assert_eq!(
            output.matches("tick: parked after 10 failures\n    PLUGIN_TRAPPED: ").count(),
            3,
            "{output}"
        );

        let works = json!({"settings": {"act": "timer", "amount": 60}});
        done(&rest.patch(&installed, works).await);
        // A later timer is called; the parked ones are not.
        let later = rest.issue(&project, "later").await;
        drop(host);
        make_due_where(&home, 0, "failures = 0").await;
        let host = Host::start(&home).await;
        let rest = host.rest();
        let path = format!("/v1/issues/{later}/comments");
        until(&rest, &path, |answer| answer.body.to_string().contains("the timer was due")).await;
        assert_eq!(escalations(&rest, &issues[0]).await, 0, "what is parked is not called");
        let retry = async |body: Value| {
            let request = rest.request(reqwest::Method::POST, &format!("{timers}:retry"));
            rest.send(request.header("idempotency-key", body.to_string()).json(&body)).await
        };
        let one = json!({"issue_id": issues[0], "name": "tick"});
        let retried = retry(one.clone()).await;
        let timer = &retried.expect(200)["timers"][0];
        assert_eq!((&timer["issue_id"], &timer["failures"]), (&json!(issues[0]), &json!(0)), "{timer:#}");
        assert_eq!((&timer["parked"], &timer["last_failure"]), (&json!(false), &Value::Null));
        let repeated = retry(one).await;
        assert_eq!(repeated.expect(200), &retried.body);
        assert_eq!(repeated.headers["idempotency-replayed"], "true");
        let comments = |id: &str| format!("/v1/issues/{id}/comments");
        let called = |answer: &crate::harness::Answer| answer.body.to_string().contains("the timer was due");
        until(&rest, &comments(&issues[0]), called).await;
        assert_eq!(escalations(&rest, &issues[1]).await, 0);

        let audit = "/v1/audit?filter=type:plugin.timers_retried";
        let facts = until(&rest, audit, |answer| answer.body["facts"][0].is_object()).await;
        let fact = &facts.body["facts"][0];
        assert_eq!(fact["object_kind"], "installation", "{fact:#}");
        assert_eq!(fact["changes"][0]["field"], format!("timers.{}.tick.failures", issues[0]), "{fact:#}");
        let output = tessera(&host, &["timers", "hostile", "--retry"]);
        assert!(output.ends_with("timers retried: 2\n"), "{output}");
        for id in &issues {
            until(&rest, &comments(id), called).await;
        }
        assert_eq!(retry(json!({})).await.expect(200), &json!({"timers": []}), "none is left");
        assert_eq!(rest.get(&timers).await.expect(200)["timers"], json!([]), "each has fired");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_takes_at_most_a_hundred_parked_timers() {
    let home = Home::new(Kind::Sqlite).await;
    let host = Host::start(&home).await;
    let rest = host.rest();
    let project = rest.project("P").await;
    let how = json!({"settings": {"act": "timer", "amount": 60}});
    let retry = format!("{}/timers:retry", path(&install(&rest, "hostile", how).await));
    let summaries: Vec<_> = (0..101).map(|n| n.to_string()).collect();
    let issues = summaries.iter().map(|summary| rest.issue(&project, summary));
    futures_util::future::join_all(issues).await;
    drop(host);
    make_due(&home, 10).await;
    let host = Host::start(&home).await;
    for expected in [100, 1, 0] {
        let retried = host.rest().post(&retry, json!({})).await;
        assert_eq!(retried.expect(200)["timers"].as_array().unwrap().len(), expected);
    }
}
