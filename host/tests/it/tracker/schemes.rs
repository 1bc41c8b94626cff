//! Custom schemes of projects: types, priorities, resolutions, states, transitions and fields.

use serde_json::{Value, json};
use tessera_proto::common::v1::{self as common, value::Kind as ValueKind};
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tessera_proto::issues::v1::{CreateIssueRequest, GetIssueRequest, UpdateIssueRequest};
use tessera_proto::project::v1::GetSchemeRequest;
use tessera_proto::project::v1::project_service_client::ProjectServiceClient;

use super::{done, faults, issue, memory, on, on_every_store};
use crate::harness::{Kind, Rest, scheme_with};

on_every_store! { scheme_without_used_values_is_refused_with_counts }

fn scheme() -> Value {
    scheme_with(json!({
        "initial": "TODO",
        "states": [
            {"name": "TODO", "category": "open", "attributes": {"colour": "grey", "rank": 1}},
            {"name": "DOING", "category": "active"},
            {"name": "REVIEW", "category": "active"},
            {"name": "DONE", "category": "done"},
        ],
        "transitions": [
            {"name": "start", "from": ["TODO"], "to": "DOING"},
            {"name": "review", "from": ["DOING"], "to": "REVIEW", "requires": ["assignee_id"]},
            {"name": "finish", "from": ["REVIEW"], "to": "DONE", "requires": ["resolution", "fields.points"]},
            {"name": "back", "from": [], "to": "TODO"},
        ],
        "on_assign": {"from": "TODO", "to": "DOING"},
    }))
}

async fn project_with(rest: &Rest, name: &str, scheme: Value) -> String {
    let project = rest.project(name).await;
    done(&rest.put(&format!("/v1/projects/{project}/scheme"), scheme).await);
    project
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_begins_with_the_built_in_scheme_and_goes_back_to_it() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    let path = format!("/v1/projects/{project}/scheme");
    let built_in = rest.get(&path).await.expect(200)["scheme"].clone();
    assert_eq!(built_in["built_in"], true);
    assert_eq!(built_in["types"], json!(["COSMETIC", "BUG", "FEATURE", "PERFORMANCE"]));
    assert_eq!(built_in["priorities"], json!(["CRITICAL", "MAJOR", "IMPORTANT", "MINOR"]));
    assert_eq!(built_in["resolutions"], json!(["FIXED", "INVALID", "WONTFIX", "WORKSFORME"]));
    assert_eq!(built_in["machine"]["states"].as_array().unwrap().len(), 6);

    let own = done(&rest.put(&path, scheme()).await)["scheme"].clone();
    assert_eq!((own["built_in"].clone(), own["machine"]["initial"].clone()), (json!(false), json!("TODO")));
    let answer = rest.get(&format!("/v1/projects/{project}")).await;
    assert_eq!(answer.expect(200)["project"]["custom_scheme"], true);
    // A scheme can be written back as it was read.
    let etag = rest.get(&path).await.headers["etag"].clone();
    assert_eq!(rest.put(&path, own).await.headers["etag"], etag, "nothing changed, so the version stays");

    let mut grpc = ProjectServiceClient::with_interceptor(host.grpc().await.channel, host.grpc().await);
    let request = GetSchemeRequest { project_id: project.clone() };
    let grpc_scheme = grpc.get_scheme(request).await.unwrap().into_inner().scheme.unwrap();
    assert_eq!((grpc_scheme.types.len(), grpc_scheme.fields.len(), grpc_scheme.built_in), (2, 6, false));
    let machine = grpc_scheme.machine.unwrap();
    assert_eq!(machine.states[0].attributes.len(), 2);
    assert_eq!((machine.transitions.len(), machine.on_assign.unwrap().to), (4, "DOING".to_owned()));

    assert_eq!(rest.delete(&path).await.expect(200)["scheme"]["built_in"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_machine_moves_issues_and_requires_its_fields() {
    let (_home, _host, rest) = memory().await;
    let project = project_with(&rest, "P", scheme()).await;
    let user = rest.user("ada@example.com").await;

    let bare = rest.post("/v1/issues", json!({"project_id": project, "summary": "s"})).await;
    assert_eq!(faults(&bare), ["fields.team"]);
    let body = json!({"project_id": project, "summary": "s", "fields": {"team": "red"}});
    let issue = rest.post("/v1/issues", body).await.expect(201)["issue"].clone();
    assert_eq!(issue["status"], "TODO");
    assert_eq!((issue["type"].clone(), issue["priority"].clone()), (json!("STORY"), json!("LOW")));
    let id = issue["issue_id"].as_str().unwrap();
    let path = format!("/v1/issues/{id}:transition");
    let move_ = |body: Value| rest.post(&path, body);

    // Built-in states are unknown here, and known states may be unreachable.
    assert_eq!(faults(&move_(json!({"status": "IN_PROGRESS"})).await), ["status"]);
    assert_eq!(move_(json!({"status": "DONE"})).await.code(409), "TRANSITION_NOT_ALLOWED");
    assert_eq!(move_(json!({"transition": "finish"})).await.code(409), "TRANSITION_NOT_ALLOWED");

    done(&move_(json!({"transition": "start"})).await);
    let open = rest.get(&format!("/v1/issues/{id}/transitions")).await.expect(200)["transitions"].clone();
    let review = open.as_array().unwrap().iter().find(|move_| move_["name"] == "review").unwrap().clone();
    assert_eq!((review["to"].clone(), review["open"].clone()), (json!("REVIEW"), json!(false)));
    assert_eq!(review["missing"], json!(["assignee_id"]));
    let back = open.as_array().unwrap().iter().find(|move_| move_["name"] == "back").unwrap();
    assert_eq!(back["open"], true, "a move from any state is open in every state");
    assert_eq!(open.as_array().unwrap().len(), 2);

    assert_eq!(faults(&move_(json!({"transition": "review"})).await), ["assignee_id"]);
    done(&rest.post(&format!("/v1/issues/{id}:assign"), json!({"assignee_id": user})).await);
    done(&move_(json!({"transition": "review"})).await);
    assert!(faults(&move_(json!({"transition": "finish"})).await).contains(&"resolution".to_owned()));
    assert_eq!(
        faults(&move_(json!({"transition": "finish", "resolution": "DONE"})).await),
        ["fields.points"]
    );
    let both = json!({"status": "DONE", "resolution": "DONE", "fields": {"points": 3}});
    let finished = done(&rest.patch(&format!("/v1/issues/{id}"), both).await)["issue"].clone();
    assert_eq!((finished["status"].clone(), finished["resolution"].clone()), (json!("DONE"), json!("DONE")));
    let again = done(&move_(json!({"transition": "back"})).await)["issue"].clone();
    assert_eq!((again["status"].clone(), again["resolution"].clone()), (json!("TODO"), Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn assigning_follows_the_projects_own_machine() {
    let (_home, _host, rest) = memory().await;
    let project = project_with(&rest, "P", scheme()).await;
    let user = rest.user("ada@example.com").await;
    let body = json!({"project_id": project, "summary": "s", "fields": {"team": "red"}});
    let answer = rest.post("/v1/issues", body).await;
    let id = answer.expect(201)["issue"]["issue_id"].as_str().unwrap();
    let assigned = rest.post(&format!("/v1/issues/{id}:assign"), json!({"assignee_id": user})).await;
    assert_eq!(done(&assigned)["issue"]["status"], "DOING");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_survive_both_transports() {
    let (_home, host, rest) = memory().await;
    let project = project_with(&rest, "P", scheme()).await;
    let fields = json!({
        "team": "blue", "points": -9_007_199_254_740_993_i64, "cost": {"decimal": "12.50"}, "urgent": false,
        "due": {"time": "2026-01-31T12:00:00Z"}, "tags": ["b", "a"],
    });
    let body = json!({"project_id": project, "summary": "s", "fields": fields});
    let created = rest.post("/v1/issues", body).await.expect(201)["issue"].clone();
    let id = created["issue_id"].as_str().unwrap().to_owned();
    assert_eq!(created["fields"], fields);
    assert_eq!(issue(&rest, &id).await["fields"], fields);

    let mut grpc = IssuesServiceClient::with_interceptor(host.grpc().await.channel, host.grpc().await);
    let get = GetIssueRequest { issue_id: id.clone(), include_details: false };
    let grpc_issue = grpc.get_issue(get).await.unwrap().into_inner().issue.unwrap();
    let field = |name: &str| grpc_issue.fields[name].kind.clone().unwrap();
    assert_eq!(field("team"), ValueKind::Text("blue".into()));
    assert_eq!(field("points"), ValueKind::Integer(-9_007_199_254_740_993));
    assert_eq!(field("cost"), ValueKind::Decimal("12.50".into()));
    assert_eq!(field("urgent"), ValueKind::Boolean(false));
    assert_eq!(field("due"), ValueKind::Time(prost_types::Timestamp { seconds: 1_769_860_800, nanos: 0 }));
    assert_eq!(field("tags"), ValueKind::Texts(common::Texts { values: vec!["b".into(), "a".into()] }));

    // Fields read over gRPC are written back unchanged and read over REST.
    let create = CreateIssueRequest {
        summary: "copy".into(),
        project_id: project,
        fields: grpc_issue.fields.clone(),
        ..CreateIssueRequest::default()
    };
    let copy = grpc.create_issue(create).await.unwrap().into_inner().issue.unwrap();
    assert_eq!(issue(&rest, &copy.issue_id).await["fields"], fields);
    // The type is not built in: the enum is unspecified, and the name is in the text field.
    assert_eq!((copy.r#type, copy.type_name.as_str()), (0, "STORY"));

    // Fields are merged by name; an unset value removes the field.
    let changes = [
        ("points".to_owned(), common::Value { kind: Some(ValueKind::Integer(5)) }),
        ("cost".to_owned(), common::Value { kind: None }),
    ];
    let update =
        UpdateIssueRequest { issue_id: id.clone(), fields: changes.into(), ..UpdateIssueRequest::default() };
    grpc.update_issue(update).await.unwrap();
    let after = issue(&rest, &id).await["fields"].clone();
    assert_eq!((after["points"].clone(), after.get("cost").is_none()), (json!(5), true));
    assert_eq!(after["tags"], json!(["b", "a"]));
    done(&rest.patch(&format!("/v1/issues/{id}"), json!({"fields": {"tags": null, "points": 6}})).await);
    let after = issue(&rest, &id).await["fields"].clone();
    assert_eq!((after["points"].clone(), after.get("tags").is_none()), (json!(6), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn mismatched_field_is_named() {
    let (_home, _host, rest) = memory().await;
    let project = project_with(&rest, "P", scheme()).await;
    for (name, value) in [
        ("team", json!("green")),
        ("team", json!(1)),
        ("points", json!("3")),
        ("points", json!(1.5)),
        ("cost", json!("12.50")),
        ("cost", json!({"decimal": "a lot"})),
        ("urgent", json!("yes")),
        ("due", json!("2026-01-31T12:00:00Z")),
        ("due", json!({"time": "soon"})),
        ("tags", json!(["a", "c"])),
        ("tags", json!([1])),
        ("unknown", json!("x")),
    ] {
        let mut fields = json!({"team": "red"});
        fields[name] = value.clone();
        let body = json!({"project_id": project, "summary": "s", "fields": fields});
        let refused = rest.post("/v1/issues", body).await;
        let at = faults(&refused);
        assert_eq!(at, [format!("fields.{name}")], "{name}: {value}");
    }
}

async fn scheme_without_used_values_is_refused_with_counts(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let project = rest.project("P").await;
    for _ in 0..3 {
        rest.issue(&project, "s").await;
    }
    let path = format!("/v1/projects/{project}/scheme");
    let refused = rest.put(&path, scheme()).await;
    assert_eq!(refused.code(422), "SCHEME_IN_USE");
    let violations = refused.body["violations"].as_array().unwrap().to_vec();
    let of =
        |field: &str| violations.iter().find(|fault| fault["field"] == field).unwrap()["message"].clone();
    for (field, name) in [("machine.states", "NEW"), ("types", "BUG"), ("priorities", "MINOR")] {
        let message = of(field).as_str().unwrap().to_owned();
        assert!(message.contains(name) && message.contains("3 issues"), "{message}");
    }
    // A scheme with the used values is accepted, and its removal is checked in the same way.
    let mut wide = scheme();
    wide["types"] = json!(["STORY", "CHORE", "BUG"]);
    wide["priorities"] = json!(["HIGH", "LOW", "MINOR"]);
    wide["machine"]["states"].as_array_mut().unwrap().push(json!({"name": "NEW", "category": "open"}));
    done(&rest.put(&path, wide).await);
    let story = json!({"project_id": project, "summary": "s", "type": "STORY", "fields": {"team": "red"}});
    rest.post("/v1/issues", story).await.expect(201);
    let refused = rest.delete(&path).await;
    assert_eq!(refused.code(422), "SCHEME_IN_USE");
    assert!(refused.body["violations"].to_string().contains("1 issue has it"), "{:#}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_of_a_scheme_are_reported() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let mut bad = scheme();
    bad["default_type"] = json!("EPIC");
    bad["types"] = json!(["STORY", "STORY"]);
    bad["machine"]["initial"] = json!("NOWHERE");
    bad["machine"]["transitions"][0]["to"] = json!("NOWHERE");
    bad["machine"]["transitions"][1]["requires"] = json!(["fields.absent"]);
    bad["machine"]["states"][0]["attributes"] = json!({"text": "x".repeat(1_025)});
    bad["machine"]["states"][1]["attributes"] = json!({"text": "a\u{7}b"});
    bad["fields"][1]["options"] = json!(["1"]);
    let refused = rest.put(&format!("/v1/projects/{project}/scheme"), bad).await;
    let at = faults(&refused);
    for field in [
        "default_type",
        "types[1]",
        "machine.initial",
        "machine.transitions[0].to",
        "machine.transitions[1].requires",
        "machine.states[0].attributes.text",
        "machine.states[1].attributes.text",
        "fields[1].options",
    ] {
        assert!(at.contains(&field.to_owned()), "{field} is not among {at:?}");
    }
    let answer = rest.get(&format!("/v1/projects/{project}/scheme")).await;
    assert_eq!(answer.expect(200)["scheme"]["built_in"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_match_custom_fields_by_text() {
    let (_home, _host, rest) = memory().await;
    let project = project_with(&rest, "P", scheme()).await;
    let mut ids = Vec::new();
    for (team, points) in [("red", 1), ("blue", 2), ("blue", 3)] {
        let body = json!({"project_id": project, "summary": "s", "fields": {"team": team, "points": points}});
        let issue = rest.post("/v1/issues", body).await;
        ids.push(issue.expect(201)["issue"]["issue_id"].as_str().unwrap().to_owned());
    }
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(super::found(&rest, "field.team:blue").await), sorted(ids[1..].to_vec()));
    assert_eq!(super::found(&rest, "field.points:2").await, [ids[1].clone()]);
    assert_eq!(super::found(&rest, "-field.team:blue").await, [ids[0].clone()]);
    assert_eq!(
        sorted(super::found(&rest, "field.points:1,3").await),
        sorted(vec![ids[0].clone(), ids[2].clone()])
    );
}
