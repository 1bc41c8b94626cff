//! Published versions of the contract: their text, and plugins that were built for them.
//!
//! `host/tests/contract/VERSION` has the interfaces of a version and a component for each hook. Its files never change.
//! `cargo xtask contract keep VERSION` creates them when a version is published.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::upload;
use crate::harness::Rest;
use crate::reservations::show;
use crate::tracker::memory;

/// Returns the folders of the published versions.
fn versions() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract");
    let mut folders: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders[0].ends_with("1.0.0"), "{folders:?}");
    folders
}

/// Returns the folder of the present version.
fn present() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")
}

/// Returns the interfaces and worlds in the WIT files of a folder, such as "interface host", without comments and with
/// single spaces.
fn definitions(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
            let code = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
            for (start, _) in code.match_indices("interface ").chain(code.match_indices("world ")) {
                let (name, body) = code[start..].split_once(" {").unwrap();
                found.insert(name.to_owned(), body[..end_of_block(body)].to_owned());
            }
        }
    }
    assert!(found.len() >= 11, "{}: {:?}", folder.display(), found.keys());
    found
}

/// Returns the index of the brace that ends the block in which a text begins.
fn end_of_block(text: &str) -> usize {
    let mut depth = 1;
    let ends = text.char_indices().find(|(_, character)| {
        depth += match character {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        depth == 0
    });
    ends.expect("the block has no end").0
}

/// Installs the kept component of a hook; returns the installation.
async fn install_kept(rest: &Rest, version: &Path, hook: &str, mut how: Value) -> Value {
    let path = version.join(hook).with_extension("wasm");
    let component = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let release = upload(rest, component).await;
    assert_eq!(release["hooks"], json!([hook]), "{release:#}");
    how["release"] = json!({"digest": release["digest"]});
    rest.post("/v1/installations", how).await.expect(201)["installation"].clone()
}

#[test]
fn definitions_of_published_versions_are_unchanged() {
    let present = definitions(&present());
    for version in versions() {
        for (name, body) in definitions(&version) {
            assert_eq!(present.get(&name), Some(&body), "{name} of {}", version.display());
        }
    }
}

/// So that the plugins of a new version are kept and called with it.
#[test]
fn present_version_is_kept_as_it_is() {
    let types = std::fs::read_to_string(present().join("types.wit")).unwrap();
    let package = types.lines().next().unwrap();
    let version = package.strip_prefix("package tessera:plugin@").and_then(|rest| rest.strip_suffix(';'));
    let version = version.unwrap_or_else(|| panic!("wit/types.wit begins with {package:?}"));
    let kept = versions().into_iter().find(|folder| folder.ends_with(version));
    let kept = kept.unwrap_or_else(|| panic!("keep it: cargo xtask contract keep {version}"));
    assert_eq!(definitions(&kept), definitions(&present()), "additions need a version of their own");
    for hook in ["pricing", "validation", "workflow"] {
        assert!(kept.join(hook).with_extension("wasm").is_file(), "{version} has no plugin of {hook}");
    }
}

#[test]
fn definitions_are_compared_without_comments_and_layout() {
    let found = definitions(&present());
    let (manifest, host) = (&found["interface manifest"], &found["interface host"]);
    assert!(manifest.ends_with(" describe: func() -> info; "), "{manifest:?}");
    assert!(host.starts_with(" enum level { debug, info, warn, error }"), "{host:?}");
    assert_eq!(found["world pricing-plugin"], " include base; export pricing; ");
    assert!(found.values().all(|body| !body.contains("//") && !body.contains('\n')));
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_of_published_versions_run() {
    for version in versions() {
        let (_home, _host, rest) = memory().await;
        check_validation(&rest, &version).await;
        check_workflow(&rest, &version).await;
        check_pricing(&rest, &version).await;
    }
}

/// `required-fields`, for issues without a description.
async fn check_validation(rest: &Rest, version: &Path) {
    let project = rest.project("V").await;
    let settings = json!({"rules": [{"fields": ["description"]}]});
    install_kept(rest, version, "validation", json!({"project_id": project, "settings": settings})).await;
    let issue = json!({"project_id": project, "summary": "Oil"});
    let refused = rest.post("/v1/issues", issue.clone()).await;
    assert_eq!(refused.code(422), "FIELD_REQUIRED", "{:#}", refused.body);
    assert_eq!(refused.body["violations"][0]["field"], "description");
    let mut described = issue;
    described["description"] = json!("It leaks");
    rest.post("/v1/issues", described).await.expect(201);
}

/// `issue-lifecycle`, which moves a new issue when it gets its first assignee.
async fn check_workflow(rest: &Rest, version: &Path) {
    let project = rest.project("W").await;
    let installed = install_kept(rest, version, "workflow", json!({"project_id": project})).await;
    let user = rest.user("ada@example.com").await;
    let id = rest.issue(&project, "Oil").await;
    let assigned = rest.post(&format!("/v1/issues/{id}:assign"), json!({"assignee_id": user})).await;
    assert_eq!(assigned.expect(200)["issue"]["status"], "ASSIGNED");
    let refused = rest.post(&format!("/v1/issues/{id}:transition"), json!({"status": "REOPENED"})).await;
    assert!(refused.status.is_client_error(), "{:#}", refused.body);
    let id = installed["installation_id"].as_str().unwrap();
    let calls = rest.get(&format!("/v1/installations/{id}/calls")).await;
    let calls = calls.expect(200)["calls"].as_array().unwrap().clone();
    assert!(!calls.is_empty() && calls.iter().all(|call| call["verdict"]["failure"].is_null()), "{calls:#?}");
}

/// `group-discount`, from two tickets on.
async fn check_pricing(rest: &Rest, version: &Path) {
    let (event, ticket_type) = show(rest, 10, json!({})).await;
    let settings = json!({"steps": [{"units": 2, "percent": "10"}]});
    install_kept(rest, version, "pricing", json!({"event_id": event, "settings": settings})).await;
    for (quantity, total) in [(1, 1_250), (2, 2_250)] {
        let line = json!({"ticket_type_id": ticket_type, "quantity": quantity});
        let price = rest.post("/v1/prices:calculate", json!({"event_id": event, "lines": [line]})).await;
        assert_eq!(price.expect(200)["final_price"]["amount"], total, "{:#}", price.body);
    }
}
