//! The healthy tenant: requests at a fixed rate, whether or not earlier ones were answered, and one issue with a due
//! timer after another.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::oneshot;

use crate::harness::Rest;
use crate::plugins::install_hostile;

/// The time between two requests.
const INTERVAL: Duration = Duration::from_millis(50);

/// The longest wait for an answer, and for a timer.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The load of the healthy tenant, on a thread of its own: what the attackers' clients compute must not delay it. Ends when
/// dropped.
pub struct Healthy {
    measured: Arc<Mutex<Measured>>,
    last: Quality,
    thread: thread::JoinHandle<()>,
    _stop: oneshot::Sender<()>,
}

#[derive(Default)]
struct Measured {
    latencies: Vec<Duration>,
    faults: Vec<String>,
    timer_delay: Duration,
}

/// The measurements of the healthy tenant during a case.
#[derive(Clone, Default)]
pub struct Quality {
    requests: usize,
    pub p50: Duration,
    pub p95: Duration,
    pub faults: Vec<String>,
    /// The longest time from a timer's due time to its effect.
    pub timer_delay: Duration,
}

impl Quality {
    pub const HEADER: &str = "requests       p50       p95 errors  timers";
}

impl fmt::Display for Quality {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, p50, p95, faults, timer_delay } = self;
        write!(text, "{requests:>8} {p50:>9.1?} {p95:>9.1?} {:>6} {timer_delay:>7.1?}", faults.len())
    }
}

/// Creates a project in which each new issue gets a timer that is due at once.
pub async fn prepare(rest: &Rest) -> String {
    let project = rest.project("Healthy").await;
    install_hostile(rest, json!({"settings": {"act": "timer", "amount": 0}, "project_id": project})).await;
    project
}

impl Healthy {
    pub fn start(rest: &Rest, project: &str) -> Self {
        let measured: Arc<Mutex<Measured>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn({
            // A client's connections belong to the runtime that opened them.
            let rest = Rest { client: reqwest::Client::new(), ..rest.clone() };
            let (project, measured) = (project.to_owned(), Arc::clone(&measured));
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        () = load(rest.clone(), project.clone(), Arc::clone(&measured)) => {}
                        () = time_timers(rest, project, measured) => {}
                    }
                });
            }
        });
        Self { measured, last: Quality::default(), thread, _stop: stop }
    }

    /// Returns the measurements since the last call.
    pub fn take(&mut self) -> Quality {
        assert!(!self.thread.is_finished(), "the healthy tenant stopped");
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let Measured { mut latencies, faults, timer_delay } = std::mem::take(&mut *measured);
        drop(measured);
        latencies.sort_unstable();
        let requests = latencies.len();
        let percentile =
            |percent: usize| latencies.get(requests * percent / 100).copied().unwrap_or_default();
        self.last = Quality { requests, p50: percentile(50), p95: percentile(95), faults, timer_delay };
        self.last.clone()
    }

    /// Returns the measurements of the last call of `take`.
    pub fn last(&self) -> Quality {
        self.last.clone()
    }
}

/// Sends requests at a fixed rate. Latencies count from when a request is due, so that waiting counts.
async fn load(rest: Rest, project: String, measured: Arc<Mutex<Measured>>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    for n in 0_u64.. {
        let due = ticks.tick().await.into_std();
        let request = match n % 4 {
            0 => creation(&rest, &project),
            1 => rest.request(Method::GET, "/v1/issues?page_size=20"),
            2 => rest.request(Method::GET, &format!("/v1/projects/{project}")),
            _ => rest.request(Method::GET, "/v1/me"),
        };
        let measured = Arc::clone(&measured);
        tokio::spawn(async move {
            let outcome = answer(request).await;
            let mut measured = measured.lock().unwrap_or_else(PoisonError::into_inner);
            measured.latencies.push(due.elapsed());
            measured.faults.extend(outcome.err());
        });
    }
}

/// Creates issues, and compares the time of each timer's comment with the time of its issue.
async fn time_timers(rest: Rest, project: String, measured: Arc<Mutex<Measured>>) {
    loop {
        // A creation that fails is counted by the load.
        if let Ok(created) = answer(creation(&rest, &project)).await {
            let issue = &created["issue"];
            let path = format!("/v1/issues/{}/comments", issue["issue_id"].as_str().unwrap());
            let delay = delay(&rest, &path, time_of(issue, "create_date")).await;
            let mut measured = measured.lock().unwrap_or_else(PoisonError::into_inner);
            measured.timer_delay = measured.timer_delay.max(delay);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Waits for the comment of a timer; returns its time after the timer was due.
async fn delay(rest: &Rest, path: &str, due: OffsetDateTime) -> Duration {
    let begin = Instant::now();
    while begin.elapsed() < MAX_WAIT {
        if let Ok(comments) = answer(rest.request(Method::GET, path)).await
            && let Some(comment) = comments["comments"].get(0)
        {
            return (time_of(comment, "created_at") - due).unsigned_abs();
        }
        tokio::time::sleep(INTERVAL).await;
    }
    MAX_WAIT
}

fn creation(rest: &Rest, project: &str) -> RequestBuilder {
    rest.request(Method::POST, "/v1/issues").json(&json!({"project_id": project, "summary": "s"}))
}

fn time_of(object: &Value, field: &str) -> OffsetDateTime {
    OffsetDateTime::parse(object[field].as_str().unwrap(), &Rfc3339).unwrap()
}

/// Sends a request; returns its answer, or why it failed.
async fn answer(request: RequestBuilder) -> Result<Value, String> {
    let response = request.timeout(MAX_WAIT).send().await.map_err(|error| format!("{error:?}"))?;
    let status = response.status();
    let body = response.json::<Value>().await.map_err(|error| format!("{error:?}"))?;
    if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}")) }
}
