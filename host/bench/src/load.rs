//! A closed loop: so many callers, each calling again as soon as it was answered. And an open one: so many calls in a
//! second, whether earlier ones were answered or not.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinHandle;

/// What a loop gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Calls in a second.
    pub(crate) rate: f64,
    /// The time that half of the calls took at most, in milliseconds.
    pub p50: f64,
    /// The time that all but one in twenty took at most, in milliseconds.
    pub p95: f64,
    /// The time that all but one in a hundred took at most, in milliseconds.
    pub p99: f64,
}

/// Calls from `callers` places for `span`; `call` gets the caller's number and that of its call.
pub(crate) async fn closed<F, C>(callers: usize, span: Duration, call: C) -> Result<Measured>
where
    C: Fn(usize, usize) -> F + Clone + Send + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let begin = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let call = call.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                while begin.elapsed() < span {
                    let at = Instant::now();
                    call(caller, times.len()).await?;
                    times.push(at.elapsed());
                }
                anyhow::Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    measured(times, begin.elapsed())
}

/// Calls so many times a second for `span`. The time of a call begins when it was due, so that waiting counts; `call`
/// gets its number.
pub(crate) async fn open<F, C>(rate: f64, span: Duration, call: C) -> Result<Measured>
where
    C: Fn(usize) -> F + Clone + Send + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let begin = Instant::now();
    let calls = (span.as_secs_f64() * rate) as usize;
    let pace = move || {
        let begun = (0..calls).map(|number| {
            let due = begin + Duration::from_secs_f64(number as f64 / rate);
            wait_until(due);
            let called = call(number);
            tokio::spawn(async move {
                called.await?;
                anyhow::Ok(due.elapsed())
            })
        });
        begun.collect::<Vec<JoinHandle<_>>>()
    };
    let mut times = Vec::with_capacity(calls);
    for task in tokio::task::spawn_blocking(pace).await? {
        times.push(task.await??);
    }
    measured(times, begin.elapsed())
}

/// The runtime's own timers are a millisecond wide, which is as much as what is measured.
#[expect(clippy::disallowed_methods, reason = "the pace is kept by a thread of its own")]
fn wait_until(due: Instant) {
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
}

fn measured(mut times: Vec<Duration>, took: Duration) -> Result<Measured> {
    ensure!(!times.is_empty(), "not one call was answered");
    times.sort_unstable();
    let at =
        |share: f64| times.get((times.len() as f64 * share) as usize).map_or(0.0, |t| t.as_secs_f64() * 1e3);
    let rate = times.len() as f64 / took.as_secs_f64();
    Ok(Measured { rate, p50: at(0.5), p95: at(0.95), p99: at(0.99) })
}

/// The one of several measurements that lies in the middle by its rate.
pub(crate) fn median(rounds: Vec<Measured>) -> Measured {
    median_by(rounds, |round| round.rate)
}

/// The one of several measurements that lies in the middle by that figure.
pub(crate) fn median_by(mut rounds: Vec<Measured>, figure: impl Fn(&Measured) -> f64) -> Measured {
    rounds.sort_by(|a, b| figure(a).total_cmp(&figure(b)));
    let middle = rounds.len() / 2;
    rounds.get(middle).copied().unwrap_or(Measured { rate: 0.0, p50: 0.0, p95: 0.0, p99: 0.0 })
}
