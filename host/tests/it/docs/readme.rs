//! The README's first steps, run verbatim against a host.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Host, ROOT_KEY};
use crate::plugins::component;
use crate::tracker::memory;

/// Returns the curl commands of the first steps, in order.
fn commands() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, steps) = text.split_once("\n## First steps").expect("the README has no first steps");
    let steps = steps.split("\n## ").next().unwrap();
    let blocks = steps.split("\n```").skip(1).step_by(2);
    let shell = blocks.filter_map(|block| {
        let (language, body) = block.split_once('\n')?;
        ["sh", "console", "bash"].contains(&language.trim()).then(|| body.to_owned())
    });
    // Prompts are removed, and lines that end with a backslash are joined.
    let lines: Vec<String> = shell
        .flat_map(|body| {
            let whole = body.replace("\\\n", " ");
            whole.lines().map(|line| line.trim_start_matches("$ ").to_owned()).collect::<Vec<_>>()
        })
        .collect();
    lines.into_iter().filter(|line| line.trim_start().starts_with("curl ")).collect()
}

/// Runs a command, which must succeed; returns its output.
fn run(host: &Host, command: &str, ids: &[(&str, String)]) -> String {
    let address = host.http.strip_prefix("http://").unwrap();
    let command = command.replace("localhost:8080", address);
    let stream = command.contains("/streams/");
    // A stream does not end by itself, and a busy machine compiles an upload slowly.
    let seconds = if stream { 3 } else { 60 };
    let output = Command::new("sh")
        .args(["-c", &format!("set -e; {command} --fail-with-body --max-time {seconds}")])
        .env("TESSERA_KEY", ROOT_KEY)
        .envs(ids.iter().map(|(name, id)| (name, id)))
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let ended_well = output.status.success() || (stream && output.status.code() == Some(28));
    assert!(ended_well, "{command}\n{}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn first_steps_of_the_readme_work_verbatim() {
    let (_home, host, rest) = memory().await;
    let names = ["PROJECT", "ISSUE", "EVENT", "TYPE", "RESERVATION", "TICKET"];
    let mut ids = names.map(|name| (name, String::new()));
    let commands = commands();
    assert!(commands.len() >= 5, "{commands:#?}");
    // What the README builds.
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("group-discount.wasm");
    std::fs::write(built, component("group-discount")).unwrap();
    for command in &commands {
        let text = tokio::task::block_in_place(|| run(&host, command, &ids));
        if command.contains("/streams/") || command.contains("ticket.pdf") {
            continue;
        }
        if command.contains("image/svg+xml") {
            assert!(text.starts_with("<svg"), "{command}\n{text}");
            continue;
        }
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{command}\n{text}"));
        let places = [
            "/project/project_id",
            "/issue/issue_id",
            "/event/id",
            "/ticket_type/id",
            "/reservation_id",
            "/reservation/tickets/0/id",
        ];
        for (at, (_, variable)) in places.iter().zip(&mut ids) {
            if let Some(id) = answer.pointer(at).and_then(Value::as_str) {
                id.clone_into(variable);
            }
        }
        if command.ends_with("/tickets") {
            assert!(!command.contains("Authorization"), "{command}");
            assert_eq!(answer["ticket_types"].as_array().unwrap().len(), 1, "{text}");
        }
        if command.contains("history") {
            assert!(answer["facts"].as_array().unwrap().len() >= 2, "{text}");
        }
        if command.contains("prices:calculate") {
            let expected = if command.contains("codes") { ("Friends", -500) } else { ("Group", -250) };
            let step = &answer["adjustments"][0];
            assert_eq!(
                (&step["label"], &step["amount"]["amount"]),
                (&json!(expected.0), &json!(expected.1)),
                "{text}"
            );
        }
        if command.contains("/v1/reservations ") {
            assert_eq!(answer["reservation"]["total"]["amount"], 2_250, "{text}");
        }
        if command.contains("filter=") {
            assert_eq!(answer["issues"].as_array().unwrap().len(), 1, "{command}\n{text}");
        }
    }
    let [_, (_, issue), (_, event), ..] = &ids;
    assert!(!issue.is_empty() && !event.is_empty(), "the first steps make no issue, or no event");
    assert_eq!(crate::tracker::issue(&rest, issue).await["status"], "ASSIGNED");
}
