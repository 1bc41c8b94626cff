//! A tenant that creates issues with more and more callers, each of which waits as long as a refusal says, beside a healthy
//! tenant at a moderate rate. The throughput must not fall with the number of callers, and the healthy tenant gets no error.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tessera_proto::issues::v1::CreateIssueRequest;
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt as _;

use crate::client::{RestClient, grpc_request};
use crate::load::{Measurement, create_issues, median_by};
use crate::process::Host;
use crate::report::{self, Table, Tables};

/// The most callers that share a connection.
const CALLERS_OF_CONNECTION: usize = 200;

/// Time for which the callers call before the measurement.
const WARM_UP: Duration = Duration::from_secs(2);

/// Options of the bench.
#[derive(clap::Parser, Clone)]
pub(crate) struct Options {
    /// Binary of Tessera.
    #[arg(long, default_value = "target/dist/tessera")]
    binary: PathBuf,
    /// Empty PostgreSQL database as postgres://user@host:port/database; SQLite if absent.
    #[arg(long)]
    database: Option<String>,
    /// Duration of each measurement in milliseconds.
    #[arg(long, default_value_t = 5_000)]
    span_ms: u64,
    /// Number of rounds, of which the median is reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Numbers of concurrent callers.
    #[arg(long, value_delimiter = ',', default_value = "16,64,256,640,2560,8000")]
    callers: Vec<usize>,
    /// Issues per second of the healthy tenant.
    #[arg(long, default_value_t = 50.0)]
    rate: f64,
}

/// The figures of one number of callers.
#[derive(Clone, Copy)]
struct Round {
    /// Creations of the flooding tenant per second.
    stored: f64,
    /// Refusals of the flooding tenant per second.
    refused: f64,
    healthy: Measurement,
}

/// Runs the bench.
pub(crate) async fn run(options: Options) -> Result<Tables> {
    let folder = std::env::temp_dir().join(format!("tessera-bench-overload-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let setting = options.database.as_deref().map_or(("DB_TYPE", "sqlite"), |url| ("DATABASE_URL", url));
    let host = Host::start(&options.binary, &folder, &[setting]).await?;
    let rounds = measure(&options, &host).await;
    host.stop().await?;
    std::fs::remove_dir_all(&folder)?;
    let rounds = rounds?;
    let best = rounds.iter().map(|(_, round)| round.stored).fold(0.0, f64::max);
    let figures: Value = rounds.iter().map(|(callers, round)| round.json(*callers, best)).collect();
    report::write_json("overload", &figures)?;
    let columns = [
        "callers",
        "created per second",
        "of the best",
        "refused per second",
        "healthy tenant p50 ms",
        "p95 ms",
        "p99 ms",
    ];
    let rows = rounds.iter().map(|(callers, round)| round.cells(*callers, best));
    Ok(vec![Table::new("overload", columns, rows)])
}

/// Measures all numbers of callers in alternation. Returns the medians.
async fn measure(options: &Options, host: &Host) -> Result<Vec<(usize, Round)>> {
    let (busy, healthy) = (Tenant::new(host, "busy").await?, Tenant::new(host, "healthy").await?);
    let mut rounds: Vec<(usize, Vec<Round>)> =
        options.callers.iter().map(|callers| (*callers, Vec::new())).collect();
    for _ in 0..options.rounds {
        for (callers, rounds) in &mut rounds {
            rounds.push(round(options, host, (&busy, &healthy), *callers).await?);
        }
    }
    let median = |mut rounds: Vec<Round>| {
        rounds.sort_by(|a, b| a.stored.total_cmp(&b.stored));
        let healthy = median_by(rounds.iter().map(|round| round.healthy).collect(), |healthy| healthy.p95);
        let middle = rounds.len() / 2;
        rounds.get(middle).map(|round| Round { healthy, ..*round })
    };
    Ok(rounds.into_iter().filter_map(|(callers, rounds)| Some((callers, median(rounds)?))).collect())
}

async fn round(
    options: &Options,
    host: &Host,
    (busy, healthy): (&Tenant, &Tenant),
    callers: usize,
) -> Result<Round> {
    let flood = Arc::new(Flood::default());
    let mut tasks = Vec::new();
    for first in (0..callers).step_by(CALLERS_OF_CONNECTION) {
        let client = connect(host).await?;
        for _ in first..callers.min(first + CALLERS_OF_CONNECTION) {
            let (flood, client, busy) = (Arc::clone(&flood), client.clone(), busy.clone());
            tasks.push(tokio::spawn(async move { flood.call(client, &busy).await }));
        }
    }
    tokio::time::sleep(WARM_UP).await;
    flood.is_counted.store(true, Ordering::Relaxed);
    let span = Duration::from_millis(options.span_ms);
    let (client, message, key) = (connect(host).await?, healthy.message(), healthy.key.clone());
    let request = move || grpc_request(message.clone(), &key);
    let healthy = create_issues(client, (options.rate, span), request).await;
    flood.is_counted.store(false, Ordering::Relaxed);
    flood.is_over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    let per_second = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64 / span.as_secs_f64();
    Ok(Round { stored: per_second(&flood.stored), refused: per_second(&flood.refused), healthy: healthy? })
}

async fn connect(host: &Host) -> Result<IssuesServiceClient<Channel>> {
    Ok(IssuesServiceClient::new(Endpoint::from_shared(host.grpc.clone())?.connect().await?))
}

/// The calls of the flooding tenant.
#[derive(Default)]
struct Flood {
    is_counted: AtomicBool,
    is_over: AtomicBool,
    stored: AtomicU64,
    refused: AtomicU64,
}

impl Flood {
    /// Creates issues in a closed loop until the flood is over.
    async fn call(&self, mut client: IssuesServiceClient<Channel>, tenant: &Tenant) -> Result<()> {
        while !self.is_over.load(Ordering::Relaxed) {
            match client.create_issue(grpc_request(tenant.message(), &tenant.key)?).await {
                Ok(_) => self.count(&self.stored),
                Err(status) => {
                    self.count(&self.refused);
                    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
                    let Some(delay) = delay else { bail!("a refusal without a time: {status}") };
                    self.wait(delay).await;
                }
            }
        }
        Ok(())
    }

    fn count(&self, counter: &AtomicU64) {
        counter.fetch_add(u64::from(self.is_counted.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    /// Waits for a time, or until the flood is over.
    async fn wait(&self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < end && !self.is_over.load(Ordering::Relaxed) {
            tokio::time::sleep_until(end.min(tokio::time::Instant::now() + Duration::from_secs(1))).await;
        }
    }
}

/// A tenant with a project.
#[derive(Clone)]
struct Tenant {
    key: String,
    project: String,
}

impl Tenant {
    async fn new(host: &Host, slug: &str) -> Result<Self> {
        let tenant = RestClient::operator(host).create_tenant(slug).await?;
        Ok(Self { project: tenant.create_project().await?, key: tenant.key().to_owned() })
    }

    fn message(&self) -> CreateIssueRequest {
        CreateIssueRequest {
            summary: "The press on line 4 loses oil".to_owned(),
            project_id: self.project.clone(),
            ..CreateIssueRequest::default()
        }
    }
}

impl Round {
    fn cells(&self, callers: usize, best: f64) -> [String; 7] {
        let Measurement { p50, p95, p99, .. } = self.healthy;
        [
            callers.to_string(),
            format!("{:.0}", self.stored),
            format!("{:.2}", self.stored / best),
            format!("{:.0}", self.refused),
            format!("{p50:.2}"),
            format!("{p95:.2}"),
            format!("{p99:.2}"),
        ]
    }

    fn json(&self, callers: usize, best: f64) -> Value {
        let Measurement { p50, p95, p99, .. } = self.healthy;
        json!({
            "callers": callers, "per_second": self.stored, "of_best": self.stored / best,
            "refused_per_second": self.refused, "healthy_p50_ms": p50, "healthy_p95_ms": p95, "healthy_p99_ms": p99,
        })
    }
}
