//! The cost of tenants with plugins: memory of an idle host, time of its start, and the effect of a hostile tenant on
//! another.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::client::RestClient;
use crate::neighbour;
use crate::plugins;
use crate::process::{Host, Usage};
use crate::report::{self, Table, Tables};

/// Options of the bench.
#[derive(clap::Parser, Clone)]
pub(crate) struct Options {
    /// Binary of Tessera.
    #[arg(long, default_value = "target/dist/tessera")]
    binary: PathBuf,
    /// Numbers of tenants, each with an installation, in ascending order.
    #[arg(long, value_delimiter = ',', default_value = "10,100")]
    tenants: Vec<u32>,
    /// Parts to measure.
    #[arg(long, value_delimiter = ',', default_value = "idle,neighbours")]
    parts: Vec<Part>,
    /// Number of rounds, of which the median is reported.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Duration of each measurement beside a neighbour, in milliseconds.
    #[arg(long, default_value_t = 5_000)]
    span_ms: u64,
    /// Issues per second of the healthy tenant.
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// Number of the hostile tenant's concurrent callers.
    #[arg(long, default_value_t = 4)]
    callers: usize,
}

/// A part of the bench.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Memory of an idle host and the time of its start.
    Idle,
    /// A tenant beside a hostile one.
    Neighbours,
}

/// Pause before a host is inspected, in which its background work after the start ends.
const SETTLE: Duration = Duration::from_millis(1_000);

/// Runs the bench.
pub(crate) async fn run(options: Options) -> Result<Tables> {
    let folder = std::env::temp_dir().join(format!("tessera-bench-tenants-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let tables = measure(&options, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    tables
}

async fn measure(options: &Options, folder: &Path) -> Result<Tables> {
    let component = plugins::build_component(&options.binary, "required-fields")?;
    let (mut tables, mut sizes, mut neighbours) = (Tables::new(), Vec::new(), Value::Null);
    if options.parts.contains(&Part::Idle) {
        for releases in [Releases::Shared, Releases::Own] {
            sizes.extend(Growth::new(options, folder, releases, &component).await?.measure().await?);
        }
        tables.extend([memory_table(&sizes), start_table(&sizes)]);
    }
    if options.parts.contains(&Part::Neighbours) {
        let options = neighbour::Options {
            binary: options.binary.clone(),
            rounds: options.rounds,
            span: Duration::from_millis(options.span_ms),
            rate: options.rate,
            callers: options.callers,
        };
        let table;
        (table, neighbours) = neighbour::measure(&options, &folder.join("neighbours"), &component).await?;
        tables.push(table);
    }
    let sizes: Vec<_> = sizes.iter().map(Size::json).collect();
    report::write_json("tenants", &json!({"tenants": sizes, "neighbours": neighbours}))?;
    Ok(tables)
}

/// Whether the tenants upload the same component.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Releases {
    Shared,
    Own,
}

impl Releases {
    const fn name(self) -> &'static str {
        match self {
            Self::Shared => "the same",
            Self::Own => "its own",
        }
    }
}

/// A data folder to which tenants are added, and one that stays empty.
struct Growth<'a> {
    options: &'a Options,
    releases: Releases,
    component: &'a [u8],
    data: PathBuf,
    empty: PathBuf,
    /// For each tenant its key and the id of its project.
    tenants: Vec<(String, String)>,
}

/// Durations of a start in milliseconds.
#[derive(Clone, Copy)]
struct StartTimes {
    /// Until the host printed its addresses.
    listening: f64,
    /// Until `/readyz` returned 200.
    ready: f64,
}

/// The figures of one start.
struct Round {
    empty_start: StartTimes,
    start: StartTimes,
    /// Before the first request.
    idle: Usage,
    /// After each tenant has called its plugin.
    called: Usage,
}

/// The medians for a number of tenants.
struct Size {
    releases: Releases,
    tenants: u32,
    empty_start: StartTimes,
    start: StartTimes,
    idle: Usage,
    called: Usage,
}

impl<'a> Growth<'a> {
    async fn new(
        options: &'a Options,
        folder: &Path,
        releases: Releases,
        component: &'a [u8],
    ) -> Result<Self> {
        let (data, empty) = (folder.join(releases.name()), folder.join("empty"));
        // The first start creates the database and is not measured.
        for folder in [&data, &empty] {
            Host::start_sqlite(&options.binary, folder).await?.stop().await?;
        }
        Ok(Self { options, releases, component, data, empty, tenants: Vec::new() })
    }

    async fn measure(mut self) -> Result<Vec<Size>> {
        let mut sizes = Vec::new();
        for tenants in [0].into_iter().chain(self.options.tenants.clone()) {
            self.grow_to(tenants).await?;
            let mut rounds = Vec::new();
            for _ in 0..self.options.rounds {
                rounds.push(self.round().await?);
            }
            sizes.push(Size::median(self.releases, tenants, &rounds));
        }
        Ok(sizes)
    }

    /// Adds tenants up to this number.
    async fn grow_to(&mut self, tenants: u32) -> Result<()> {
        let host = Host::start_sqlite(&self.options.binary, &self.data).await?;
        let operator = RestClient::operator(&host);
        let existing = u32::try_from(self.tenants.len())?;
        for number in existing..tenants {
            let tenant = operator.create_tenant(&format!("tenant-{number}")).await?;
            let component = match self.releases {
                Releases::Shared => self.component.to_vec(),
                Releases::Own => plugins::with_mark(self.component, number),
            };
            tenant.install(&component, plugins::RULES_FOR_ALL).await?;
            let project = tenant.create_project().await?;
            self.tenants.push((tenant.key().to_owned(), project));
        }
        host.stop().await
    }

    async fn round(&self) -> Result<Round> {
        let (host, empty_start) = start_timed(self.options, &self.empty).await?;
        host.stop().await?;
        let (host, start) = start_timed(self.options, &self.data).await?;
        tokio::time::sleep(SETTLE).await;
        let idle = host.usage()?;
        self.call_plugins(&host).await?;
        tokio::time::sleep(SETTLE).await;
        let called = host.usage()?;
        host.stop().await?;
        Ok(Round { empty_start, start, idle, called })
    }

    /// Creates an issue in each tenant, which its plugin validates.
    async fn call_plugins(&self, host: &Host) -> Result<()> {
        let operator = RestClient::operator(host);
        for (key, project) in &self.tenants {
            let tenant = operator.with_key(key);
            let issue = json!({"project_id": project, "summary": "It leaks", "description": "Since Monday"});
            tenant.post("/v1/issues", &issue).await?;
        }
        Ok(())
    }
}

/// Starts a host and measures the time that this takes.
async fn start_timed(options: &Options, folder: &Path) -> Result<(Host, StartTimes)> {
    let client = reqwest::Client::new();
    let start = Instant::now();
    let host = Host::start_sqlite(&options.binary, folder).await?;
    let listening = millis_since(start);
    let response = client.get(format!("{}/readyz", host.http)).send().await?;
    ensure!(response.status() == 200, "the host listens, but it is not ready");
    Ok((host, StartTimes { listening, ready: millis_since(start) }))
}

fn millis_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

impl Size {
    fn median(releases: Releases, tenants: u32, rounds: &[Round]) -> Self {
        let start_times = |of: fn(&Round) -> StartTimes| StartTimes {
            listening: median(rounds, |round| of(round).listening),
            ready: median(rounds, |round| of(round).ready),
        };
        let usage = |of: fn(&Round) -> Usage| Usage {
            rss: median(rounds, |round| of(round).rss),
            pss: median(rounds, |round| of(round).pss),
            anonymous: median(rounds, |round| of(round).anonymous),
            files: median(rounds, |round| of(round).files as f64) as usize,
        };
        Self {
            releases,
            tenants,
            empty_start: start_times(|round| round.empty_start),
            start: start_times(|round| round.start),
            idle: usage(|round| round.idle),
            called: usage(|round| round.called),
        }
    }

    fn json(&self) -> Value {
        let start = |of: StartTimes| json!({"listening_ms": of.listening, "ready_ms": of.ready});
        let usage =
            |of: Usage| json!({"rss": of.rss, "pss": of.pss, "anonymous": of.anonymous, "files": of.files});
        json!({
            "releases": self.releases.name(), "tenants": self.tenants,
            "start": start(self.start), "empty_start": start(self.empty_start),
            "idle": usage(self.idle), "called": usage(self.called),
        })
    }
}

/// Returns the median of a figure.
fn median(rounds: &[Round], figure: impl Fn(&Round) -> f64) -> f64 {
    let mut figures: Vec<_> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// Builds the table of memory. The figures for one tenant are the growth since the row before, because the first tenants
/// also cause one-time growth: code that is loaded, and warm memories of the pool.
fn memory_table(sizes: &[Size]) -> Table {
    let columns = [
        "component",
        "state",
        "tenants",
        "RSS MB",
        "Pss MB",
        "anonymous MB",
        "files",
        "RSS kB each",
        "Pss kB each",
        "anonymous kB each",
    ];
    let mut rows = Vec::new();
    for (state, of) in [("idle", (|size| size.idle) as fn(&Size) -> Usage), ("called", |size| size.called)] {
        for (number, size) in sizes.iter().enumerate() {
            let before = number.checked_sub(1).and_then(|before| sizes.get(before));
            let before = before.filter(|before| before.releases == size.releases);
            let (usage, growth) =
                (of(size), before.map(|before| (of(before), size.tenants - before.tenants)));
            let each = |figure: fn(Usage) -> f64| {
                let each = growth.map(|(before, more)| (figure(usage) - figure(before)) / f64::from(more));
                each.map_or("–".to_owned(), |bytes| format!("{:.1}", bytes / 1e3))
            };
            let megabytes = |bytes: f64| format!("{:.1}", bytes / 1e6);
            rows.push([
                size.releases.name().to_owned(),
                state.to_owned(),
                size.tenants.to_string(),
                megabytes(usage.rss),
                megabytes(usage.pss),
                megabytes(usage.anonymous),
                usage.files.to_string(),
                each(|usage| usage.rss),
                each(|usage| usage.pss),
                each(|usage| usage.anonymous),
            ]);
        }
    }
    Table::new("memory", columns, rows)
}

/// Builds the table of start times. The floor is the start of a host without tenants.
fn start_table(sizes: &[Size]) -> Table {
    let columns = ["component", "tenants", "listening ms", "ready ms", "empty host ms", "ratio", "ms each"];
    let rows = sizes.iter().map(|size| {
        let (ready, floor) = (size.start.ready, size.empty_start.ready);
        let each = (ready - floor) / f64::from(size.tenants);
        [
            size.releases.name().to_owned(),
            size.tenants.to_string(),
            format!("{:.1}", size.start.listening),
            format!("{ready:.1}"),
            format!("{floor:.1}"),
            format!("{:.2}", ready / floor),
            if size.tenants == 0 { "–".to_owned() } else { format!("{each:.3}") },
        ]
    });
    Table::new("starts", columns, rows)
}
