//! The first start: the key, the secret, the examples.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::{output_text, printed_key, run};
use crate::harness::{Home, Host, Kind, ROOT_KEY};
use crate::tracker::{all_pages, done, on_every_store};

on_every_store! { examples_are_added_once_in_the_configured_number }

/// Settings without a key and a secret.
const ALONE: [(&str, &str); 2] = [("TESSERA_BOOTSTRAP_KEY", ""), ("TESSERA_SECRET_KEY", "")];

async fn end(mut host: Host) {
    host.terminate();
    let status = tokio::task::block_in_place(|| host.wait(Duration::from_secs(10)));
    assert_eq!(status.code(), Some(0), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_first_start_prints_a_key() {
    let home = Home::empty(Kind::Sqlite).await;
    let host = Host::start_with(&home, &ALONE).await;
    let key = printed_key(&host.greeting).expect("no key is printed");
    run_greeting_commands(&host.greeting);
    assert!(host.greeting.contains(&host.http) && host.greeting.contains(&host.grpc));
    let me = host.rest().with_key(Some(&key)).get("/v1/me").await;
    assert_eq!(me.expect(200)["tenant_slug"], "default");
    let mut roles: Vec<String> = serde_json::from_value(me.body["roles"].clone()).unwrap();
    roles.sort();
    assert_eq!(roles, ["admin", "operator"]);
    let project = host.rest().with_key(Some(&key)).project("P").await;

    let secret = home.folder.join("secret.key");
    assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&secret).unwrap();
    assert!(bytes.len() >= 32);
    assert!(!host.log().contains(key.rsplit('_').next().unwrap()));
    end(host).await;

    let host = Host::start_with(&home, &ALONE).await;
    assert_eq!(printed_key(&host.greeting), None);
    assert!(!host.greeting.contains("tsk_"), "{}", host.greeting);
    assert_eq!(std::fs::read(&secret).unwrap(), bytes);
    let rest = host.rest().with_key(Some(&key));
    done(&rest.get(&format!("/v1/projects/{project}")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_start_creates_no_key() {
    let home = Home::empty(Kind::Sqlite).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let settings = [ALONE[0], ALONE[1], ("HTTP_PORT", port.as_str())];
    let failed = run(&home, &[], &settings);
    assert!(
        !failed.status.success() && output_text(&failed).contains("cannot listen"),
        "{}",
        output_text(&failed)
    );
    let host = Host::start_with(&home, &ALONE).await;
    assert!(printed_key(&host.greeting).is_some(), "{}", host.greeting);
}

/// Runs the commands of the greeting as a user would copy them.
fn run_greeting_commands(greeting: &str) {
    let export = greeting.lines().find(|line| line.trim_start().starts_with("export ")).unwrap();
    let commands: Vec<_> =
        greeting.lines().skip_while(|line| *line != "Try:").skip(1).map(str::trim).collect();
    let tools = commands.iter().filter(|line| !line.is_empty()).map(|line| line.split(' ').next().unwrap());
    assert_eq!(tools.collect::<Vec<_>>(), ["curl", "curl", "grpcurl"], "{greeting}");
    for command in commands.iter().filter(|line| line.starts_with("curl ")) {
        let script = format!("{export}\n{command} --fail-with-body");
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_key_works_and_is_never_printed() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let home = Home::empty(kind).await;
        for _ in 0..2 {
            let host = Host::start(&home).await;
            assert!(!host.greeting.contains("tsk_"), "{}", host.greeting);
            let me = host.rest().with_key(Some(ROOT_KEY)).get("/v1/me").await;
            assert_eq!(
                (&me.expect(200)["key_id"], &me.body["tenant_slug"]),
                (&json!("root"), &json!("default"))
            );
            end(host).await;
        }
        // The same id with another secret is refused and does not replace the key.
        let other = format!("tsk_root_{}", "f".repeat(32));
        let refused = run(&home, &[], &[("TESSERA_BOOTSTRAP_KEY", &other)]);
        assert_eq!(refused.status.code(), Some(1));
        let text = output_text(&refused);
        assert!(text.contains("TESSERA_BOOTSTRAP_KEY") && !text.contains(&"f".repeat(32)), "{text}");
        let host = Host::start(&home).await;
        done(&host.rest().get("/v1/me").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_bootstrap_key_stays_revoked_after_restart() {
    let home = Home::empty(Kind::Sqlite).await;
    let host = Host::start(&home).await;
    let other = host.rest().new_key(&["operator", "admin"], None).await;
    let other = host.rest().with_key(Some(&other));
    done(&other.post("/v1/keys/root:revoke", json!({})).await);
    assert_eq!(host.rest().get("/v1/me").await.code(401), "UNAUTHENTICATED");
    end(host).await;
    let host = Host::start(&home).await;
    assert_eq!(host.rest().get("/v1/me").await.code(401), "UNAUTHENTICATED");
}

async fn examples_are_added_once_in_the_configured_number(kind: Kind) {
    let home = Home::empty(kind).await;
    let settings = [("SEED_USER_COUNT", "3"), ("SEED_PROJECT_COUNT", "4"), ("SEED_RELATIONSHIPS", "true")];
    let development = [&settings[..], &[("ENVIRONMENT", "development")]].concat();
    for round in 0..2 {
        let host = Host::start_with(&home, &development).await;
        let rest = host.rest();
        let users = all_pages(&rest, "/v1/users", "users", 100).await;
        let projects = all_pages(&rest, "/v1/projects", "projects", 100).await;
        assert_eq!((users.len(), projects.len()), (3, 4), "start {round}");
        let issues = all_pages(&rest, "/v1/issues", "issues", 100).await;
        assert!(!issues.is_empty());
        let counted: u64 = projects.iter().map(|project| project["issue_count"].as_u64().unwrap()).sum();
        assert_eq!(counted, issues.len() as u64);
        let assigned: Vec<_> = issues.iter().filter(|issue| !issue["assignee_id"].is_null()).collect();
        assert!(!assigned.is_empty() && assigned.iter().all(|issue| issue["status"] == "ASSIGNED"));
        if kind == Kind::Memory {
            return;
        }
        end(host).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_are_added_only_on_request() {
    let home = Home::empty(Kind::Memory).await;
    let settings = [("SEED_USER_COUNT", "3"), ("SEED_RELATIONSHIPS", "true"), ("ENVIRONMENT", "production")];
    let host = Host::start_with(&home, &settings).await;
    assert_eq!(host.rest().get("/v1/users").await.expect(200)["users"], json!([]));
    let host = Host::start_with(&home, &[("ENVIRONMENT", "development")]).await;
    let list =
        async |path: &str, name: &str| -> Vec<Value> { all_pages(&host.rest(), path, name, 100).await };
    assert_eq!(list("/v1/users", "users").await.len(), 5);
    assert_eq!(list("/v1/projects", "projects").await.len(), 5);
    assert_eq!(list("/v1/issues", "issues").await.len(), 0, "relationships are off by default");
}

/// Lists the folders of the in-memory database of a process.
fn memory_folders(pid: u32) -> Vec<PathBuf> {
    let places = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
    let entries = places.iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten();
    let name = format!("tessera-memory-{pid}-");
    entries.map(|entry| entry.path()).filter(|path| path.display().to_string().contains(&name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_host_leaves_no_files() {
    let home = Home::empty(Kind::Memory).await;
    let host = Host::start_with(&home, &ALONE).await;
    let key = printed_key(&host.greeting).expect("no key is printed");
    host.rest().with_key(Some(&key)).project("P").await;
    let pid = host.pid();
    let folders = memory_folders(pid);
    assert_eq!(folders.len(), 1, "{folders:?}");
    assert_eq!(std::fs::metadata(&folders[0]).unwrap().permissions().mode() & 0o777, 0o700);
    end(host).await;
    assert_eq!(memory_folders(pid), Vec::<PathBuf>::new());
    // The next start removes the files of a killed host.
    let mut host = Host::start_with(&home, &ALONE).await;
    let pid = host.pid();
    host.kill();
    assert_eq!(memory_folders(pid).len(), 1);
    let host = Host::start_with(&home, &ALONE).await;
    assert_eq!(memory_folders(pid), Vec::<PathBuf>::new());
    assert!(
        printed_key(&host.greeting).is_some(),
        "what was in memory is gone, so it is a first start again"
    );
    let files: Vec<_> =
        std::fs::read_dir(&home.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| name.to_string_lossy().starts_with("log-")), "{files:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_command_updates_the_schema() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let home = Home::empty(kind).await;
        for _ in 0..2 {
            let output = tokio::task::block_in_place(|| run(&home, &["migrate"], &[]));
            assert!(output.status.success(), "{}", output_text(&output));
            assert!(output_text(&output).contains("up to date"), "{}", output_text(&output));
        }
        let host = Host::start(&home).await;
        host.rest().project("P").await;
        // The command also works beside a running host.
        let output = tokio::task::block_in_place(|| run(&home, &["migrate"], &[]));
        assert!(output.status.success(), "{}", output_text(&output));
    }
}

/// Hosts on one database need the same secret: otherwise keys of one are not valid on the other.
#[tokio::test(flavor = "multi_thread")]
async fn secret_that_differs_from_the_database_is_refused() {
    let home = Home::empty(Kind::Postgres).await;
    let host = Host::start(&home).await;
    host.rest().project("P").await;
    let other = "another secret, of at least thirty-two characters";
    let refused = tokio::task::block_in_place(|| run(&home, &[], &[("TESSERA_SECRET_KEY", other)]));
    assert_eq!(refused.status.code(), Some(1));
    let text = output_text(&refused);
    assert!(text.to_lowercase().contains("secret") && !text.contains(other), "{text}");
}
