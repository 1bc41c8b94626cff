//! The plugin guide: the commands of `host/docs/PLUGINS.md`, run verbatim.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::guests;
use crate::harness::{Host, ROOT_KEY};
use crate::reservations::show;
use crate::tracker::memory;

/// Returns the commands of the guide's first part, in order.
fn commands() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PLUGINS.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, part) = text.split_once("\n## Quick start").expect("the guide has no quick start");
    let part = part.split("\n## ").next().unwrap();
    let blocks = part.split("\n```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// A folder, deleted when dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(folder: &Path, command: &str, host: &Host, (event, ticket_type): &(String, String)) -> String {
    let command = command.replace("localhost:8080", &host.http);
    let bin = Path::new(env!("CARGO_BIN_EXE_tessera")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("sh")
        .args(["-c", &format!("set -e; {command}")])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("EVENT", event)
        .env("TYPE", ticket_type)
        .env("TESSERA_KEY", ROOT_KEY)
        .env("TESSERA_SERVER", format!("http://{}", host.grpc))
        .env("CARGO_TARGET_DIR", guests::target())
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command}\n{stdout}{stderr}");
    stdout.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_guide_works_from_start_to_finish() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    let show = show(&rest, 100, json!({})).await;
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("author-{}", std::process::id()));
    std::fs::create_dir_all(&root).unwrap();
    let root = Folder(root);
    let mut folder = root.0.clone();
    let short = json!({"project_id": project, "summary": "Oil leak"});
    let mut executed = Vec::new();
    for command in commands() {
        if let Some(into) = command.strip_prefix("cd ") {
            folder = folder.join(into);
            continue;
        }
        // The target is installed already by the set-up of the tests, or the machine has no rustup.
        if command.starts_with("rustup ") {
            continue;
        }
        let output = tokio::task::block_in_place(|| run(&folder, &command, &host, &show));
        if command.starts_with("tessera plugin test") {
            let cases = if command.contains("ten-or-more") { "1 of 1 passed" } else { "2 of 2 passed" };
            assert!(output.contains(cases), "{output}");
        }
        if command.contains("min_summary\": 12") {
            let refused = rest.post("/v1/issues", short.clone()).await;
            assert_eq!(refused.code(422), "SUMMARY_TOO_SHORT");
            let violation = &refused.body["violations"][0];
            assert_eq!(
                (&violation["plugin"], &violation["field"]),
                (&json!("short-summaries"), &json!("summary"))
            );
        }
        if command.contains("plugin rollback") {
            assert!(output.contains("0.1.0") && !output.contains("0.2.0"), "{output}");
        }
        if command.contains("plugin calls") {
            assert!(output.contains("refused") && output.contains("SUMMARY_TOO_SHORT"), "{output}");
        }
        if command.starts_with("curl ") {
            let price: Value = serde_json::from_str(&output).unwrap();
            let adjustment = &price["adjustments"][0];
            assert_eq!(adjustment["label"], "Ten or more", "{price:#}");
            assert_eq!(adjustment["amount"]["amount"], -1_250, "{price:#}");
            assert!(adjustment["source"].as_str().unwrap().starts_with("plugin:"), "{price:#}");
        }
        executed.push(command);
    }
    rest.post("/v1/issues", short).await.expect(201);
    let verbs =
        ["new", "build", "test", "check", "inspect", "run", "bench", "push", "install", "calls", "rollback"];
    for verb in verbs {
        let there = executed.iter().any(|command| command.contains(&format!("tessera plugin {verb}")));
        assert!(there, "the guide does not show `tessera plugin {verb}`");
    }
    assert!(executed.iter().any(|command| command.starts_with("curl ")), "the guide asks for no price");
}

#[test]
fn invalid_component_names_its_fault() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("no-component-{}.wasm", std::process::id()));
    for (bytes, reason) in [
        (&b"#!/bin/sh"[..], "COMPONENT_NOT_WASM"),
        (b"\0asm\x01\0\0\0", "COMPONENT_IS_CORE_MODULE"),
        (b"\0asm\x0d\0\x01\0", "COMPONENT_EXPORTS"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args(["plugin", "inspect"])
            .arg(&path)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && stderr.contains(reason), "{reason}: {stderr}");
    }
    std::fs::remove_file(&path).unwrap();
}
