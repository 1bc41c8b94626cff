//! Attacks by a hostile tenant, its plugins and clients without a key, one after another beside a healthy tenant.
//!
//! Each case makes the attack that it is named for, and reports what the host answered. The table shows what the healthy
//! tenant noticed meanwhile and what the host used. `cargo xtask trials hostile` runs all cases at full size, and fails
//! if a bound is exceeded.

mod healthy;
mod plugins;
mod readers;
mod uploads;
mod usage;
mod writes;

use std::time::{Duration, Instant};

use self::healthy::{Healthy, Quality};
use self::usage::{Usage, left_behind};
use super::{is_long, size, tenant};
use crate::harness::{Answer, Grpc, Home, Host, Kind, Rest};
use crate::plugins::make_due;

/// The most memory of the host.
const MAX_MEMORY: u64 = 300_000_000;

/// The most that a healthy tenant's requests may take, unless they take as long without an attack.
const MAX_P95: Duration = Duration::from_millis(50);

/// The longest time from a timer's due time to its effect; a host looks for due timers twice a second.
const MAX_TIMER_DELAY: Duration = Duration::from_secs(1);

/// The longest start of a host whose releases are not compiled: the wait for them, and the rest of the start.
const MAX_START: Duration = Duration::from_secs(12);

/// Returns the settings of the host. At full size slow compilations are refused early, so that a run takes minutes; a
/// test build on a busy machine has more time for calls.
fn settings() -> [(&'static str, &'static str); 3] {
    let (compile, call) = if is_long() { ("5000", "250") } else { ("60000", "10000") };
    [("TESSERA_PLUGIN_COMPILE_MS", compile), ("TESSERA_PLUGIN_TIME_MS", call), ("LOG_LEVEL", "info")]
}

/// The result of a case: a summary of the answers, or the requirement that was broken.
pub type Outcome = Result<String, String>;

/// The host, and a client of the hostile tenant's admin.
pub struct Attack<'a> {
    host: &'a Host,
    rest: Rest,
    project: String,
}

impl Attack<'_> {
    fn key(&self) -> Option<&str> {
        self.rest.key.as_deref()
    }

    /// Opens a connection over gRPC.
    async fn grpc(&self) -> Grpc {
        self.host.grpc().await.with_key(self.key())
    }

    async fn upload(&self, component: Vec<u8>) -> Answer {
        let request = self.rest.request(reqwest::Method::POST, "/v1/releases");
        self.rest.send(request.header("content-type", "application/wasm").body(component)).await
    }
}

/// Runs cases and collects the broken requirements.
struct Report {
    usage: Usage,
    healthy: Healthy,
    /// The healthy tenant without an attack.
    alone: Quality,
    broken: Vec<String>,
}

impl Report {
    async fn case(&mut self, name: &str, case: impl Future<Output = Outcome>) {
        self.usage.reset_peak();
        let outcome = Box::pin(case).await;
        // The next case begins when the host is at rest again.
        tokio::time::sleep(Duration::from_millis(size(300, 1_000) as u64)).await;
        let (quality, memory) = (self.healthy.take(), self.usage.peak());
        let note = outcome.as_deref().unwrap_or_else(String::as_str);
        println!("{name:28} {quality} {:>6} MB  {note}", memory / 1_000_000);
        let max_p95 = MAX_P95.max(self.alone.p95 * 3 / 2);
        // A test build on a busy machine has no times to compare.
        let is_slow = is_long() && quality.p95 > max_p95;
        let is_late = is_long() && quality.timer_delay > MAX_TIMER_DELAY;
        for (is_broken, what) in [
            (outcome.is_err(), note.to_owned()),
            (!quality.faults.is_empty(), format!("the healthy tenant: {:?}", quality.faults.first())),
            (is_slow, format!("the healthy tenant's p95 is {:?}; at most {max_p95:?}", quality.p95)),
            (is_late, format!("a timer fired after {:?}", quality.timer_delay)),
            (memory > MAX_MEMORY, format!("the host took {memory} bytes; at most {MAX_MEMORY}")),
        ] {
            if is_broken {
                self.broken.push(format!("{name}: {what}"));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn healthy_tenant_and_host_withstand_every_attack_on_sqlite() {
    Box::pin(run(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn healthy_tenant_and_host_withstand_every_attack_on_postgres() {
    Box::pin(run(Kind::Postgres)).await;
}

async fn run(kind: Kind) {
    let home = Home::new(kind).await;
    let mut host = Host::start_with(&home, &settings()).await;
    let (attacker, other) = (tenant(&host.rest(), "hostile").await, tenant(&host.rest(), "healthy").await);
    let project = healthy::prepare(&other).await;
    let timers = plugins::set_timers(&attacker, &host.grpc().await.with_key(attacker.key.as_deref())).await;
    host.kill();
    make_due(&home, 0).await;

    let host = Host::start_with(&home, &settings()).await;
    let (attacker, other) =
        (host.rest().with_key(attacker.key.as_deref()), host.rest().with_key(other.key.as_deref()));
    let healthy = Healthy::start(&other, &project);
    println!("\n{kind:?}\n{:28} {} {:>9}  answers", "attack", Quality::HEADER, "memory");
    let attack = Attack { host: &host, project: attacker.project("Attack").await, rest: attacker };
    let mut report =
        Report { usage: Usage::of(&host), healthy, alone: Quality::default(), broken: Vec::new() };
    report.case("due timers", plugins::due_timers(&attack, &timers)).await;
    report.case("none", rest()).await;
    report.alone = report.healthy.last();
    report.case("calls of hostile plugins", plugins::calls(&attack)).await;
    report.case("long names in backtraces", plugins::backtraces(&attack)).await;
    report.case("schemas of settings", plugins::schemas(&attack)).await;
    report.case("refused uploads", uploads::refused(&attack)).await;
    report.case("uploads at once", uploads::concurrent(&attack)).await;
    report.case("slow compilation", uploads::slow(&attack)).await;
    report.case("unfinished uploads", readers::unfinished_uploads(&attack)).await;
    report.case("large objects", readers::large_objects(&attack)).await;
    report.case("pages that are not read", readers::pages(&attack)).await;
    report.case("streams that are not read", readers::streams(&attack)).await;
    report.case("large confirmations", writes::confirmations(&attack)).await;
    report.case("requests in flight", writes::flood(&attack)).await;
    let left = left_behind(&home, [&attack.rest, &other]).await;
    println!("files of components that are not stored: {left} bytes");
    if left > 0 {
        report.broken.push(format!("{left} bytes are left behind"));
    }
    uploads::install_heavy(&attack).await;
    let mut broken = report.broken;
    drop(report.healthy);
    drop(host);
    std::fs::remove_dir_all(home.folder.join("plugins")).unwrap();
    let begin = Instant::now();
    let _host = Host::start_with(&home, &settings()).await;
    println!("start without compiled releases: {:?}", begin.elapsed());
    if is_long() && begin.elapsed() > MAX_START {
        broken.push(format!("a start took {:?}", begin.elapsed()));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Waits without an attack: the baseline of the healthy tenant and of the host.
async fn rest() -> Outcome {
    tokio::time::sleep(Duration::from_secs(size(1, 10) as u64)).await;
    Ok("no attack".to_owned())
}
