//! Every answer of REST and the OpenAPI document, compared with what is recorded in `recorded/`.
//!
//! Each row of the table of operations is called well and badly. Ids, times near now, tokens, secrets, etags and what
//! depends on how a plugin was compiled are matched by shape, everything else by value. `TESSERA_RECORD=1` writes the
//! files anew; their difference then belongs to the change that caused it.

mod calls;
mod difference;

use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use serde_json::{Map, Value, json};

use self::calls::{Call, calls};
use crate::harness::{Home, Host, Kind, Rest, TestTime};
use crate::operations::fixture::Fixture;
use crate::operations::shape::Shape;
use crate::operations::{Row, groups};
use crate::parity::CONCURRENT;

/// Headers that differ from call to call, are the same in all answers, or only describe the connection.
const UNRECORDED_HEADERS: [&str; 6] =
    ["date", "content-length", "x-request-id", "transfer-encoding", "connection", "x-content-type-options"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/recorded")
}

/// Writes a document, or compares it with the recorded one and returns the differences.
fn check(file: &str, document: &Value) -> Vec<String> {
    let path = folder().join(file);
    if std::env::var("TESSERA_RECORD").is_ok_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("{document:#}\n")).unwrap();
        return Vec::new();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{} cannot be read ({error}): record it with TESSERA_RECORD=1", path.display())
    });
    let recorded = serde_json::from_str(&text).unwrap();
    let differences = difference::between(&recorded, document);
    differences.into_iter().map(|line| format!("{file}: {line}")).collect()
}

#[track_caller]
fn assert_equal(differences: &[String]) {
    assert!(
        differences.is_empty(),
        "{} differences from the record (TESSERA_RECORD=1 writes it anew):\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_document_is_as_recorded() {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start(&home).await;
    let document = host.rest().get("/openapi.json").await.expect(200).clone();
    assert_equal(&check("openapi.json", &document));
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_answers_are_as_recorded() {
    let _time = TestTime::start();
    let groups = futures_util::stream::iter(groups());
    let groups =
        groups.map(|(group, rows)| tokio::spawn(answers_of(group, rows))).buffer_unordered(CONCURRENT);
    let mut differences = Vec::new();
    for found in groups.collect::<Vec<_>>().await {
        differences.extend(found.unwrap());
    }
    differences.sort();
    assert_equal(&differences);
}

/// Calls the operations of a group on a host of its own, and returns the differences from the record.
async fn answers_of(group: &'static str, rows: Vec<Row>) -> Vec<String> {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start_patient(&home).await;
    let rest = host.rest();
    let mut differences = Vec::new();
    for row in rows {
        let mut answers = Vec::new();
        let mut fixture = Fixture::new();
        for call in calls(&row) {
            if call.fresh && !answers.is_empty() {
                fixture = Fixture::new();
            }
            // The row's objects first, also where a call names fewer: a call without a body.
            fixture.prepare(&rest, &row.text()).await;
            fixture.prepare(&rest, &call.text()).await;
            answers.push(recorded(&rest, &call, &fixture).await);
        }
        let document = json!({"operation": row.id, "calls": answers});
        differences.extend(check(&format!("{group}/{}.json", row.id), &document));
    }
    differences
}

/// A call and its answer as they are recorded.
async fn recorded(rest: &Rest, call: &Call, fixture: &Fixture) -> Value {
    let objects = if call.absent { fixture.absent() } else { fixture.clone() };
    let objects = if call.malformed_ids { objects.malformed() } else { objects };
    let shape = Shape::across_builds(&objects);
    let response = call.request(rest, &objects).send().await.expect("the host does not answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let headers: Map<String, Value> = headers
        .iter()
        .filter(|(name, _)| !UNRECORDED_HEADERS.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), shape.header(name.as_str(), value.to_str().unwrap())))
        .collect();
    let media = headers.get("content-type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let body = if media.starts_with("text/event-stream") {
        json!("<stream>")
    } else {
        let bytes = response.bytes().await.unwrap();
        match serde_json::from_slice(&bytes) {
            Ok(body) => shape.of(&body),
            Err(_) if bytes.is_empty() => Value::Null,
            Err(_) => json!(format!("<{media}>")),
        }
    };
    let mut entry = json!({
        "call": call.name,
        "request": shape.of(&call.described()),
        "answer": {"status": status, "headers": headers},
    });
    assert!(call.name != "good" || status < 300, "{entry:#} {body:#}");
    if !body.is_null() {
        entry["answer"]["body"] = body;
    }
    entry
}
