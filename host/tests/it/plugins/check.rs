//! `tessera plugin check` and `tessera plugin install --event`.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::component;
use crate::harness::ROOT_KEY;
use crate::reservations::show;
use crate::tracker::{done, memory};

/// A component in a file, deleted when dropped.
struct File(PathBuf);

impl File {
    fn of(plugin: &str, test: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("check-{test}-{plugin}-{}.wasm", std::process::id()));
        std::fs::write(&path, component(plugin)).unwrap();
        Self(path)
    }

    fn check(&self, settings: &Value, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args(["plugin", "check"])
            .arg(&self.0)
            .args(["--settings", &settings.to_string()])
            .args(arguments)
            .output()
            .unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[track_caller]
fn passed(output: &Output) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    stdout.into_owned()
}

/// Returns the report of a check that found a fault.
#[track_caller]
fn report(output: &Output) -> Value {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"))
}

#[test]
fn pricing_plugins_of_the_examples_pass() {
    for (plugin, settings) in [
        ("surge", json!({"steps": [{"sold": "0", "percent": "10"}, {"hours": 48, "percent": "33.33"}]})),
        ("group-discount", json!({"steps": [{"units": 5, "percent": "5"}, {"units": 10, "percent": "100"}]})),
        (
            "loyalty",
            json!({"codes": [
                {"code": "FRIENDS", "percent": "10"},
                {"code": "CLUB", "percent": "100", "members": true},
                {"code": "BIG", "percent": "20", "minimum": 5_000, "currency": "EUR"},
            ]}),
        ),
        (
            "city-tax",
            json!({"cities": [
                {"city": "Berlin", "percent": "7.5"},
                {"city": "Vienna", "amount": 150, "currency": "EUR"},
                {"city": "Rome", "percent": "10", "included": true},
            ]}),
        ),
    ] {
        let output = File::of(plugin, "examples").check(&settings, &[]);
        let printed = passed(&output);
        let expected = "200 baskets passed (seed 1); the plugin refused 0";
        assert!(printed.starts_with(expected), "{plugin}: {printed}");
    }
}

#[test]
fn fault_is_shrunk_to_the_smallest_basket_and_found_again_with_its_seed() {
    let hostile = File::of("hostile", "faults");
    let settings = json!({"act": "greedy", "amount": 7});
    let output = hostile.check(&settings, &["--seed", "3"]);
    let found = report(&output);
    assert!(found["reason"].as_str().unwrap().contains("below zero"), "{found:#}");
    let (call, input) = (&found["call"], &found["call"]["input"]);
    assert_eq!((&call["settings"], input["lines"].as_array().unwrap().len()), (&settings, 1), "{found:#}");
    let line = &input["lines"][0];
    assert_eq!((&line["quantity"], &line["unit_price"]), (&json!(7), &json!(0)), "{found:#}");
    for part in ["codes", "applied", "event", "buyer", "channel"] {
        assert!(input[part].is_null(), "{part}: {found:#}");
    }
    assert_eq!(hostile.check(&settings, &["--seed", "3"]).stdout, output.stdout);
    // The call is one that `run` reads.
    let run = Command::new(env!("CARGO_BIN_EXE_tessera"))
        .args(["plugin", "run"])
        .arg(&hostile.0)
        .args(["--input", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut run.stdin.as_ref().unwrap(), call.to_string().as_bytes()).unwrap();
    let answer: Value = serde_json::from_str(&passed(&run.wait_with_output().unwrap())).unwrap();
    assert_eq!(answer["reply"]["adjustments"][0]["amount"], -1, "{answer:#}");
}

#[test]
fn each_kind_of_fault_is_named() {
    let hostile = File::of("hostile", "kinds");
    let adjustment = |more: Value| {
        let mut step = json!({"kind": "fee", "amount": 1, "label": "Hostile"});
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"act": "adjust", "adjustments": [step]})
    };
    for (settings, reason) in [
        (json!({"act": "whim"}), "two calls with the same request have different answers"),
        (json!({"act": "spin"}), "PLUGIN_OUT_OF_FUEL"),
        (json!({"act": "trap"}), "PLUGIN_TRAPPED"),
        (adjustment(json!({"line": 9})), "PLUGIN_BAD_ANSWER"),
        (adjustment(json!({"amount": -1})), "wrong sign"),
        (adjustment(json!({"label": ""})), "a label must have 1 to 200 characters"),
        (adjustment(json!({"code": "NEVER-ENTERED-1"})), "was not entered"),
    ] {
        let output = hostile.check(&settings, &["--baskets", "20", "--time-ms", "10000"]);
        let found = report(&output);
        assert!(found["reason"].as_str().unwrap().contains(reason), "{settings}: {found:#}");
    }
    // What the plugin refuses is not checked, and a check of nothing does not pass.
    let refused = hostile.check(&json!({"act": "refuse-basket"}), &["--baskets", "5"]);
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && stderr.contains("refuses all 5 baskets"), "{stderr}");
    // A component without the hook.
    let other = File::of("issue-lifecycle", "kinds").check(&json!({}), &[]);
    let stderr = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(!other.status.success() && stderr.contains("only pricing plugins"), "{stderr}");
}

#[test]
fn monotone_finds_a_total_that_falls_when_a_quantity_grows() {
    let groups = File::of("group-discount", "monotone");
    let settings = json!({"steps": [{"units": 10, "percent": "50"}]});
    passed(&groups.check(&settings, &[]));
    let found = report(&groups.check(&settings, &["--monotone"]));
    assert!(found["reason"].as_str().unwrap().starts_with("the total falls from "), "{found:#}");
    let lines = found["call"]["input"]["lines"].as_array().unwrap();
    let units: u64 = lines.iter().map(|line| line["quantity"].as_u64().unwrap()).sum();
    assert!(units < 10, "{found:#}");
    let tax = File::of("city-tax", "monotone");
    let settings = json!({"cities": [{"city": "Berlin", "amount": 150, "currency": "EUR"}]});
    passed(&tax.check(&settings, &["--monotone"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn install_for_an_event_updates_the_installation_of_that_event() {
    let (_home, host, rest) = memory().await;
    let event = show(&rest, 10, json!({})).await.0;
    let file = File::of("group-discount", "install");
    let server = format!("http://{}", host.grpc);
    let tessera = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .arg("plugin")
            .args(arguments)
            .env("TESSERA_KEY", ROOT_KEY)
            .env("TESSERA_SERVER", &server)
            .output()
            .unwrap();
        passed(&output)
    };
    tokio::task::block_in_place(|| {
        tessera(&["push", file.0.to_str().unwrap()]);
        for percent in ["5", "10"] {
            let settings = json!({"steps": [{"units": 2, "percent": percent}]}).to_string();
            let install = ["install", "group-discount", "--settings", &settings];
            tessera(&install);
            let printed = tessera(&[&install[..], &["--event", event.as_str()]].concat());
            assert!(printed.contains(&format!("is installed in the event {event}")), "{printed}");
        }
    });
    let listed = rest.get("/v1/installations").await;
    let installations = done(&listed)["installations"].as_array().unwrap();
    let mut events: Vec<_> = installations.iter().map(|one| one["event_id"].clone()).collect();
    events.sort_by_key(Value::is_string);
    assert_eq!(events, [Value::Null, json!(event)], "{:#}", listed.body);
    let percents: Vec<_> = installations.iter().map(|one| &one["settings"]["steps"][0]["percent"]).collect();
    assert_eq!(percents, [&json!("10"), &json!("10")], "{:#}", listed.body);
}
