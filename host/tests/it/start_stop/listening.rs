//! Ports of a host, and the protocols on them.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;
use tessera_proto::facts::v1 as facts;
use tessera_proto::issues::v1 as issues;
use tessera_proto::plugin::v1 as plugin;
use tessera_proto::project::v1 as project;
use tessera_proto::tenancy::v1 as tenancy;
use tessera_proto::tenancy::v1::WhoAmIRequest;
use tessera_proto::tenancy::v1::key_service_client::KeyServiceClient;
use tessera_proto::ticket::v1 as ticket;
use tessera_proto::user;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_stream::StreamExt as _;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{free_port, output_text, run};
use crate::harness::{Grpc, Home, Host, Kind, ROOT_KEY};
use crate::streams::client::socket;
use crate::tracker::{done, memory};

/// The full names of all services of the API.
fn services() -> BTreeSet<String> {
    let names = [
        facts::facts_service_server::SERVICE_NAME,
        issues::issues_service_server::SERVICE_NAME,
        project::project_service_server::SERVICE_NAME,
        plugin::plugin_service_server::SERVICE_NAME,
        tenancy::key_service_server::SERVICE_NAME,
        tenancy::tenant_service_server::SERVICE_NAME,
        ticket::booking_service_server::SERVICE_NAME,
        ticket::catalog_service_server::SERVICE_NAME,
        ticket::check_in_service_server::SERVICE_NAME,
        ticket::inventory_service_server::SERVICE_NAME,
        ticket::pricing_service_server::SERVICE_NAME,
        ticket::promotion_service_server::SERVICE_NAME,
        ticket::ticket_service_server::SERVICE_NAME,
        user::v1::user_service_server::SERVICE_NAME,
        user::v2::user_service_server::SERVICE_NAME,
    ];
    names.map(str::to_owned).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_transports_answer_on_one_port() {
    let home = Home::empty(Kind::Memory).await;
    let port = free_port().to_string();
    let host = Host::start_with(&home, &[("HTTP_PORT", &port), ("GRPC_PORT", &port)]).await;
    assert_eq!(host.http, format!("http://{}", host.grpc));
    done(&host.rest().get("/v1/me").await);
    assert_eq!(host.rest().get("/nowhere").await.code(404), "ROUTE_NOT_FOUND");
    who_am_i(host.grpc().await).await;
    let status = web(&host.grpc, Some(ROOT_KEY), "tenancy.v1.KeyService/WhoAmI");
    assert_eq!(status, Ok(()));
    let unknown = web(&host.grpc, Some(ROOT_KEY), "tenancy.v1.KeyService/Fly");
    assert_eq!(unknown, Err("12".to_owned()));
    health_of(&host).await;
}

async fn who_am_i(grpc: Grpc) {
    let mut client = KeyServiceClient::with_interceptor(grpc.channel.clone(), grpc);
    let me = client.who_am_i(WhoAmIRequest {}).await.unwrap().into_inner();
    assert_eq!((me.tenant_slug.as_str(), me.key_id.as_str()), ("default", "root"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probes_answer_without_a_key() {
    let (_home, host, rest) = memory().await;
    let nobody = rest.with_key(None);
    done(&nobody.get("/livez").await);
    assert_eq!(nobody.get("/readyz").await.expect(200)["status"], "ok");
    let health = nobody.get("/health").await;
    assert_eq!(health.expect(200)["status"], "ok");
    let names: Vec<_> =
        health.body["checks"].as_array().unwrap().iter().map(|check| check["name"].clone()).collect();
    assert!(names.contains(&json!("store")), "{names:?}");
    health_of(&host).await;
}

async fn health_of(host: &Host) {
    let mut client = HealthClient::new(host.grpc().await.channel);
    for service in services().into_iter().chain([String::new()]) {
        let answer = client.check(HealthCheckRequest { service: service.clone() }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "{service}");
    }
    let unknown = client.check(HealthCheckRequest { service: "no.such.Service".into() }).await.unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound);
}

macro_rules! reflection {
    ($name:ident, $version:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            use tonic_reflection::pb::$version::ServerReflectionRequest;
            use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
            use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
            use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;

            let (_home, host, _rest) = memory().await;
            let mut client = ServerReflectionClient::new(host.grpc().await.channel);
            let request = |message: MessageRequest| ServerReflectionRequest {
                host: String::new(),
                message_request: Some(message),
            };
            let mut requests = vec![request(MessageRequest::ListServices(String::new()))];
            let known = services();
            requests
                .extend(known.iter().map(|name| request(MessageRequest::FileContainingSymbol(name.clone()))));
            let mut answers =
                client.server_reflection_info(tokio_stream::iter(requests)).await.unwrap().into_inner();
            let first = answers.next().await.unwrap().unwrap().message_response.unwrap();
            let MessageResponse::ListServicesResponse(list) = first else { panic!("{first:?}") };
            let listed: BTreeSet<_> = list.service.into_iter().map(|service| service.name).collect();
            assert!(listed.contains("grpc.health.v1.Health"), "{listed:?}");
            let ours: BTreeSet<_> = listed.into_iter().filter(|name| !name.starts_with("grpc.")).collect();
            assert_eq!(ours, known);
            for name in &known {
                let answer = answers.next().await.unwrap().unwrap().message_response.unwrap();
                let MessageResponse::FileDescriptorResponse(file) = answer else {
                    panic!("{name}: {answer:?}")
                };
                assert!(!file.file_descriptor_proto.is_empty());
            }
        }
    };
}

reflection!(reflection_lists_and_describes_every_service, v1);
reflection!(reflection_does_so_in_its_older_version, v1alpha);

/// Calls a method by gRPC-Web over HTTP/1.1; the error is the status if it is not 0.
fn web(address: &str, key: Option<&str>, method: &str) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let authorization = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
    let head = format!(
        "POST /{method} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/grpc-web+proto\r\n\
         x-grpc-web: 1\r\n{authorization}content-length: 5\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&[0; 5]).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(text.starts_with("http/1.1 200"), "{text}");
    assert!(text.contains("content-type: application/grpc-web"), "{text}");
    let (_, status) = text.rsplit_once("grpc-status:").unwrap_or_else(|| panic!("no status in {text}"));
    let status: String = status.trim_start().chars().take_while(char::is_ascii_digit).collect();
    if status == "0" { Ok(()) } else { Err(status) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_calls_by_grpc_web_on_the_port_of_grpc() {
    let (_home, host, _rest) = memory().await;
    assert_eq!(web(&host.grpc, Some(ROOT_KEY), "tenancy.v1.KeyService/WhoAmI"), Ok(()));
    assert_eq!(web(&host.grpc, None, "tenancy.v1.KeyService/WhoAmI"), Err("16".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn occupied_port_is_named() {
    let home = Home::empty(Kind::Memory).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for name in ["HTTP_PORT", "GRPC_PORT"] {
        let output = tokio::task::block_in_place(|| run(&home, &[], &[(name, &port)]));
        assert_eq!(output.status.code(), Some(1));
        let text = output_text(&output);
        assert!(text.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{text}");
        assert!(!text.contains("Tessera is ready"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_database_is_reported() {
    let home = Home::empty(Kind::Memory).await;
    // Bound but not listening: connections are refused, and the port stays reserved.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = silent.local_addr().unwrap().port();
    let url = format!("postgres://somebody:hunter2@127.0.0.1:{closed}/tessera");
    for arguments in [&[][..], &["migrate"]] {
        let settings = [("DATABASE_URL", url.as_str()), ("DB_TYPE", "postgres")];
        let output = tokio::task::block_in_place(|| run(&home, arguments, &settings));
        assert_eq!(output.status.code(), Some(1));
        let text = output_text(&output);
        assert!(text.contains("the store cannot be"), "{text}");
        assert!(text.to_lowercase().contains("refused"), "no cause: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_database_is_reported() {
    let home = Home::empty(Kind::Postgres).await;
    let url = format!("{}_absent", home.database_url().unwrap());
    let output = tokio::task::block_in_place(|| run(&home, &[], &[("DATABASE_URL", &url)]));
    assert_eq!(output.status.code(), Some(1));
    let text = output_text(&output);
    assert!(text.contains("the store cannot be") && text.contains("_absent\" does not exist"), "{text}");
    assert!(!text.contains(&url), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_data_folder_is_reported() {
    let home = Home::empty(Kind::Sqlite).await;
    let file = home.folder.join("file");
    std::fs::write(&file, "").unwrap();
    let inside = file.join("data").display().to_string();
    let output = tokio::task::block_in_place(|| run(&home, &[], &[("TESSERA_DATA_DIR", &inside)]));
    assert_eq!(output.status.code(), Some(1));
    assert!(output_text(&output).contains(&inside), "{}", output_text(&output));
}

/// Two addresses of this machine.
const HERE: [u8; 4] = [127, 0, 0, 1];
const ELSEWHERE: [u8; 4] = [127, 0, 0, 2];

/// Connects from an address. Returns the connection if a request on it gets a response.
async fn connect_from(source: [u8; 4], address: &str) -> Option<tokio::net::TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((source, 0))).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: host\r\n\r\n").await.ok()?;
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut byte)).await;
    matches!(read, Ok(Ok(1))).then_some(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn open_connections_are_limited_for_every_protocol() {
    let home = Home::empty(Kind::Memory).await;
    let settings = [("TESSERA_MAX_CONNECTIONS", "2"), ("TESSERA_MAX_CONNECTIONS_PER_ADDRESS", "2")];
    let host = Host::start_with(&home, &settings).await;
    let address = host.http.trim_start_matches("http://");
    let open = || async { socket(&host.rest(), "/v1/streams/facts").await };
    let (one, _two) = (open().await.unwrap(), open().await.unwrap());
    assert!(connect_from(ELSEWHERE, address).await.is_none(), "a third connection is served");
    drop(one);
    assert!(connect_from(ELSEWHERE, address).await.is_some(), "a freed connection is not available");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_a_part_of_the_connections_of_both_listeners() {
    let home = Home::empty(Kind::Memory).await;
    let host = Host::start_with(&home, &[("TESSERA_MAX_CONNECTIONS", "8")]).await;
    let (http, grpc) = (host.http.trim_start_matches("http://"), host.grpc.as_str());
    let first = connect_from(HERE, http).await.unwrap();
    let _second = connect_from(HERE, grpc).await.unwrap();
    for address in [http, grpc] {
        assert!(connect_from(HERE, address).await.is_none(), "a third connection to {address} is served");
    }
    assert!(host.log().contains("its address has too many"), "{}", host.log());
    let _others =
        [connect_from(ELSEWHERE, http).await.unwrap(), connect_from(ELSEWHERE, grpc).await.unwrap()];
    drop(first);
    let end = Instant::now() + Duration::from_secs(20);
    while connect_from(HERE, http).await.is_none() {
        assert!(Instant::now() < end, "a freed connection is not available");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
