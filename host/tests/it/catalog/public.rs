//! Public reads without a key, and the choice of the tenant.

use serde_json::{Value, json};
use tessera_proto::ticket::v1::catalog_service_client::CatalogServiceClient;
use tessera_proto::ticket::v1::ticket_service_client::TicketServiceClient;
use tessera_proto::ticket::v1::{CreateSeriesRequest, GetEventByIdRequest, GetEventsRequest};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::{event, event_body, ticket_type};
use crate::harness::{Answer, Host, Kind, Rest};
use crate::tracker::{memory, on, on_every_store};

on_every_store! {
    draft_event_is_not_found_publicly
    public_requests_name_the_tenant_when_there_are_several
}

/// The titles of a list of events.
fn titles(answer: &Answer) -> Vec<&str> {
    let events = answer.expect(200)["events"].as_array().unwrap();
    events.iter().map(|event| event["title"].as_str().unwrap()).collect()
}

async fn with_header(rest: &Rest, header: (&str, &str), path: &str) -> Answer {
    rest.send(rest.request(reqwest::Method::GET, path).header(header.0, header.1)).await
}

/// Creates a tenant; returns a client with a key of its admin.
async fn tenant(rest: &Rest, slug: &str) -> Rest {
    rest.post("/v1/tenants", json!({"slug": slug, "name": slug})).await.expect(201);
    let key = json!({"name": "theirs", "roles": ["admin"], "tenant": slug});
    let key = rest.post("/v1/keys", key).await;
    rest.with_key(key.expect(201)["secret"].as_str())
}

/// A connection without a key; `name` is sent as the host.
async fn channel(host: &Host, name: Option<&str>) -> Channel {
    let mut endpoint = Endpoint::from_shared(format!("http://{}", host.grpc)).unwrap();
    if let Some(name) = name {
        endpoint = endpoint.origin(format!("http://{name}").parse().unwrap());
    }
    endpoint.connect().await.unwrap()
}

async fn titles_over_grpc(channel: &Channel, tenant: Option<&str>) -> Result<Vec<String>, Status> {
    let mut request = Request::new(GetEventsRequest::default());
    if let Some(tenant) = tenant {
        request.metadata_mut().insert("x-tenant", tenant.parse().unwrap());
    }
    let page = TicketServiceClient::new(channel.clone()).get_events(request).await?.into_inner();
    Ok(page.events.into_iter().map(|event| event.title).collect())
}

async fn draft_event_is_not_found_publicly(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let nobody = rest.with_key(None);
    let id = event(&rest, "Night", json!({"status": "draft"})).await;
    let ticket_type = ticket_type(&rest, &id, json!({"quantity": 5})).await;
    let path = format!("/v1/events/{id}");
    let paths = [
        path.clone(),
        format!("{path}/tickets"),
        format!("{path}/tickets/{ticket_type}"),
        format!("/v1/tickets/types/{ticket_type}"),
        format!("/v1/tickets/types?event_id={id}"),
    ];
    for path in &paths {
        assert!(nobody.get(path).await.code(404).ends_with("_NOT_FOUND"), "{path}");
        rest.get(path).await.expect(200);
    }
    assert!(titles(&nobody.get("/v1/events").await).is_empty());
    assert_eq!(nobody.get("/v1/events/categories").await.expect(200)["categories"], json!([]));
    let mut grpc = TicketServiceClient::new(channel(&host, None).await);
    let request = || GetEventByIdRequest { event_id: id.clone() };
    assert_eq!(grpc.get_event_by_id(request()).await.unwrap_err().code(), Code::NotFound);

    rest.patch(&path, json!({"status": "active"})).await.expect(200);
    for path in &paths {
        nobody.get(path).await.expect(200);
    }
    assert_eq!(titles(&nobody.get("/v1/events").await), ["Night"]);
    assert_eq!(grpc.get_event_by_id(request()).await.unwrap().into_inner().event.unwrap().title, "Night");
}

async fn public_requests_name_the_tenant_when_there_are_several(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    event(&rest, "Ours", json!({"status": "active"})).await;
    let nobody = rest.with_key(None);
    assert_eq!(titles(&nobody.get("/v1/events").await), ["Ours"], "there is only one tenant");
    let theirs = tenant(&rest, "acme").await;
    event(&theirs, "Theirs", json!({"status": "active"})).await;
    let acme = rest.get("/v1/tenants/acme").await.expect(200)["tenant"]["id"].as_str().unwrap().to_owned();

    let refused = nobody.get("/v1/events").await;
    assert_eq!(refused.code(401), "UNAUTHENTICATED");
    assert!(refused.body["detail"].as_str().unwrap().contains("X-Tenant"), "{:#}", refused.body);
    for (header, value, expected) in [
        ("x-tenant", "default", "Ours"),
        ("x-tenant", "acme", "Theirs"),
        ("x-tenant", &*acme, "Theirs"),
        ("host", "acme.tickets.example", "Theirs"),
        ("host", "Default.tickets.example:8080", "Ours"),
    ] {
        let answer = with_header(&nobody, (header, value), "/v1/events").await;
        assert_eq!(titles(&answer), [expected], "{header}: {value}");
    }
    for name in ["acme.example", "www.tickets.example", "acme", "127.0.0.1"] {
        let answer = with_header(&nobody, ("host", name), "/v1/events").await;
        assert_eq!(answer.code(401), "UNAUTHENTICATED", "{name}");
    }
    for name in ["nobody", ""] {
        let answer = with_header(&nobody, ("x-tenant", name), "/v1/events").await;
        assert_eq!(answer.code(404), "TENANT_NOT_FOUND", "{name:?}");
    }
    over_grpc(&host).await;
    assert_eq!(titles(&theirs.get("/v1/events").await), ["Theirs"], "a key names its tenant");

    rest.post("/v1/tenants/acme:suspend", Value::Null).await.expect(200);
    for header in [("x-tenant", "acme"), ("host", "acme.tickets.example")] {
        assert_eq!(with_header(&nobody, header, "/v1/events").await.code(404), "TENANT_NOT_FOUND");
    }
}

async fn over_grpc(host: &Host) {
    let plain = channel(host, None).await;
    let refused = titles_over_grpc(&plain, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("X-Tenant"), "{refused:?}");
    assert_eq!(titles_over_grpc(&plain, Some("acme")).await.unwrap(), ["Theirs"]);
    assert_eq!(titles_over_grpc(&plain, Some("default")).await.unwrap(), ["Ours"]);
    let unknown = titles_over_grpc(&plain, Some("nobody")).await.unwrap_err();
    assert_eq!(unknown.get_details_error_info().unwrap().reason, "TENANT_NOT_FOUND");
    let named = channel(host, Some("acme.tickets.example")).await;
    assert_eq!(titles_over_grpc(&named, None).await.unwrap(), ["Theirs"]);
    assert_eq!(
        titles_over_grpc(&named, Some("default")).await.unwrap(),
        ["Ours"],
        "`x-tenant` comes before the host name"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_key_reach_public_operations_only() {
    let (_home, host, rest) = memory().await;
    let nobody = rest.with_key(None);
    let id = event(&rest, "Night", json!({"status": "active"})).await;
    let path = format!("/v1/events/{id}");
    let body = event_body("Mine", &json!({}));
    for answer in [
        nobody.post("/v1/events", body.clone()).await,
        nobody.post("/events", body.clone()).await,
        nobody.put(&path, body).await,
        nobody.patch(&path, json!({"title": "Mine"})).await,
        nobody.delete(&path).await,
        nobody.post(&format!("{path}/tickets"), json!({"name": "Mine"})).await,
        with_header(&nobody, ("x-tenant", "default"), "/v1/projects").await,
        nobody.get("/v1/audit").await,
    ] {
        assert_eq!(answer.code(401), "UNAUTHENTICATED");
    }
    let wrong = rest.with_key(Some("tsk_root_ffffffffffffffffffffffffffffffff"));
    assert_eq!(wrong.get("/v1/events").await.code(401), "UNAUTHENTICATED", "a wrong key is not no key");
    let basic = with_header(&nobody, ("authorization", "Basic bm9ib2R5"), "/v1/events").await;
    assert_eq!(basic.code(401), "UNAUTHENTICATED");
    let mut grpc = CatalogServiceClient::new(channel(&host, None).await);
    let refused = grpc.create_series(CreateSeriesRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(titles(&nobody.get("/v1/events").await), ["Night"]);
}
