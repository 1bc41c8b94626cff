//! A closed loop: so many callers, each calling again as soon as it was answered.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// What a loop gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Calls in a second.
    pub(crate) rate: f64,
    /// The time that half of the calls took at most, in milliseconds.
    pub p50: f64,
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
    let took = begin.elapsed();
    ensure!(!times.is_empty(), "not one call was answered");
    times.sort_unstable();
    let at =
        |share: f64| times.get((times.len() as f64 * share) as usize).map_or(0.0, |t| t.as_secs_f64() * 1e3);
    Ok(Measured { rate: times.len() as f64 / took.as_secs_f64(), p50: at(0.5), p99: at(0.99) })
}

/// The one of several measurements that lies in the middle by its rate.
pub(crate) fn median(mut rounds: Vec<Measured>) -> Measured {
    rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let middle = rounds.len() / 2;
    rounds.get(middle).copied().unwrap_or(Measured { rate: 0.0, p50: 0.0, p99: 0.0 })
}
