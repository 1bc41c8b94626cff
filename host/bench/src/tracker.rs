//! Getting, listing and creating issues, over REST and gRPC, on each store, at growing sizes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use prost::Message as _;
use serde_json::{Value, json};
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tessera_proto::issues::v1::{CreateIssueRequest, GetIssueRequest, ListIssuesRequest};
use tonic::transport::{Channel, Endpoint};

use crate::client::{RestClient, grpc_request, text_at};
use crate::floor::{self, CREATION, Kind};
use crate::load::{self, Measurement};
use crate::process::{FloorServer, Host, KEY};
use crate::report::{self, Row, Tables};

/// Number of counters that the creations of the floor are spread over, as Tessera does.
pub(crate) const ISSUE_COUNTERS: usize = 64;

/// Options of the bench.
#[derive(clap::Parser, Clone)]
pub(crate) struct Options {
    /// Binary of Tessera.
    #[arg(long, default_value = "target/dist/tessera")]
    pub(crate) binary: PathBuf,
    /// PostgreSQL server as postgres://user@host:port/database.
    #[arg(long, env = "TESSERA_TEST_POSTGRES")]
    pub(crate) postgres: String,
    /// Number of issues; a hundredth and a tenth of it are measured as well.
    #[arg(long, default_value_t = 100_000)]
    issues: usize,
    /// Duration of each measurement in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    span_ms: u64,
    /// Number of rounds, of which the median is reported.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Number of concurrent callers.
    #[arg(long, default_value_t = 16)]
    pub(crate) callers: usize,
    /// Stores to measure.
    #[arg(long, value_delimiter = ',', default_value = "sqlite,memdb,postgres")]
    stores: Vec<String>,
}

impl Options {
    pub(crate) fn span(&self) -> Duration {
        Duration::from_millis(self.span_ms)
    }
}

/// Runs the bench.
pub(crate) async fn run(options: Options) -> Result<Tables> {
    let mut rows = Vec::new();
    for store in &options.stores {
        let folder = std::env::temp_dir().join(format!("tessera-bench-{store}-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let result = measure_store(&options, store, &folder, &mut rows).await;
        std::fs::remove_dir_all(&folder)?;
        result.with_context(|| format!("on {store}"))?;
    }
    report::compare("tracker", &rows)
}

async fn measure_store(options: &Options, store: &str, folder: &Path, rows: &mut Vec<Row>) -> Result<()> {
    let database = format!("bench_{}", std::process::id());
    let url = match options.postgres.rsplit_once('/') {
        Some((server, _)) => format!("{server}/{database}"),
        None => options.postgres.clone(),
    };
    let host = if store == "postgres" {
        floor::run_sql(&options.postgres, &format!("CREATE DATABASE {database}")).await?;
        Host::start(&options.binary, folder, &[("DATABASE_URL", &url)]).await?
    } else {
        Host::start(&options.binary, folder, &[("DB_TYPE", store)]).await?
    };
    let bench = Bench::new(options, &host, store, folder).await?;
    let mut issues = 1;
    for size in [options.issues / 100, options.issues / 10, options.issues] {
        bench.create_issues(size.saturating_sub(issues)).await?;
        issues = issues.max(size);
        bench.measure_reads(size, rows).await?;
        issues += bench.measure_creations(size, &url, rows).await?;
    }
    drop(bench);
    drop(host);
    if store == "postgres" {
        floor::run_sql(&options.postgres, &format!("DROP DATABASE {database} WITH (FORCE)")).await?;
    }
    Ok(())
}

/// Clients of a host, and the project that they use.
pub(crate) struct Bench<'a> {
    options: &'a Options,
    store: &'a str,
    folder: &'a Path,
    pub(crate) rest: RestClient,
    grpc: IssuesServiceClient<Channel>,
    project: String,
    issue: String,
}

impl<'a> Bench<'a> {
    pub(crate) async fn new(
        options: &'a Options,
        host: &Host,
        store: &'a str,
        folder: &'a Path,
    ) -> Result<Self> {
        let rest = RestClient::operator(host);
        let grpc = IssuesServiceClient::new(Endpoint::from_shared(host.grpc.clone())?.connect().await?);
        let grpc = grpc.max_decoding_message_size(16 << 20);
        let project = rest.create_project().await?;
        let issue = rest.post("/v1/issues", &issue_body(&project)).await?;
        let issue = text_at(&issue, "/issue/issue_id")?;
        Ok(Self { options, store, folder, rest, grpc, project, issue })
    }

    fn message(&self) -> CreateIssueRequest {
        CreateIssueRequest {
            summary: "The press on line 4 loses oil".to_owned(),
            description: Some("It began on Monday. ".repeat(10)),
            r#type: 2,
            priority: 2,
            project_id: self.project.clone(),
            ..CreateIssueRequest::default()
        }
    }

    /// Creates issues that are not measured.
    async fn create_issues(&self, count: usize) -> Result<()> {
        let (grpc, message) = (self.grpc.clone(), self.message());
        let workers = 64;
        let tasks: Vec<_> = (0..workers)
            .map(|worker| {
                let (mut grpc, message) = (grpc.clone(), message.clone());
                let share = count / workers + usize::from(worker < count % workers);
                tokio::spawn(async move {
                    for _ in 0..share {
                        grpc.create_issue(grpc_request(message.clone(), KEY)?).await?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(())
    }

    async fn measure_reads(&self, size: usize, rows: &mut Vec<Row>) -> Result<()> {
        let list = format!("/v1/issues?page_size=20&filter=project:{}", self.project);
        for (operation, path) in [("get", format!("/v1/issues/{}", self.issue)), ("list 20", list)] {
            let url = self.rest.url(&path);
            let response = self.rest.get(&path).send().await?.error_for_status()?.bytes().await?;
            let floor = FloorServer::start(Kind::Http, self.folder, &response).await?;
            let pair =
                self.rounds(|| self.rest_get(url.clone()), || self.rest_get(floor.address.clone())).await?;
            rows.push(self.row(operation, "REST", size, pair));
        }
        let mut grpc = self.grpc.clone();
        let get = GetIssueRequest { issue_id: self.issue.clone(), include_details: false };
        let response = grpc.get_issue(grpc_request(get.clone(), KEY)?).await?.into_inner().encode_to_vec();
        let floor = FloorServer::start(Kind::GrpcGet, self.folder, &response).await?;
        let floor_client =
            IssuesServiceClient::new(Endpoint::from_shared(floor.address.clone())?.connect().await?);
        let pair = self.rounds(
            || self.grpc_get(grpc.clone(), get.clone()),
            || self.grpc_get(floor_client.clone(), get.clone()),
        );
        rows.push(self.row("get", "gRPC", size, pair.await?));
        let list = ListIssuesRequest {
            page_size: 20,
            filter: format!("project:{}", self.project),
            ..ListIssuesRequest::default()
        };
        let response = grpc.list_issues(grpc_request(list.clone(), KEY)?).await?.into_inner().encode_to_vec();
        let floor = FloorServer::start(Kind::GrpcList, self.folder, &response).await?;
        let floor_client =
            IssuesServiceClient::new(Endpoint::from_shared(floor.address.clone())?.connect().await?);
        let pair = self.rounds(
            || self.grpc_list(self.grpc.clone(), list.clone()),
            || self.grpc_list(floor_client.clone(), list.clone()),
        );
        rows.push(self.row("list 20", "gRPC", size, pair.await?));
        Ok(())
    }

    /// Measures creations, and returns how many issues were created.
    async fn measure_creations(&self, size: usize, url: &str, rows: &mut Vec<Row>) -> Result<usize> {
        let before = self.count_issues().await?;
        let mut number = 0;
        let mut floor = || {
            number += 1;
            let file = self.folder.join(format!("floor-{size}-{number}.db"));
            async move {
                let (load, span) = ((self.options.callers, ISSUE_COUNTERS), self.options.span());
                match self.store {
                    "postgres" => floor::write_postgres(url, CREATION, load, span).await,
                    "sqlite" => floor::write_sqlite(Some(&file), CREATION, load, span).await,
                    _ => floor::write_sqlite(None, CREATION, load, span).await,
                }
            }
        };
        let pair = self.rounds(|| self.rest_create(), &mut floor).await?;
        rows.push(self.row("create", "REST", size, pair));
        let pair = self.rounds(|| self.grpc_create(), &mut floor).await?;
        rows.push(self.row("create", "gRPC", size, pair));
        Ok(self.count_issues().await? - before)
    }

    async fn count_issues(&self) -> Result<usize> {
        let path = format!("/v1/projects/{}", self.project);
        let project: Value = self.rest.get(&path).send().await?.error_for_status()?.json().await?;
        let count = project.pointer("/project/issue_count").and_then(Value::as_u64);
        let count = count.context("the project has no issue_count")?;
        Ok(usize::try_from(count)?)
    }

    pub(crate) fn row(
        &self,
        operation: &str,
        transport: &str,
        size: usize,
        (subject, floor): (Measurement, Measurement),
    ) -> Row {
        let labels = [operation, transport, self.store, &size.to_string()].map(str::to_owned);
        Row { labels, subject, floor: Some(floor) }
    }

    /// Measures subject and floor in alternation.
    pub(crate) async fn rounds<A, B>(
        &self,
        subject: impl FnMut() -> A,
        floor: impl FnMut() -> B,
    ) -> Result<(Measurement, Measurement)>
    where
        A: Future<Output = Result<Measurement>>,
        B: Future<Output = Result<Measurement>>,
    {
        load::alternate(self.options.rounds, subject, floor).await
    }

    async fn rest_get(&self, url: String) -> Result<Measurement> {
        let client = self.rest.clone();
        load::closed_loop(self.options.callers, self.options.span(), move |_, _| {
            let request = client.get_url(&url);
            async move {
                let response = request.send().await?.error_for_status()?.bytes().await?;
                ensure!(!response.is_empty(), "the response is empty");
                Ok(())
            }
        })
        .await
    }

    async fn rest_create(&self) -> Result<Measurement> {
        let (client, body) = (self.rest.clone(), issue_body(&self.project));
        load::closed_loop(self.options.callers, self.options.span(), move |_, _| {
            let request = client.post_request("/v1/issues", &body);
            async move {
                request.send().await?.error_for_status()?.bytes().await?;
                Ok(())
            }
        })
        .await
    }

    async fn grpc_get(
        &self,
        client: IssuesServiceClient<Channel>,
        get: GetIssueRequest,
    ) -> Result<Measurement> {
        load::closed_loop(self.options.callers, self.options.span(), move |_, _| {
            let (mut client, request) = (client.clone(), grpc_request(get.clone(), KEY));
            async move {
                client.get_issue(request?).await?;
                Ok(())
            }
        })
        .await
    }

    async fn grpc_list(
        &self,
        client: IssuesServiceClient<Channel>,
        list: ListIssuesRequest,
    ) -> Result<Measurement> {
        load::closed_loop(self.options.callers, self.options.span(), move |_, _| {
            let (mut client, request) = (client.clone(), grpc_request(list.clone(), KEY));
            async move {
                client.list_issues(request?).await?;
                Ok(())
            }
        })
        .await
    }

    pub(crate) async fn grpc_create(&self) -> Result<Measurement> {
        let (client, message) = (self.grpc.clone(), self.message());
        load::closed_loop(self.options.callers, self.options.span(), move |_, _| {
            let (mut client, request) = (client.clone(), grpc_request(message.clone(), KEY));
            async move {
                client.create_issue(request?).await?;
                Ok(())
            }
        })
        .await
    }
}

fn issue_body(project: &str) -> Value {
    json!({
        "project_id": project, "summary": "The press on line 4 loses oil",
        "description": "It began on Monday. ".repeat(10), "type": "BUG", "priority": "MAJOR",
    })
}
