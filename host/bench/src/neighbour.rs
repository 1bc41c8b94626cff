//! A healthy tenant that makes issues at a modest pace, alone and beside another whose plugin misbehaves and who calls
//! it as fast as it is answered.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tessera_proto::issues::v1::CreateIssueRequest;
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tonic::transport::{Channel, Endpoint};

use crate::host::Host;
use crate::load::{self, Measured, median, median_by};
use crate::plugins;
use crate::table;
use crate::tenants::{Options, operator, start};

/// How long the neighbour is at work before and after the healthy tenant is measured.
const AROUND: Duration = Duration::from_millis(300);

/// What the neighbours' plugin is told to do.
const ACTS: [(&str, &str); 3] = [
    ("spins", r#"{"act": "spin"}"#),
    ("floods the log", r#"{"act": "flood-log", "amount": 1000000}"#),
    ("floods look-ups", r#"{"act": "flood-lookups", "amount": 1000000}"#),
];

/// One that refuses at once: what requests cost, whatever the plugin does.
const HONEST: (&str, &str) = ("refuses at once, as often as the first", r#"{"act": "residue"}"#);

/// Measures all neighbours, prints their table and answers the figures.
pub(crate) async fn measure(options: &Options, folder: &Path, component: &[u8]) -> Result<Value> {
    let hostile = plugins::component(&options.binary, "hostile")?;
    let host = start(options, folder).await?;
    let healthy = Tenant::new(&host, "healthy", component, plugins::RULES_FOR_ALL).await?;
    let mut rows = Vec::new();
    for (number, (act, settings)) in ACTS.into_iter().enumerate() {
        let neighbour = Tenant::new(&host, &format!("hostile-{number}"), &hostile, settings).await?;
        rows.push(beside(options, &healthy, &neighbour, Pace::Closed(options.callers), act).await?);
    }
    let pace = Pace::Open(rows.first().map_or(1.0, |row| row.neighbour.rate));
    let neighbour = Tenant::new(&host, "honest", &hostile, HONEST.1).await?;
    rows.push(beside(options, &healthy, &neighbour, pace, HONEST.0).await?);
    show(&rows);
    host.stop().await?;
    Ok(rows.iter().map(Row::json).collect())
}

/// How a neighbour calls.
#[derive(Clone, Copy)]
enum Pace {
    /// From so many places, as fast as it is answered.
    Closed(usize),
    /// So many times a second.
    Open(f64),
}

/// A healthy tenant beside a neighbour.
struct Row {
    act: &'static str,
    neighbour: Measured,
    alone: Measured,
    beside: Measured,
}

impl Row {
    fn json(&self) -> Value {
        let figures =
            |m: &Measured| json!({"per_second": m.rate, "p50_ms": m.p50, "p95_ms": m.p95, "p99_ms": m.p99});
        json!({
            "neighbour": self.act, "its_calls": figures(&self.neighbour), "alone": figures(&self.alone),
            "beside": figures(&self.beside), "p95_ratio": self.beside.p95 / self.alone.p95,
        })
    }
}

/// Alone and beside in turn, so that what the machine does meanwhile meets both.
async fn beside(
    options: &Options,
    healthy: &Tenant,
    neighbour: &Tenant,
    pace: Pace,
    act: &'static str,
) -> Result<Row> {
    let span = Duration::from_millis(options.span_ms);
    let (mut alones, mut besides, mut neighbours) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        alones.push(healthy.create(options.rate, span).await?);
        let measured = async {
            tokio::time::sleep(AROUND).await;
            healthy.create(options.rate, span).await
        };
        let (measured, theirs) = tokio::join!(measured, neighbour.misbehave(pace, span + 2 * AROUND));
        besides.push(measured?);
        neighbours.push(theirs?);
    }
    let p95 = |round: &Measured| round.p95;
    Ok(Row {
        act,
        neighbour: median(neighbours),
        alone: median_by(alones, p95),
        beside: median_by(besides, p95),
    })
}

/// A tenant with a plugin, and a connection of its own.
struct Tenant {
    grpc: IssuesServiceClient<Channel>,
    key: String,
    project: String,
}

impl Tenant {
    async fn new(host: &Host, slug: &str, component: &[u8], settings: &str) -> Result<Self> {
        let tenant = operator(host).tenant(slug).await?;
        // Before the plugin is at work: a hostile one lets nobody make a project.
        let project = tenant.project().await?;
        plugins::install(&tenant, component, settings).await?;
        let grpc = IssuesServiceClient::new(Endpoint::from_shared(host.grpc.clone())?.connect().await?);
        Ok(Self { grpc, key: tenant.key, project })
    }

    /// Makes issues at that rate.
    async fn create(&self, rate: f64, span: Duration) -> Result<Measured> {
        let (client, message, key) = (self.grpc.clone(), self.message(), self.key.clone());
        load::open(rate, span, move |_| {
            let (mut client, request) = (client.clone(), asked(message.clone(), &key));
            async move {
                client.create_issue(request?).await?;
                Ok(())
            }
        })
        .await
    }

    /// Makes issues that its plugin does not let pass.
    async fn misbehave(&self, pace: Pace, span: Duration) -> Result<Measured> {
        let (client, message, key) = (self.grpc.clone(), self.message(), self.key.clone());
        let call = move || {
            let (mut client, request) = (client.clone(), asked(message.clone(), &key));
            async move {
                let refused = client.create_issue(request?).await.err().map(|status| status.code());
                let refused_by_plugin = refused == Some(tonic::Code::FailedPrecondition);
                ensure!(refused_by_plugin, "a hostile plugin's call ended with {refused:?}");
                Ok(())
            }
        };
        match pace {
            Pace::Closed(callers) => load::closed(callers, span, move |_, _| call()).await,
            Pace::Open(rate) => load::open(rate, span, move |_| call()).await,
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

fn asked<T>(message: T, key: &str) -> Result<tonic::Request<T>> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {key}").parse()?);
    Ok(request)
}

fn show(rows: &[Row]) {
    let columns = [
        "a neighbour's plugin",
        "its calls a second",
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
        [row.act.to_owned(), format!("{:.0}", row.neighbour.rate), a, b, c, d, e, f, ratio]
    });
    table::print(columns, cells);
}
