//! Load generators. In a closed loop each caller sends its next call as soon as it has a response; in an open loop calls
//! are sent at a fixed rate.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tessera_proto::issues::v1::CreateIssueRequest;
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tokio::task::JoinHandle;
use tonic::Request;
use tonic::transport::Channel;

/// Rate and latencies of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measurement {
    /// Calls per second.
    pub(crate) rate: f64,
    /// Median of the latency in milliseconds.
    pub(crate) p50: f64,
    /// 95th percentile of the latency in milliseconds.
    pub(crate) p95: f64,
    /// 99th percentile of the latency in milliseconds.
    pub(crate) p99: f64,
}

/// Runs `callers` in a closed loop for `span`. `call` gets the number of the caller and of its call.
pub(crate) async fn closed_loop<F, C>(callers: usize, span: Duration, call: C) -> Result<Measurement>
where
    C: Fn(usize, usize) -> F + Clone + Send + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let call = call.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while start.elapsed() < span {
                    let sent = Instant::now();
                    call(caller, latencies.len()).await?;
                    latencies.push(sent.elapsed());
                }
                anyhow::Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    summarize(latencies, start.elapsed())
}

/// Runs an open loop for `span`. `call` gets the number of the call. Its latency is counted from the time at which it was
/// due, so that queueing is included.
pub(crate) async fn open_loop<F, C>(rate: f64, span: Duration, call: C) -> Result<Measurement>
where
    C: Fn(usize) -> F + Clone + Send + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let start = Instant::now();
    let calls = (span.as_secs_f64() * rate) as usize;
    let send_all = move || {
        let tasks = (0..calls).map(|number| {
            let due = start + Duration::from_secs_f64(number as f64 / rate);
            sleep_until(due);
            let response = call(number);
            tokio::spawn(async move {
                response.await?;
                anyhow::Ok(due.elapsed())
            })
        });
        tasks.collect::<Vec<JoinHandle<_>>>()
    };
    let mut latencies = Vec::with_capacity(calls);
    for task in tokio::task::spawn_blocking(send_all).await? {
        latencies.push(task.await??);
    }
    summarize(latencies, start.elapsed())
}

/// Creates issues in an open loop for `span`; each creation must succeed. `request` returns the next request.
pub(crate) async fn create_issues<R>(
    client: IssuesServiceClient<Channel>,
    (rate, span): (f64, Duration),
    request: R,
) -> Result<Measurement>
where
    R: Fn() -> Result<Request<CreateIssueRequest>> + Clone + Send + 'static,
{
    open_loop(rate, span, move |_| {
        let (mut client, request) = (client.clone(), request());
        async move {
            client.create_issue(request?).await?;
            Ok(())
        }
    })
    .await
}

/// Sleeps on the thread: tokio's timers have a resolution of a millisecond, which is as long as the latencies.
#[expect(clippy::disallowed_methods, reason = "runs on a thread of its own")]
fn sleep_until(due: Instant) {
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
}

fn summarize(mut latencies: Vec<Duration>, elapsed: Duration) -> Result<Measurement> {
    ensure!(!latencies.is_empty(), "no call was answered");
    latencies.sort_unstable();
    let percentile = |share: f64| {
        latencies.get((latencies.len() as f64 * share) as usize).map_or(0.0, |t| t.as_secs_f64() * 1e3)
    };
    let rate = latencies.len() as f64 / elapsed.as_secs_f64();
    Ok(Measurement { rate, p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99) })
}

/// Measures subject and floor in alternation, so that other load on the machine affects both. Returns the medians.
pub(crate) async fn alternate<A, B>(
    rounds: usize,
    mut subject: impl FnMut() -> A,
    mut floor: impl FnMut() -> B,
) -> Result<(Measurement, Measurement)>
where
    A: Future<Output = Result<Measurement>>,
    B: Future<Output = Result<Measurement>>,
{
    let (mut subjects, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        subjects.push(subject().await?);
        floors.push(floor().await?);
    }
    Ok((median(subjects), median(floors)))
}

/// Returns the round with the median rate.
pub(crate) fn median(rounds: Vec<Measurement>) -> Measurement {
    median_by(rounds, |round| round.rate)
}

/// Returns the round with the median of a figure.
pub(crate) fn median_by(mut rounds: Vec<Measurement>, figure: impl Fn(&Measurement) -> f64) -> Measurement {
    rounds.sort_by(|a, b| figure(a).total_cmp(&figure(b)));
    let middle = rounds.len() / 2;
    rounds.get(middle).copied().unwrap_or(Measurement { rate: 0.0, p50: 0.0, p95: 0.0, p99: 0.0 })
}
