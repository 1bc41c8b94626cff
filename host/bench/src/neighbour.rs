//! A tenant that creates issues at a moderate rate, alone and beside a neighbour that calls a hostile plugin in a closed
//! loop.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tessera_proto::issues::v1::CreateIssueRequest;
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tonic::transport::{Channel, Endpoint};

use crate::client::{RestClient, grpc_request};
use crate::load::{self, Measurement, median, median_by};
use crate::plugins;
use crate::process::Host;
use crate::report::Table;

/// Time for which the neighbour calls before and after the measurement of the healthy tenant.
const MARGIN: Duration = Duration::from_millis(300);

/// The neighbours: a label, and the settings of their hostile plugin.
const HOSTILE: [(&str, &str); 3] = [
    ("spins", r#"{"act": "spin"}"#),
    ("floods the log", r#"{"act": "flood-log", "amount": 1000000}"#),
    ("floods look-ups", r#"{"act": "flood-lookups", "amount": 1000000}"#),
];

/// A neighbour whose plugin refuses at once: the cost of the requests alone.
const REFUSING: (&str, &str) = ("refuses at once, as often as the first", r#"{"act": "residue"}"#);

/// Options of the measurement.
pub(crate) struct Options {
    /// Binary of Tessera.
    pub(crate) binary: PathBuf,
    /// Number of rounds, of which the median is reported.
    pub(crate) rounds: usize,
    /// Duration of each measurement.
    pub(crate) span: Duration,
    /// Issues per second of the healthy tenant.
    pub(crate) rate: f64,
    /// Number of the hostile tenant's concurrent callers.
    pub(crate) callers: usize,
}

/// Measures all neighbours. Returns their table and their figures as JSON.
pub(crate) async fn measure(options: &Options, folder: &Path, component: &[u8]) -> Result<(Table, Value)> {
    let hostile = plugins::build_component(&options.binary, "hostile")?;
    let host = Host::start_sqlite(&options.binary, folder).await?;
    let healthy = Tenant::new(&host, "healthy", component, plugins::RULES_FOR_ALL).await?;
    let mut rows = Vec::new();
    for (number, (label, settings)) in HOSTILE.into_iter().enumerate() {
        let neighbour = Tenant::new(&host, &format!("hostile-{number}"), &hostile, settings).await?;
        rows.push(compare(options, &healthy, &neighbour, Pace::Closed(options.callers), label).await?);
    }
    let pace = Pace::Open(rows.first().map_or(1.0, |row| row.neighbour.rate));
    let neighbour = Tenant::new(&host, "refusing", &hostile, REFUSING.1).await?;
    rows.push(compare(options, &healthy, &neighbour, pace, REFUSING.0).await?);
    host.stop().await?;
    Ok((table(&rows), rows.iter().map(Row::json).collect()))
}

/// The load of a neighbour.
#[derive(Clone, Copy)]
enum Pace {
    /// A closed loop of so many callers.
    Closed(usize),
    /// An open loop of so many calls per second.
    Open(f64),
}

/// The measurements of a neighbour, and of the healthy tenant without and with it.
struct Row {
    label: &'static str,
    neighbour: Measurement,
    alone: Measurement,
    beside: Measurement,
}

impl Row {
    fn json(&self) -> Value {
        let figures = |m: &Measurement| json!({"per_second": m.rate, "p50_ms": m.p50, "p95_ms": m.p95, "p99_ms": m.p99});
        json!({
            "neighbour": self.label, "its_calls": figures(&self.neighbour), "alone": figures(&self.alone),
            "beside": figures(&self.beside), "p95_ratio": self.beside.p95 / self.alone.p95,
        })
    }
}

/// Measures the healthy tenant alone and beside the neighbour in alternation.
async fn compare(
    options: &Options,
    healthy: &Tenant,
    neighbour: &Tenant,
    pace: Pace,
    label: &'static str,
) -> Result<Row> {
    let span = options.span;
    let (mut alones, mut besides, mut neighbours) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        alones.push(healthy.create_issues(options.rate, span).await?);
        let own = async {
            tokio::time::sleep(MARGIN).await;
            healthy.create_issues(options.rate, span).await
        };
        let (own, other) = tokio::join!(own, neighbour.call_hostile(pace, span + 2 * MARGIN));
        besides.push(own?);
        neighbours.push(other?);
    }
    let p95 = |round: &Measurement| round.p95;
    Ok(Row {
        label,
        neighbour: median(neighbours),
        alone: median_by(alones, p95),
        beside: median_by(besides, p95),
    })
}

/// A tenant with an installed plugin and a connection.
struct Tenant {
    grpc: IssuesServiceClient<Channel>,
    key: String,
    project: String,
}

impl Tenant {
    async fn new(host: &Host, slug: &str, component: &[u8], settings: &str) -> Result<Self> {
        let tenant = RestClient::operator(host).create_tenant(slug).await?;
        // Before the installation, since the hostile plugin also refuses projects.
        let project = tenant.create_project().await?;
        tenant.install(component, settings).await?;
        let grpc = IssuesServiceClient::new(Endpoint::from_shared(host.grpc.clone())?.connect().await?);
        Ok(Self { grpc, key: tenant.key().to_owned(), project })
    }

    /// Creates issues at that rate.
    async fn create_issues(&self, rate: f64, span: Duration) -> Result<Measurement> {
        let (message, key) = (self.message(), self.key.clone());
        let request = move || grpc_request(message.clone(), &key);
        load::create_issues(self.grpc.clone(), (rate, span), request).await
    }

    /// Tries to create issues, which the plugin must refuse or fail on.
    async fn call_hostile(&self, pace: Pace, span: Duration) -> Result<Measurement> {
        let (client, message, key) = (self.grpc.clone(), self.message(), self.key.clone());
        let call = move || {
            let (mut client, request) = (client.clone(), grpc_request(message.clone(), &key));
            async move {
                let code = client.create_issue(request?).await.err().map(|status| status.code());
                let is_refused = code == Some(tonic::Code::FailedPrecondition);
                ensure!(is_refused, "the call of a hostile plugin ended with {code:?}");
                Ok(())
            }
        };
        match pace {
            Pace::Closed(callers) => load::closed_loop(callers, span, move |_, _| call()).await,
            Pace::Open(rate) => load::open_loop(rate, span, move |_| call()).await,
        }
    }

    fn message(&self) -> CreateIssueRequest {
        CreateIssueRequest {
            summary: "The press on line 4 loses oil".to_owned(),
            description: Some("It began on Monday. ".repeat(10)),
            project_id: self.project.clone(),
            ..CreateIssueRequest::default()
        }
    }
}

fn table(rows: &[Row]) -> Table {
    let columns = [
        "neighbour's plugin",
        "its calls per second",
        "alone p50 ms",
        "p95 ms",
        "p99 ms",
        "beside p50 ms",
        "p95 ms",
        "p99 ms",
        "p95 ratio",
    ];
    let cells = rows.iter().map(|row| {
        let (alone, beside) = (row.alone, row.beside);
        let figures = [alone.p50, alone.p95, alone.p99, beside.p50, beside.p95, beside.p99];
        let [a, b, c, d, e, f] = figures.map(|figure| format!("{figure:.2}"));
        let ratio = format!("{:.2}", beside.p95 / alone.p95);
        [row.label.to_owned(), format!("{:.0}", row.neighbour.rate), a, b, c, d, e, f, ratio]
    });
    Table::new("neighbours", columns, cells)
}
