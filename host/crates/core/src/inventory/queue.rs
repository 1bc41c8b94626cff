//! One queue for each event: what arrives while a transaction is in flight goes together into the next.
//!
//! A lone command goes at once. A full queue refuses at once. Hosts share nothing but the rows of the pools.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, TenantId};
use crate::inventory::rules::is_short;
use crate::inventory::{Command, Job, Outcome};
use crate::outbox::Feed;
use crate::ports::{BatchDone, Store};

/// The most commands in one transaction.
pub const MAX_BATCH: usize = 256;

/// The most that wait for one event.
pub const MAX_WAITING: usize = 2_048;

/// How often a batch is tried that others were faster than.
const ATTEMPTS: u32 = 5;

type Key = (TenantId, EventId);

/// A command and who waits for its outcome.
struct Entry {
    job: Arc<Job>,
    reply: oneshot::Sender<Result<Outcome>>,
}

/// The queues of all events for which something is being done.
#[derive(Clone)]
pub struct Combiner {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    queues: Arc<Mutex<HashMap<Key, VecDeque<Entry>>>>,
}

impl Combiner {
    /// Carries commands out against a store; the feed learns of what they change.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, feed: Arc<Feed>) -> Self {
        Self { store, feed, queues: Arc::default() }
    }

    /// Puts a command into its event's queue and waits for its outcome.
    pub async fn submit(&self, tenant: TenantId, event: EventId, job: Job) -> Result<Outcome> {
        let (reply, outcome) = oneshot::channel();
        self.enter((tenant, event), Entry { job: Arc::new(job), reply })?;
        outcome.await.unwrap_or_else(|_| Err(Error::internal(anyhow::anyhow!("a command without a verdict"))))
    }

    fn enter(&self, key: Key, entry: Entry) -> Result<()> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get_mut(&key) {
            if queue.len() >= MAX_WAITING {
                let message = "too many requests wait for this event; try again a little later";
                return Err(Error::unavailable(message, Duration::from_secs(1)));
            }
            queue.push_back(entry);
            return Ok(());
        }
        queues.insert(key, VecDeque::from([entry]));
        drop(queues);
        let own = self.clone();
        // A task of its own: who waits may leave at any time.
        tokio::spawn(async move { own.run(key).await });
        Ok(())
    }

    /// Carries out what waits for an event, until nothing does.
    async fn run(self, key: Key) {
        let mut running = Running { queues: &self.queues, key, ended: false };
        // Whether the last batch was short of supply: then it is looked before it is locked.
        let mut short = false;
        while let Some(entries) = self.next(key) {
            let (jobs, replies): (Vec<_>, Vec<_>) =
                entries.into_iter().map(|entry| (entry.job, entry.reply)).unzip();
            let verdicts = self.carry_out(key, &jobs, short).await;
            short = verdicts.iter().any(is_short);
            for (reply, verdict) in replies.into_iter().zip(verdicts) {
                // Who left meanwhile reads the outcome later, by its key or by the rows.
                let _ = reply.send(verdict);
            }
        }
        running.ended = true;
    }

    /// The next batch; none, and the queue is gone: nothing waits.
    fn next(&self, key: Key) -> Option<Vec<Entry>> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.get_mut(&key)?;
        let mut batch = Vec::new();
        while batch.len() < MAX_BATCH
            && let Some(entry) = queue.pop_front()
        {
            batch.extend(wanted(entry));
        }
        if batch.is_empty() {
            queues.remove(&key);
            return None;
        }
        Some(batch)
    }

    async fn carry_out(&self, key: Key, jobs: &[Arc<Job>], short: bool) -> Vec<Result<Outcome>> {
        if short
            && jobs.iter().all(|job| matches!(job.command, Command::Reserve(_)))
            && let Ok(Some(verdicts)) = self.store.peek_batch(key.0, key.1, jobs).await
        {
            return verdicts;
        }
        match self.store.run_batch(key.0, key.1, jobs).await {
            Ok(done) => self.learned(key, done),
            // The connection failed, not a command: trying each by itself would only take longer.
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                jobs.iter().map(|_| Err(away(&error))).collect()
            }
            Err(_) if jobs.len() > 1 => {
                let mut verdicts = Vec::with_capacity(jobs.len());
                for job in jobs {
                    verdicts.push(self.alone(key, job).await);
                }
                verdicts
            }
            Err(error) if error.is_stale() => vec![self.alone(key, &jobs[0]).await],
            Err(error) => vec![Err(error)],
        }
    }

    /// Carries one command out by itself.
    async fn alone(&self, key: Key, job: &Arc<Job>) -> Result<Outcome> {
        for _ in 0..ATTEMPTS {
            if Instant::now() >= job.deadline {
                return Err(Error::deadline());
            }
            match self.store.run_batch(key.0, key.1, std::slice::from_ref(job)).await {
                Ok(done) => {
                    let verdict = self.learned(key, done).pop();
                    return verdict.unwrap_or_else(|| {
                        Err(Error::internal(anyhow::anyhow!("a command without a verdict")))
                    });
                }
                Err(error) if error.is_stale() => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::stale())
    }

    fn learned(&self, (tenant, _): Key, done: BatchDone) -> Vec<Result<Outcome>> {
        self.feed.committed(tenant, &done.objects);
        done.verdicts
    }
}

/// A queue with its runner. Where the runner is gone without having ended, so is the queue, and nobody waits for it.
struct Running<'a> {
    queues: &'a Mutex<HashMap<Key, VecDeque<Entry>>>,
    key: Key,
    ended: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.queues.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        }
    }
}

/// The same error for another of those whom it met.
fn away(error: &Error) -> Error {
    Error::unavailable(error.message(), error.retry_after().unwrap_or(Duration::from_secs(1)))
}

/// The command, if somebody still waits for it in time.
fn wanted(entry: Entry) -> Option<Entry> {
    if entry.reply.is_closed() {
        return None;
    }
    if Instant::now() >= entry.job.deadline {
        let _ = entry.reply.send(Err(Error::deadline()));
        return None;
    }
    Some(entry)
}
