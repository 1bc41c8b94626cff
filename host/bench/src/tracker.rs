//! Getting, listing and creating issues, over REST and gRPC, on each store, at growing sizes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use prost::Message as _;
use serde_json::{Value, json};
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tessera_proto::issues::v1::{CreateIssueRequest, GetIssueRequest, ListIssuesRequest};
use tonic::transport::{Channel, Endpoint};

use crate::floor::{self, CREATION, Kind};
use crate::host::{Floor, Host, KEY};
use crate::load::{self, Measured, median};
use crate::table::{self, Row};

/// Among how many counters issues are counted.
pub(crate) const ISSUE_COUNTERS: usize = 64;

/// How the bench runs.
#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    /// The binary of Tessera.
    #[arg(long, default_value = "target/dist/tessera")]
    pub(crate) binary: PathBuf,
    /// PostgreSQL's server, as postgres://user@host:port/database.
    #[arg(long, env = "TESSERA_TEST_POSTGRES")]
    pub(crate) postgres: String,
    /// How many issues there are at the full size; a hundredth and a tenth are measured as well.
    #[arg(long, default_value_t = 100_000)]
    issues: usize,
    /// How long each figure is measured in each round, in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    span_ms: u64,
    /// How many rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// How many callers at once.
    #[arg(long, default_value_t = 16)]
    pub(crate) callers: usize,
    /// Which stores.
    #[arg(long, value_delimiter = ',', default_value = "sqlite,memdb,postgres")]
    stores: Vec<String>,
}

impl Options {
    pub(crate) fn span(&self) -> Duration {
        Duration::from_millis(self.span_ms)
    }
}

/// Runs the bench and prints its table.
pub(crate) async fn run(options: Options) -> Result<()> {
    let mut rows = Vec::new();
    for store in &options.stores {
        let folder = std::env::temp_dir().join(format!("tessera-bench-{store}-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let measured = measure_store(&options, store, &folder, &mut rows).await;
        std::fs::remove_dir_all(&folder)?;
        measured.with_context(|| format!("on {store}"))?;
    }
    table::show("tracker", &rows)
}

async fn measure_store(options: &Options, store: &str, folder: &Path, rows: &mut Vec<Row>) -> Result<()> {
    let database = format!("bench_{}", std::process::id());
    let url = match options.postgres.rsplit_once('/') {
        Some((server, _)) => format!("{server}/{database}"),
        None => options.postgres.clone(),
    };
    let secret = ("TESSERA_SECRET_KEY", "a secret for benches, of at least 32 characters");
    let host = if store == "postgres" {
        floor::run_sql(&options.postgres, &format!("CREATE DATABASE {database}")).await?;
        Host::start(&options.binary, folder, &[("DATABASE_URL", &url), secret]).await?
    } else {
        Host::start(&options.binary, folder, &[("DB_TYPE", store), secret]).await?
    };
    let bench = Bench::new(options, &host, store, folder).await?;
    let mut held = 1;
    for size in [options.issues / 100, options.issues / 10, options.issues] {
        bench.fill(size.saturating_sub(held)).await?;
        held = held.max(size);
        bench.reads(size, rows).await?;
        held += bench.creations(size, &url, rows).await?;
    }
    drop(bench);
    drop(host);
    if store == "postgres" {
        floor::run_sql(&options.postgres, &format!("DROP DATABASE {database} WITH (FORCE)")).await?;
    }
    Ok(())
}

pub(crate) struct Bench<'a> {
    options: &'a Options,
    store: &'a str,
    folder: &'a Path,
    pub(crate) http: String,
    pub(crate) rest: reqwest::Client,
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
        let rest = reqwest::Client::new();
        let grpc = IssuesServiceClient::new(Endpoint::from_shared(host.grpc.clone())?.connect().await?);
        let grpc = grpc.max_decoding_message_size(16 << 20);
        let (http, project, issue) = (host.http.clone(), String::new(), String::new());
        let mut bench = Self { options, store, folder, http, rest, grpc, project, issue };
        let project = bench.post("/v1/projects", &json!({"name": "Bench"})).await?;
        bench.project = text(&project, "/project/project_id")?;
        let issue = bench.post("/v1/issues", &bench.body()).await?;
        bench.issue = text(&issue, "/issue/issue_id")?;
        Ok(bench)
    }

    fn body(&self) -> Value {
        json!({
            "project_id": self.project, "summary": "The press on line 4 loses oil",
            "description": "It began on Monday. ".repeat(10), "type": "BUG", "priority": "MAJOR",
        })
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

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.rest.post(format!("{}{path}", self.http)).bearer_auth(KEY).json(body);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// Makes so many issues more.
    async fn fill(&self, issues: usize) -> Result<()> {
        let (grpc, message) = (self.grpc.clone(), self.message());
        let workers = 64;
        let tasks: Vec<_> = (0..workers)
            .map(|worker| {
                let (mut grpc, message) = (grpc.clone(), message.clone());
                let share = issues / workers + usize::from(worker < issues % workers);
                tokio::spawn(async move {
                    for _ in 0..share {
                        grpc.create_issue(asked(message.clone())?).await?;
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

    async fn reads(&self, size: usize, rows: &mut Vec<Row>) -> Result<()> {
        let list = format!("/v1/issues?page_size=20&filter=project:{}", self.project);
        for (operation, path) in [("get", format!("/v1/issues/{}", self.issue)), ("list 20", list)] {
            let url = format!("{}{path}", self.http);
            let answer =
                self.rest.get(&url).bearer_auth(KEY).send().await?.error_for_status()?.bytes().await?;
            let floor = Floor::start(Kind::Http, self.folder, &answer).await?;
            let pair =
                self.rounds(|| self.rest_get(url.clone()), || self.rest_get(floor.address.clone())).await?;
            rows.push(self.row(operation, "REST", size, pair));
        }
        let mut grpc = self.grpc.clone();
        let get = GetIssueRequest { issue_id: self.issue.clone(), include_details: false };
        let answer = grpc.get_issue(asked(get.clone())?).await?.into_inner().encode_to_vec();
        let floor = Floor::start(Kind::GrpcGet, self.folder, &answer).await?;
        let bare = IssuesServiceClient::new(Endpoint::from_shared(floor.address.clone())?.connect().await?);
        let pair = self
            .rounds(|| self.grpc_get(grpc.clone(), get.clone()), || self.grpc_get(bare.clone(), get.clone()));
        rows.push(self.row("get", "gRPC", size, pair.await?));
        let list = ListIssuesRequest {
            page_size: 20,
            filter: format!("project:{}", self.project),
            ..ListIssuesRequest::default()
        };
        let answer = grpc.list_issues(asked(list.clone())?).await?.into_inner().encode_to_vec();
        let floor = Floor::start(Kind::GrpcList, self.folder, &answer).await?;
        let bare = IssuesServiceClient::new(Endpoint::from_shared(floor.address.clone())?.connect().await?);
        let pair = self.rounds(
            || self.grpc_list(self.grpc.clone(), list.clone()),
            || self.grpc_list(bare.clone(), list.clone()),
        );
        rows.push(self.row("list 20", "gRPC", size, pair.await?));
        Ok(())
    }

    /// Measures creations, and answers how many issues there are more at the end.
    async fn creations(&self, size: usize, url: &str, rows: &mut Vec<Row>) -> Result<usize> {
        let before = self.count().await?;
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
        Ok(self.count().await? - before)
    }

    async fn count(&self) -> Result<usize> {
        let url = format!("{}/v1/projects/{}", self.http, self.project);
        let project: Value =
            self.rest.get(url).bearer_auth(KEY).send().await?.error_for_status()?.json().await?;
        let count = project.pointer("/project/issue_count").and_then(Value::as_u64).context("no count")?;
        Ok(usize::try_from(count)?)
    }

    pub(crate) fn row(
        &self,
        operation: &str,
        transport: &str,
        size: usize,
        (subject, floor): (Measured, Measured),
    ) -> Row {
        let what = [operation, transport, self.store, &size.to_string()].map(str::to_owned);
        Row { what, subject, floor: Some(floor) }
    }

    /// Subject and floor in turn, so that what the machine does meanwhile meets both.
    pub(crate) async fn rounds<A, B>(
        &self,
        mut subject: impl FnMut() -> A,
        mut floor: impl FnMut() -> B,
    ) -> Result<(Measured, Measured)>
    where
        A: Future<Output = Result<Measured>>,
        B: Future<Output = Result<Measured>>,
    {
        let (mut subjects, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..self.options.rounds {
            subjects.push(subject().await?);
            floors.push(floor().await?);
        }
        Ok((median(subjects), median(floors)))
    }

    async fn rest_get(&self, url: String) -> Result<Measured> {
        let client = self.rest.clone();
        load::closed(self.options.callers, self.options.span(), move |_, _| {
            let request = client.get(&url).bearer_auth(KEY);
            async move {
                let answer = request.send().await?.error_for_status()?.bytes().await?;
                ensure!(!answer.is_empty(), "an empty answer");
                Ok(())
            }
        })
        .await
    }

    async fn rest_create(&self) -> Result<Measured> {
        let (client, url, body) = (self.rest.clone(), format!("{}/v1/issues", self.http), self.body());
        load::closed(self.options.callers, self.options.span(), move |_, _| {
            let request = client.post(&url).bearer_auth(KEY).json(&body);
            async move {
                request.send().await?.error_for_status()?.bytes().await?;
                Ok(())
            }
        })
        .await
    }

    async fn grpc_get(&self, client: IssuesServiceClient<Channel>, get: GetIssueRequest) -> Result<Measured> {
        load::closed(self.options.callers, self.options.span(), move |_, _| {
            let (mut client, request) = (client.clone(), asked(get.clone()));
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
    ) -> Result<Measured> {
        load::closed(self.options.callers, self.options.span(), move |_, _| {
            let (mut client, request) = (client.clone(), asked(list.clone()));
            async move {
                client.list_issues(request?).await?;
                Ok(())
            }
        })
        .await
    }

    pub(crate) async fn grpc_create(&self) -> Result<Measured> {
        let (client, message) = (self.grpc.clone(), self.message());
        load::closed(self.options.callers, self.options.span(), move |_, _| {
            let (mut client, request) = (client.clone(), asked(message.clone()));
            async move {
                client.create_issue(request?).await?;
                Ok(())
            }
        })
        .await
    }
}

/// A request with the bench's key.
fn asked<T>(message: T) -> Result<tonic::Request<T>> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {KEY}").parse()?);
    Ok(request)
}

fn text(answer: &Value, at: &str) -> Result<String> {
    Ok(answer.pointer(at).and_then(Value::as_str).with_context(|| format!("no {at} in {answer}"))?.to_owned())
}
