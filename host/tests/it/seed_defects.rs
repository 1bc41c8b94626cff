//! Defects of the predecessor that Tessera does not have, shown with the messages of its clients.

use std::time::Duration;

use serde_json::{Value, json};
use tessera_proto::project::v1::project_service_client::ProjectServiceClient;
use tessera_proto::project::v1::{StreamProjectUpdatesRequest, StreamProjectUpdatesResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::harness::{Grpc, Home, Host, Kind};
use crate::operations::rpc;

async fn host(kind: Kind) -> (Home, Host, Grpc) {
    let home = Home::new(kind).await;
    let host = Host::start(&home).await;
    let grpc = host.grpc().await;
    (home, host, grpc)
}

async fn issues(grpc: &Grpc, rpc: &str, message: Value) -> Result<Value, Status> {
    rpc::call(grpc, &format!("issues.v1.IssuesService/{rpc}"), &message).await
}

async fn projects(grpc: &Grpc, rpc: &str, message: Value) -> Result<Value, Status> {
    rpc::call(grpc, &format!("project.v1.ProjectService/{rpc}"), &message).await
}

async fn project(grpc: &Grpc) -> String {
    let response = projects(grpc, "CreateProject", json!({"name": "P"})).await.unwrap();
    response["project"]["project_id"].as_str().unwrap().to_owned()
}

async fn create(grpc: &Grpc, project: &str, summary: &str) -> Result<Value, Status> {
    let message = json!({"summary": summary, "type": "BUG", "priority": "MAJOR", "project_id": project});
    issues(grpc, "CreateIssue", message).await
}

async fn issue(grpc: &Grpc, project: &str) -> String {
    create(grpc, project, "It loses oil").await.unwrap()["issue"]["issue_id"].as_str().unwrap().to_owned()
}

async fn update(grpc: &Grpc, issue: &str, change: Value) -> Result<Value, Status> {
    let mut message = change;
    message["issue_id"] = json!(issue);
    issues(grpc, "UpdateIssue", message).await
}

async fn count(grpc: &Grpc, project: &str) -> u64 {
    let project = projects(grpc, "GetProject", json!({"project_id": project})).await.unwrap();
    project["project"]["issue_count"].as_u64().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn list_includes_the_latest_write() {
    let (_home, _host, grpc) = host(Kind::Memory).await;
    let project = project(&grpc).await;
    for n in 1..=20 {
        let summary = format!("Issue {n}");
        create(&grpc, &project, &summary).await.unwrap();
        let listed = issues(&grpc, "ListIssues", json!({})).await.unwrap();
        let listed = listed["issues"].as_array().unwrap();
        assert_eq!((listed.len(), &listed[0]["summary"]), (n, &json!(summary)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_issue_is_not_found() {
    let (_home, _host, grpc) = host(Kind::Memory).await;
    let absent = json!({"issue_id": uuid::Uuid::now_v7().to_string()});
    for rpc in ["GetIssue", "DeleteIssue"] {
        assert_eq!(issues(&grpc, rpc, absent.clone()).await.unwrap_err().code(), Code::NotFound, "{rpc}");
    }
    let absent = absent["issue_id"].as_str().unwrap();
    assert_eq!(
        update(&grpc, absent, json!({"status": "ASSIGNED"})).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_not_open_is_a_failed_precondition() {
    let (_home, _host, grpc) = host(Kind::Memory).await;
    let issue = issue(&grpc, &project(&grpc).await).await;
    let refused =
        update(&grpc, &issue, json!({"status": "CLOSED", "resolution": "FIXED"})).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("NEW cannot become CLOSED; open: ASSIGNED"), "{}", refused.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_can_be_reopened_and_loses_its_resolution() {
    let (_home, _host, grpc) = host(Kind::Memory).await;
    let issue = issue(&grpc, &project(&grpc).await).await;
    update(&grpc, &issue, json!({"status": "ASSIGNED"})).await.unwrap();
    let refused = update(&grpc, &issue, json!({"status": "RESOLVED"})).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "a resolution is needed: {refused:?}");
    let resolved = update(&grpc, &issue, json!({"status": "RESOLVED", "resolution": "FIXED"})).await.unwrap();
    assert_eq!(resolved["issue"]["resolution"], "FIXED");
    let reopened = update(&grpc, &issue, json!({"status": "REOPENED"})).await.unwrap();
    assert_eq!(
        (&reopened["issue"]["status"], &reopened["issue"]["resolution"]),
        (&json!("REOPENED"), &Value::Null)
    );
    update(&grpc, &issue, json!({"status": "IN_PROGRESS"})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_to_the_same_state_changes_nothing() {
    let (_home, _host, grpc) = host(Kind::Memory).await;
    let issue = issue(&grpc, &project(&grpc).await).await;
    let same = update(&grpc, &issue, json!({"status": "NEW"})).await.unwrap();
    assert_eq!((&same["issue"]["etag"], &same["issue"]["status"]), (&json!("1"), &json!("NEW")));
}

#[tokio::test(flavor = "multi_thread")]
async fn assigning_a_new_issue_makes_it_assigned() {
    let (_home, host, grpc) = host(Kind::Memory).await;
    let user = host.rest().user("ada@example.com").await;
    let issue = issue(&grpc, &project(&grpc).await).await;
    let assigned = update(&grpc, &issue, json!({"assignee_id": user})).await.unwrap();
    assert_eq!(
        (&assigned["issue"]["status"], &assigned["issue"]["assignee_id"]),
        (&json!("ASSIGNED"), &json!(user))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_an_issue_with_an_assignee_makes_it_assigned() {
    let (_home, host, grpc) = host(Kind::Memory).await;
    let user = host.rest().user("ada@example.com").await;
    let project = project(&grpc).await;
    let body = json!({
        "summary": "s", "description": "d", "type": "BUG", "priority": "MINOR", "project_id": project,
        "assignee_id": user,
    });
    let created = issues(&grpc, "CreateIssue", body).await.unwrap();
    assert_eq!(
        (&created["issue"]["status"], &created["issue"]["assignee_id"], &created["issue"]["etag"]),
        (&json!("ASSIGNED"), &json!(user), &json!("1"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_are_kept() {
    let (_home, _host, grpc) = host(Kind::Memory).await;
    let issue = issue(&grpc, &project(&grpc).await).await;
    let get = async || issues(&grpc, "GetIssue", json!({"issue_id": issue})).await.unwrap()["issue"].clone();
    let before = get().await;
    assert!(
        before["create_date"].is_string() && before["create_date"] == before["modify_date"],
        "{before:#}"
    );
    update(&grpc, &issue, json!({"summary": "Other"})).await.unwrap();
    let changed = get().await;
    assert_eq!(changed["create_date"], before["create_date"]);
    assert!(changed["modify_date"].as_str() > before["modify_date"].as_str(), "{changed:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn page_sizes_are_coerced() {
    let (_home, _host, grpc) = host(Kind::Memory).await;
    let project = project(&grpc).await;
    for n in 0..60 {
        create(&grpc, &project, &format!("Issue {n}")).await.unwrap();
    }
    for (size, expected) in [(0, 50), (7, 7), (100_000, 60)] {
        let listed = issues(&grpc, "ListIssues", json!({"page_size": size})).await.unwrap();
        assert_eq!(listed["issues"].as_array().unwrap().len(), expected, "{size}");
    }
    let refused = issues(&grpc, "ListIssues", json!({"page_size": -1})).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_moves_between_projects_and_both_counts_are_exact() {
    let (_home, _host, grpc) = host(Kind::Memory).await;
    let (from, to) = (project(&grpc).await, project(&grpc).await);
    let issue = issue(&grpc, &from).await;
    let message = json!({"project_id": to, "issue_id": issue});
    for _ in 0..2 {
        let moved = projects(&grpc, "UpdateProjectWithIssue", message.clone()).await.unwrap();
        assert_eq!((&moved["project_id"], &moved["issue_count"]), (&json!(to), &json!(1)));
    }
    assert_eq!((count(&grpc, &from).await, count(&grpc, &to).await), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_production_host_in_memory_creates_its_first_issue() {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start_with(&home, &[("ENVIRONMENT", "production")]).await;
    let grpc = host.grpc().await;
    issue(&grpc, &project(&grpc).await).await;
}

async fn counts_are_exact(kind: Kind) {
    let (_home, _host, grpc) = host(kind).await;
    let project = project(&grpc).await;
    let tasks = (0..200).map(|n| {
        let (grpc, project) = (grpc.clone(), project.clone());
        tokio::spawn(async move { create(&grpc, &project, &format!("Issue {n}")).await.unwrap() })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut ids = Vec::new();
    for one in tasks {
        ids.push(one.await.unwrap()["issue"]["issue_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(count(&grpc, &project).await, 200);
    let changed = ids.into_iter().enumerate().map(|(n, id)| {
        let (grpc, project) = (grpc.clone(), project.clone());
        tokio::spawn(async move {
            if n % 2 == 0 {
                issues(&grpc, "DeleteIssue", json!({"issue_id": id})).await.unwrap();
            } else if n % 4 == 1 {
                create(&grpc, &project, "More").await.unwrap();
            }
        })
    });
    for one in changed.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert_eq!(count(&grpc, &project).await, 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_exact_under_200_at_once_on_sqlite() {
    counts_are_exact(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_exact_under_200_at_once_in_memory() {
    counts_are_exact(Kind::Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_exact_under_200_at_once_on_postgres() {
    counts_are_exact(Kind::Postgres).await;
}

struct Follower {
    requests: mpsc::Sender<StreamProjectUpdatesRequest>,
    updates: Streaming<StreamProjectUpdatesResponse>,
}

impl Follower {
    async fn new(grpc: &Grpc) -> Self {
        let (requests, receiver) = mpsc::channel(4);
        let mut client = ProjectServiceClient::with_interceptor(grpc.channel.clone(), grpc.clone());
        let updates =
            client.stream_project_updates(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        Self { requests, updates }
    }

    async fn send(&mut self, project: &str, action: &str) -> (String, i32) {
        let request =
            StreamProjectUpdatesRequest { project_id: project.to_owned(), action: action.to_owned() };
        self.requests.send(request).await.unwrap();
        self.next().await
    }

    async fn next(&mut self) -> (String, i32) {
        let update = tokio::time::timeout(Duration::from_secs(10), self.updates.message()).await;
        let update = update.expect("no update arrives").unwrap().unwrap();
        (update.project_id, update.issue_count)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriber_is_notified_and_leaving_affects_no_other() {
    let (_home, host, grpc) = host(Kind::Memory).await;
    let project = project(&grpc).await;
    let (mut stays, mut leaves) = (Follower::new(&grpc).await, Follower::new(&grpc).await);
    for follower in [&mut stays, &mut leaves] {
        assert_eq!(follower.send(&project, "subscribe").await, (project.clone(), 0));
    }
    drop(leaves);
    issue(&grpc, &project).await;
    assert_eq!(stays.next().await, (project.clone(), 1));
    assert_eq!(stays.send(&project, "update").await, (project.clone(), 1), "an update request adds nothing");
    issue(&grpc, &project).await;
    assert_eq!(stays.next().await, (project.clone(), 2));
    host.rest().get("/livez").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn predecessor_paths_still_work() {
    let (_home, host, grpc) = host(Kind::Memory).await;
    let (rest, project) = (host.rest(), project(&grpc).await);
    let body =
        json!({"project_id": project, "summary": "By the old path", "type": "BUG", "priority": "MINOR"});
    let answer = rest.post("/api/v1/issues", body).await;
    let id = answer.expect(201)["issue"]["issue_id"].as_str().unwrap().to_owned();
    let old = rest.get(&format!("/api/v1/issues/{id}?include_details=true")).await;
    assert_eq!(old.expect(200)["project_info"]["project_id"], json!(project));
    assert_eq!(rest.get(&format!("/v1/issues/{id}")).await.expect(200)["issue"], old.body["issue"]);
    assert_eq!(rest.get("/api/v1/issues").await.expect(200)["issues"].as_array().unwrap().len(), 1);
}
