//! Plugins that use all that a call may use, with long names, costly schemas and many timers.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::json;
use tessera_proto::issues::v1::CreateIssueRequest;
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use wasmparser::{Parser, Payload};

use super::{Attack, Outcome, size};
use crate::harness::{Grpc, Rest};
use crate::plugins::{component, install_hostile, leb128, section, upload, versioned, without_pricing};

/// Calls and issues at once.
const CONCURRENT: usize = 32;

/// The longest time until all timers that are due have fired.
const MAX_BACKLOG: Duration = Duration::from_secs(120);

/// Acts of the hostile plugin, with their amounts.
const ACTS: [(&str, u64); 8] = [
    ("spin", 0),
    ("recurse", 0),
    ("grow-memory", 100_000),
    ("huge-output", 64 << 20),
    ("huge-list", 1_000_000),
    ("flood-log", 1_000_000),
    ("flood-lookups", 1_000_000),
    ("trap", 0),
];

/// The settings schema of the plugin `required-fields`, in the place of which components get others.
const SCHEMA: &str = include_str!("../../../../../plugins/required-fields/src/settings.json");

/// A schema with an escaped reference, which once led to a circle.
const CIRCLE: &str = r##"{"%24defs":{"a":{}},"$defs":{"a":{"allOf":[{"$ref":"#/%24defs/a"},{"$ref":"#/%24defs/a"}]}},"$ref":"#/%24defs/a"}"##;

/// Creates issues with timers that are due in an hour; returns the path of the installation.
pub async fn set_timers(rest: &Rest, grpc: &Grpc) -> String {
    let project = rest.project("Timers").await;
    let how = json!({"settings": {"act": "timer", "amount": 60}, "project_id": project});
    let installed = install_hostile(rest, how).await;
    let client = IssuesServiceClient::with_interceptor(grpc.channel.clone(), grpc.clone());
    let issue =
        CreateIssueRequest { project_id: project, summary: "s".into(), ..CreateIssueRequest::default() };
    let create = |_| {
        let (mut client, issue) = (client.clone(), issue.clone());
        async move {
            client.create_issue(issue).await.unwrap();
        }
    };
    stream::iter(0..size(40, 6_000)).for_each_concurrent(CONCURRENT, create).await;
    format!("/v1/installations/{}", installed["installation_id"].as_str().unwrap())
}

/// Waits until all timers of an installation have fired, which were due together.
pub async fn due_timers(attack: &Attack<'_>, installation: &str) -> Outcome {
    let begin = Instant::now();
    while begin.elapsed() < MAX_BACKLOG {
        let timers = attack.rest.get(&format!("{installation}/timers?page_size=1")).await;
        if timers.expect(200)["timers"] == json!([]) {
            return Ok(format!("{} fired in {:.1?}", size(40, 6_000), begin.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("timers are due since {MAX_BACKLOG:?}"))
}

/// Calls a plugin that uses all that it can.
pub async fn calls(attack: &Attack<'_>) -> Outcome {
    let release = upload(&attack.rest, component("hostile")).await;
    let path = format!("/v1/releases/{}:test", release["digest"].as_str().unwrap());
    let input =
        json!({"operation": "create", "subject": {"kind": "issue", "id": "1", "fields": {"summary": "s"}}});
    let (path, input) = (path.as_str(), &input);
    let calls = (0..size(2, 125)).flat_map(|_| ACTS).map(|(act, amount)| {
        let settings = json!({"act": act, "amount": amount});
        let body = json!({"function": "validate", "settings": settings, "input": input});
        async move { (act, attack.rest.post(path, body).await) }
    });
    let mut answers = stream::iter(calls).buffer_unordered(CONCURRENT);
    let (mut failed, mut busy) = (0, 0);
    while let Some((act, answer)) = answers.next().await {
        match answer.status.as_u16() {
            200 if answer.body["reply"].is_null() => failed += 1,
            503 => busy += 1,
            status => {
                let body = answer.body.to_string();
                return Err(format!("{act}: {status} {body:.200}"));
            }
        }
    }
    Ok(format!("{failed} failed, {busy} without a place"))
}

/// Traps in a plugin whose functions have names of thousands of bytes.
pub async fn backtraces(attack: &Attack<'_>) -> Outcome {
    let component = with_long_names(&versioned(&without_pricing(&component("hostile")), "1.0.2"));
    let project = attack.rest.project("Backtraces").await;
    let release = upload(&attack.rest, component).await;
    let settings = json!({"act": "deep-trap", "amount": 30});
    let body = json!({"release": {"digest": release["digest"]}, "settings": settings, "project_id": project});
    attack.rest.post("/v1/installations", body).await.expect(201);
    let count = size(4, 200);
    for _ in 0..count {
        let body = json!({"project_id": project, "summary": "s"});
        let answer = attack.rest.post("/v1/issues", body).await;
        if answer.body["code"] != "PLUGIN_TRAPPED" {
            return Err(format!("{}: {}", answer.status, answer.body));
        }
    }
    Ok(format!("{count} trapped"))
}

/// Returns the component with long names for the functions of its first core module.
fn with_long_names(component: &[u8]) -> Vec<u8> {
    let mut payloads = Parser::new(0).parse_all(component).map(Result::unwrap);
    let module = payloads.find_map(|payload| match payload {
        Payload::ModuleSection { unchecked_range, .. } => Some(unchecked_range),
        _ => None,
    });
    let module = module.unwrap();
    let (functions, name) = (1_000, [b'n'; 3_000]);
    let mut names = leb128(functions);
    for n in 0..functions {
        names.extend([leb128(n), leb128(name.len()), name.to_vec()].concat());
    }
    let names = section(0, &[&b"\x04name"[..], &section(1, &names)].concat());
    let named = section(1, &[&component[module.clone()], &names].concat());
    let begin = module.start - 1 - leb128(module.len()).len();
    assert_eq!(component[begin], 1, "no section of a core module");
    [&component[..begin], &named, &component[module.end..]].concat()
}

/// Uploads schemas that are costly to compile, and checks settings by one that is costly to evaluate.
pub async fn schemas(attack: &Attack<'_>) -> Outcome {
    let count = size(2, 20);
    for _ in 0..count {
        let answer = attack.upload(with_schema(CIRCLE, "4.0.0")).await;
        if answer.body["code"] != "MANIFEST_INVALID" {
            return Err(format!("{}: {}", answer.status, answer.body));
        }
    }
    let options = vec![json!({"type": "string", "minLength": 9}); 12];
    let wide = json!({"properties": {"a": {"items": {"anyOf": options}}}}).to_string();
    let release = upload(&attack.rest, with_schema(&wide, "4.0.1")).await;
    let settings = json!({"a": vec![1; 90_000]});
    let body =
        json!({"release": {"digest": release["digest"]}, "settings": settings, "project_id": attack.project});
    let refused = |_: usize| attack.rest.post("/v1/installations", body.clone());
    let mut answers = stream::iter(0..count * 4).map(refused).buffer_unordered(CONCURRENT);
    while let Some(answer) = answers.next().await {
        if !matches!(answer.status.as_u16(), 422 | 503) {
            let body = answer.body.to_string();
            return Err(format!("{}: {body:.200}", answer.status));
        }
    }
    Ok(format!("{count} schemas and {} settings refused", count * 4))
}

/// Returns the plugin `required-fields` in a version with another schema.
fn with_schema(schema: &str, version: &str) -> Vec<u8> {
    let mut component = versioned(&component("required-fields"), version);
    let at = component.windows(SCHEMA.len()).position(|window| window == SCHEMA.as_bytes());
    let at = at.expect("the schema is in the component");
    component[at..at + SCHEMA.len()].fill(b' ');
    component[at..at + schema.len()].copy_from_slice(schema.as_bytes());
    component
}
