//! Plugins in each language that has a template: uploads, installations and calls of all hooks.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::guests::{altered_guest, guest, keep_code, restore_all_code, restore_code};
use super::{component, upload};
use crate::harness::{Answer, Home, Host, Kind, Rest};
use crate::reservations::show;
use crate::tracker::{done, issue};

/// Settings of a host that takes components of Python. The limits of calls stay at their defaults; a test build takes
/// half a minute and more to compile such a component.
const FOR_PYTHON: [(&str, &str); 3] = [
    ("TESSERA_PLUGIN_MAX_BYTES", "33554432"),
    ("TESSERA_PLUGIN_COMPILE_MS", "600000"),
    ("TESSERA_REQUEST_TIMEOUT_MS", "600000"),
];

/// Returns the folder of a host's machine code.
fn code(home: &Home) -> PathBuf {
    home.folder.join("plugins")
}

/// Starts a host that can be given the machine code of earlier runs, so that a second run compiles nothing.
async fn start(settings: &[(&str, &str)]) -> (Home, Host, Rest) {
    let home = Home::new(Kind::Sqlite).await;
    std::fs::create_dir(code(&home)).unwrap();
    restore_all_code(&code(&home));
    let host = Host::start_with(&home, settings).await;
    // A start removes machine code that no release has. Once that is done, what is restored stays. Code of another
    // engine is not removed and not used, so that there is nothing to wait for.
    let end = Instant::now() + Duration::from_secs(5);
    while std::fs::read_dir(code(&home)).unwrap().next().is_some() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let rest = host.rest();
    (home, host, rest)
}

async fn upload_guest(home: &Home, rest: &Rest, language: &str, hook: &str) -> Value {
    let (name, component) = (format!("{language}-{hook}"), guest(language, hook));
    restore_code(&name, &code(home));
    let release = upload(rest, component).await;
    assert_eq!(release["plugin"], name, "{release:#}");
    keep_code(&name, &code(home), release["digest"].as_str().unwrap());
    release
}

async fn send(rest: &Rest, component: Vec<u8>) -> Answer {
    let request = rest.request(Method::POST, "/v1/releases");
    rest.send(request.header("content-type", "application/wasm").body(component)).await
}

async fn install_guest(home: &Home, rest: &Rest, (language, hook): (&str, &str), mut how: Value) -> String {
    let release = upload_guest(home, rest, language, hook).await;
    how["release"] = json!({"digest": release["digest"]});
    let installed = rest.post("/v1/installations", how).await;
    installed.expect(201)["installation"]["installation_id"].as_str().unwrap().to_owned()
}

async fn check_validation(home: &Home, rest: &Rest, language: &str) {
    let project = rest.project("P").await;
    let how = json!({"settings": {"min_summary": 9}, "project_id": project});
    install_guest(home, rest, (language, "validation"), how).await;
    let body = json!({"project_id": project, "summary": "Öl tropft"});
    let accepted = rest.post("/v1/issues", body).await;
    assert_eq!(accepted.expect(201)["issue"]["summary"], "Öl tropft", "{language}");
    let refused = rest.post("/v1/issues", json!({"project_id": project, "summary": "Öl leckt"})).await;
    assert_eq!(refused.code(422), "SUMMARY_TOO_SHORT", "{language}");
    let violation = &refused.body["violations"][0];
    assert_eq!(violation["plugin"], format!("{language}-validation"));
    assert_eq!(violation["field"], "summary");
    assert_eq!(violation["message"], "the summary must have at least 9 characters; it has 8", "{language}");
}

async fn check_workflow(home: &Home, rest: &Rest, language: &str) {
    let project = rest.project("P").await;
    let how = json!({"grants": ["issue:update", "notice:create"], "project_id": project});
    let installation = install_guest(home, rest, (language, "workflow"), how).await;
    let id = rest.issue(&project, "It burns").await;
    let path = format!("/v1/issues/{id}");
    done(&rest.patch(&path, json!({"priority": "MINOR"})).await);
    assert_eq!(issue(rest, &id).await["labels"], json!([]), "{language}");
    done(&rest.patch(&path, json!({"priority": "CRITICAL"})).await);
    assert_eq!(issue(rest, &id).await["labels"], json!(["critical"]), "{language}");
    let calls = rest.get(&format!("/v1/installations/{installation}/calls")).await;
    let failed = calls.expect(200)["calls"]
        .as_array()
        .unwrap()
        .iter()
        .any(|call| !call["verdict"]["failure"].is_null());
    assert!(!failed, "{language}: {:#}", calls.body);
    // The Rust template has no command.
    if language == "rust" {
        return;
    }
    let id = rest.issue(&project, "It smokes").await;
    let called = rest.post(&format!("/v1/issues/{id}:command"), json!({"name": "escalate"})).await;
    assert_eq!(called.expect(200)["issue"]["labels"], json!(["critical"]), "{language}");
}

/// The template gives 10 % from ten tickets on, of what the steps before have left.
async fn check_pricing(home: &Home, rest: &Rest, language: &str) {
    let (event, seat) = show(rest, 100, json!({})).await;
    let how = json!({"event_id": event});
    let installation = install_guest(home, rest, (language, "pricing"), how).await;
    let priced = async |quantity: u32| {
        let line = json!({"ticket_type_id": seat, "quantity": quantity});
        let answer = rest.post("/v1/prices:calculate", json!({"event_id": event, "lines": [line]})).await;
        answer.expect(200).clone()
    };
    let none = priced(9).await;
    assert_eq!((&none["final_price"]["amount"], &none["adjustments"]), (&json!(11_250), &json!([])));
    let ten = priced(10).await;
    assert_eq!(ten["final_price"]["amount"], 11_250, "{language}: {ten:#}");
    let half = json!({"name": "Half", "kind": "discount", "percent": "50.02", "event_id": event});
    rest.post("/v1/pricing-rules", half).await.expect(201);
    // 50.02 % of 12,500 are 6,252.5, of which the half is rounded to even; 10 % of 6,248 are 624.8.
    let steps = priced(10).await["adjustments"].clone();
    let amounts = [0, 1].map(|step| steps[step]["amount"]["amount"].clone());
    assert_eq!(amounts, [json!(-6_252), json!(-625)], "{language}: {steps:#}");
    let source = steps[1]["source"].as_str().unwrap_or_default().to_owned();
    assert!(source.starts_with(&format!("plugin:{installation}@")), "{language}: {steps:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_and_javascript_are_called_by_every_hook_within_the_default_limits() {
    let (home, _host, rest) = start(&[]).await;
    for language in ["rust", "javascript"] {
        check_validation(&home, &rest, language).await;
        check_workflow(&home, &rest, language).await;
        check_pricing(&home, &rest, language).await;
    }
    // Exports beyond the contract are no fault.
    let exports = tessera_sandbox::inspect(&guest("javascript", "validation")).unwrap().exports;
    assert!(exports.iter().any(|export| export == "init"), "{exports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn python_is_called_by_every_hook_on_a_host_for_larger_components() {
    let (home, _host, rest) = start(&FOR_PYTHON).await;
    check_validation(&home, &rest, "python").await;
    check_workflow(&home, &rest, "python").await;
    check_pricing(&home, &rest, "python").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guest_with_wasi_or_another_signature_is_refused() {
    let (_home, _host, rest) = start(&[]).await;
    let (signature, other) =
        ("validate: func(context: context, request: request)", "validate: func(request: request)");
    for (name, file, old, new, reason, text) in [
        (
            "with-wasi",
            "package.json",
            " --stub-wasi",
            "",
            "COMPONENT_IMPORTS",
            "`componentize-qjs --stub-wasi`",
        ),
        ("unlike", "wit/validation.wit", signature, other, "COMPONENT_EXPORTS", "found validate: func("),
    ] {
        let component = tokio::task::block_in_place(|| altered_guest(name, file, old, new));
        let refused = send(&rest, component).await;
        assert_eq!(refused.code(422), reason, "{:#}", refused.body);
        assert!(refused.body["detail"].as_str().unwrap().contains(text), "{:#}", refused.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn component_beyond_a_limit_is_refused_with_need_limit_and_setting() {
    let (python, javascript) = (guest("python", "validation"), guest("javascript", "validation"));
    let size = format!("has {} bytes", python.len());
    let too_large = "COMPONENT_TOO_LARGE";
    for (settings, component, reason, parts) in [
        (&[][..], python, "TOO_LARGE", [size.as_str(), "4194304", "TESSERA_PLUGIN_MAX_BYTES"]),
        (
            &[("TESSERA_PLUGIN_MEMORY_BYTES", "1048576")],
            component("required-fields"),
            too_large,
            ["bytes of memory", "1048576", "TESSERA_PLUGIN_MEMORY_BYTES"],
        ),
        // A tenant has one twentieth of a pool for 16 calls.
        (
            &[("TESSERA_PLUGIN_CALLS", "16"), ("TESSERA_PLUGIN_TENANT_PERCENT", "5")],
            javascript,
            too_large,
            [
                "13 core instances",
                "share is 1, 1 and 6",
                "TESSERA_PLUGIN_CALLS, TESSERA_PLUGIN_TENANT_PERCENT",
            ],
        ),
    ] {
        let (home, _host, rest) = start(settings).await;
        restore_code("javascript-validation", &code(&home));
        let refused = send(&rest, component).await;
        assert_eq!(refused.code(413), reason, "{:#}", refused.body);
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(parts.iter().all(|part| detail.contains(part)), "{detail}");
    }
}
