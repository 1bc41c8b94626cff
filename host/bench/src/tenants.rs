//! What tenants with plugins cost a host: memory for each at rest, time at the start, and what a hostile one takes from
//! its neighbour.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::host::{Held, Host, KEY};
use crate::neighbour;
use crate::plugins::{self, Caller};
use crate::table;

/// How the bench runs.
#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    /// The binary of Tessera.
    #[arg(long, default_value = "target/dist/tessera")]
    pub(crate) binary: PathBuf,
    /// How many tenants there are, each with an installation, in growing numbers.
    #[arg(long, value_delimiter = ',', default_value = "10,100")]
    tenants: Vec<u32>,
    /// What is measured: tenants at rest with the starts of their host, and neighbours.
    #[arg(long, value_delimiter = ',', default_value = "rest,neighbours")]
    parts: Vec<Part>,
    /// How many rounds; the median counts.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// How long a neighbour is measured in each round, in milliseconds.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) span_ms: u64,
    /// How many issues the healthy tenant makes in a second.
    #[arg(long, default_value_t = 100.0)]
    pub(crate) rate: f64,
    /// From how many places the hostile tenant calls.
    #[arg(long, default_value_t = 4)]
    pub(crate) callers: usize,
}

/// A part of the bench.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Tenants at rest, and the starts of their host.
    Rest,
    /// A healthy tenant beside a hostile one.
    Neighbours,
}

/// How long a host is left alone before it is looked at: what it does after its start is done.
const REST: Duration = Duration::from_millis(1_000);

/// Runs the bench and prints its tables.
pub(crate) async fn run(options: Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("tessera-bench-tenants-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&options, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    measured
}

async fn measure(options: &Options, folder: &Path) -> Result<()> {
    let component = plugins::component(&options.binary, "required-fields")?;
    let (mut sizes, mut neighbours) = (Vec::new(), Value::Null);
    if options.parts.contains(&Part::Rest) {
        for releases in [Releases::Shared, Releases::Own] {
            sizes.extend(Growth::new(options, folder, releases, &component).await?.measure().await?);
        }
        show_memory(&sizes);
        show_starts(&sizes);
    }
    if options.parts.contains(&Part::Neighbours) {
        neighbours = neighbour::measure(options, &folder.join("neighbours"), &component).await?;
    }
    let sizes: Vec<_> = sizes.iter().map(Size::json).collect();
    table::write("tenants", &json!({"tenants": sizes, "neighbours": neighbours}))
}

/// Starts a host on that folder with SQLite.
pub(crate) async fn start(options: &Options, folder: &Path) -> Result<Host> {
    std::fs::create_dir_all(folder)?;
    let secret = ("TESSERA_SECRET_KEY", "a secret for benches, of at least 32 characters");
    Host::start(&options.binary, folder, &[("DB_TYPE", "sqlite"), secret]).await
}

/// Who calls a host as its operator.
pub(crate) fn operator(host: &Host) -> Caller {
    Caller { client: reqwest::Client::new(), http: host.http.clone(), key: KEY.to_owned() }
}

/// Whether tenants upload the same bytes.
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

/// A host's data to which tenants are added, and those of a host that has none.
struct Growth<'a> {
    options: &'a Options,
    releases: Releases,
    component: &'a [u8],
    data: PathBuf,
    bare: PathBuf,
    /// The keys of the tenants, each with a project to make issues in.
    tenants: Vec<(String, String)>,
}

/// How long a start took, in milliseconds.
#[derive(Clone, Copy)]
struct Started {
    /// Until it said that it serves.
    said: f64,
    /// Until `/readyz` was 200.
    ready: f64,
}

/// What one start gave.
struct Round {
    bare: Started,
    started: Started,
    /// After the start, when nobody has called.
    at_rest: Held,
    /// After each tenant has called its plugin.
    called: Held,
}

/// What a number of tenants came to.
struct Size {
    releases: Releases,
    tenants: u32,
    bare: Started,
    started: Started,
    at_rest: Held,
    called: Held,
}

impl<'a> Growth<'a> {
    async fn new(
        options: &'a Options,
        folder: &Path,
        releases: Releases,
        component: &'a [u8],
    ) -> Result<Self> {
        let (data, bare) = (folder.join(releases.name()), folder.join("bare"));
        // Their first start makes the database; it is not what is measured.
        for fresh in [&data, &bare] {
            start(options, fresh).await?.stop().await?;
        }
        Ok(Self { options, releases, component, data, bare, tenants: Vec::new() })
    }

    async fn measure(mut self) -> Result<Vec<Size>> {
        let mut sizes = Vec::new();
        for tenants in [0].into_iter().chain(self.options.tenants.clone()) {
            self.grow(tenants).await?;
            let mut rounds = Vec::new();
            for _ in 0..self.options.rounds {
                rounds.push(self.round().await?);
            }
            sizes.push(Size::of(self.releases, tenants, &rounds));
        }
        Ok(sizes)
    }

    /// Adds tenants until there are so many.
    async fn grow(&mut self, tenants: u32) -> Result<()> {
        let host = start(self.options, &self.data).await?;
        let operator = operator(&host);
        let held = u32::try_from(self.tenants.len())?;
        for number in held..tenants {
            let tenant = operator.tenant(&format!("tenant-{number}")).await?;
            let component = match self.releases {
                Releases::Shared => self.component.to_vec(),
                Releases::Own => plugins::varied(self.component, number),
            };
            plugins::install(&tenant, &component, plugins::RULES_FOR_ALL).await?;
            let project = tenant.project().await?;
            self.tenants.push((tenant.key, project));
        }
        host.stop().await
    }

    async fn round(&self) -> Result<Round> {
        let (host, bare) = timed(self.options, &self.bare).await?;
        host.stop().await?;
        let (host, started) = timed(self.options, &self.data).await?;
        tokio::time::sleep(REST).await;
        let at_rest = host.held()?;
        self.call_all(&host).await?;
        tokio::time::sleep(REST).await;
        let called = host.held()?;
        host.stop().await?;
        Ok(Round { bare, started, at_rest, called })
    }

    /// Each tenant makes an issue, of which its plugin is asked.
    async fn call_all(&self, host: &Host) -> Result<()> {
        let operator = operator(host);
        for (key, project) in &self.tenants {
            let tenant = Caller { key: key.clone(), ..operator.clone() };
            let issue = json!({"project_id": project, "summary": "It leaks", "description": "Since Monday"});
            tenant.post("/v1/issues", &issue).await?;
        }
        Ok(())
    }
}

/// Starts a host, and how long that took.
async fn timed(options: &Options, folder: &Path) -> Result<(Host, Started)> {
    let client = reqwest::Client::new();
    let begin = Instant::now();
    let host = start(options, folder).await?;
    let said = millis(begin);
    let answer = client.get(format!("{}/readyz", host.http)).send().await?;
    ensure!(answer.status() == 200, "it says that it serves, and is not ready");
    Ok((host, Started { said, ready: millis(begin) }))
}

fn millis(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}

impl Size {
    fn of(releases: Releases, tenants: u32, rounds: &[Round]) -> Self {
        let started = |of: fn(&Round) -> Started| Started {
            said: middle(rounds, |round| of(round).said),
            ready: middle(rounds, |round| of(round).ready),
        };
        let held = |of: fn(&Round) -> Held| Held {
            rss: middle(rounds, |round| of(round).rss),
            pss: middle(rounds, |round| of(round).pss),
            own: middle(rounds, |round| of(round).own),
            files: middle(rounds, |round| of(round).files as f64) as usize,
        };
        Self {
            releases,
            tenants,
            bare: started(|round| round.bare),
            started: started(|round| round.started),
            at_rest: held(|round| round.at_rest),
            called: held(|round| round.called),
        }
    }

    fn json(&self) -> Value {
        let started = |of: Started| json!({"said_ms": of.said, "ready_ms": of.ready});
        let held = |of: Held| json!({"rss": of.rss, "pss": of.pss, "anonymous": of.own, "files": of.files});
        json!({
            "releases": self.releases.name(), "tenants": self.tenants,
            "start": started(self.started), "bare_start": started(self.bare),
            "at_rest": held(self.at_rest), "called": held(self.called),
        })
    }
}

/// The figure in the middle.
fn middle(rounds: &[Round], figure: impl Fn(&Round) -> f64) -> f64 {
    let mut figures: Vec<_> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// How memory grows: each row's slope is over the row before it, for what the first tenants bring in (code that had not
/// run, the pool's warm memories) is not what the next one costs.
fn show_memory(sizes: &[Size]) {
    let columns = [
        "component",
        "state",
        "tenants",
        "RSS MB",
        "Pss MB",
        "own MB",
        "files",
        "RSS kB each",
        "Pss kB each",
        "own kB each",
    ];
    let mut rows = Vec::new();
    for (state, of) in
        [("started", (|size| size.at_rest) as fn(&Size) -> Held), ("called", |size| size.called)]
    {
        for (number, size) in sizes.iter().enumerate() {
            let before = number.checked_sub(1).and_then(|before| sizes.get(before));
            let before = before.filter(|before| before.releases == size.releases);
            let (held, grown) = (of(size), before.map(|before| (of(before), size.tenants - before.tenants)));
            let each = |figure: fn(Held) -> f64| {
                let each = grown.map(|(before, more)| (figure(held) - figure(before)) / f64::from(more));
                each.map_or("–".to_owned(), |bytes| format!("{:.1}", bytes / 1e3))
            };
            let whole = |bytes: f64| format!("{:.1}", bytes / 1e6);
            rows.push([
                size.releases.name().to_owned(),
                state.to_owned(),
                size.tenants.to_string(),
                whole(held.rss),
                whole(held.pss),
                whole(held.own),
                held.files.to_string(),
                each(|held| held.rss),
                each(|held| held.pss),
                each(|held| held.own),
            ]);
        }
    }
    table::print(columns, rows);
    println!();
}

/// How long starts take beside that of a host without tenants.
fn show_starts(sizes: &[Size]) {
    let columns = ["component", "tenants", "says so ms", "ready ms", "empty host ms", "ratio", "ms each"];
    let rows = sizes.iter().map(|size| {
        let (ready, floor) = (size.started.ready, size.bare.ready);
        let each = (ready - floor) / f64::from(size.tenants);
        [
            size.releases.name().to_owned(),
            size.tenants.to_string(),
            format!("{:.1}", size.started.said),
            format!("{ready:.1}"),
            format!("{floor:.1}"),
            format!("{:.2}", ready / floor),
            if size.tenants == 0 { "–".to_owned() } else { format!("{each:.3}") },
        ]
    });
    table::print(columns, rows);
    println!();
}
