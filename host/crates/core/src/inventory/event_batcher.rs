//! One queue for each event: commands that arrive while a transaction runs go together into the next one.
//!
//! A lone command is carried out at once. A full queue refuses at once. A batch is bounded by its commands and by their
//! units, so that its time and its memory are bounded. Sweeps do not wait behind clients' commands,
//! and have batches of their own. Hosts share only the rows of the pools.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, TenantId};
use crate::inventory::job::{MAX_BATCH_UNITS, is_exhausted};
use crate::inventory::{Command, Job, JobOutcome};
use crate::outbox::Feed;
use crate::ports::{BatchResult, Store};
use crate::retry::Attempts;

/// The most commands in one transaction.
pub const MAX_BATCH: usize = 256;

/// The most commands in the queue of one event. Sweeps are not counted.
pub const MAX_WAITING: usize = 2_048;

type Key = (TenantId, EventId);

/// A command with the channel of its caller.
struct Entry {
    job: Arc<Job>,
    reply: oneshot::Sender<Result<JobOutcome>>,
}

/// The queues of all events with commands in progress.
#[derive(Clone)]
pub struct EventBatcher {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    queues: Arc<Mutex<HashMap<Key, VecDeque<Entry>>>>,
}

impl EventBatcher {
    /// Creates a batcher that commits to `store` and notifies `feed` of changes.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, feed: Arc<Feed>) -> Self {
        Self { store, feed, queues: Arc::default() }
    }

    /// Puts a command into its event's queue, and waits for its outcome.
    pub async fn submit(&self, tenant: TenantId, event: EventId, job: Job) -> Result<JobOutcome> {
        let (reply, outcome) = oneshot::channel();
        self.enqueue((tenant, event), Entry { job: Arc::new(job), reply })?;
        outcome.await.unwrap_or_else(|_| Err(no_outcome()))
    }

    fn enqueue(&self, key: Key, entry: Entry) -> Result<()> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get_mut(&key) {
            if entry.job.is_sweep() {
                queue.push_front(entry);
                return Ok(());
            }
            if queue.len() >= MAX_WAITING {
                let message = "too many requests wait for this event; try again a little later";
                return Err(Error::unavailable(message, Duration::from_secs(1)));
            }
            queue.push_back(entry);
            return Ok(());
        }
        queues.insert(key, VecDeque::from([entry]));
        drop(queues);
        let batcher = self.clone();
        // A task of its own, since a caller may be cancelled at any time.
        tokio::spawn(async move { batcher.run(key).await });
        Ok(())
    }

    /// Carries out the commands of an event's queue until it is empty.
    async fn run(self, key: Key) {
        let mut runner = Runner { queues: &self.queues, key, ended: false };
        // Whether the last batch ran out of units: then the next one is first tried without a lock.
        let mut exhausted = false;
        while let Some(entries) = self.next_batch(key) {
            let (jobs, replies): (Vec<_>, Vec<_>) =
                entries.into_iter().map(|entry| (entry.job, entry.reply)).unzip();
            let outcomes = self.carry_out(key, &jobs, exhausted).await;
            exhausted = outcomes.iter().any(is_exhausted);
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                // A caller that is gone can repeat the request with its key, or read the reservation.
                let _ = reply.send(outcome);
            }
        }
        runner.ended = true;
    }

    /// Takes the next batch. Removes the queue and returns `None` if it is empty.
    fn next_batch(&self, key: Key) -> Option<Vec<Entry>> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.get_mut(&key)?;
        let batch = take_batch(queue);
        if batch.is_empty() {
            queues.remove(&key);
            return None;
        }
        Some(batch)
    }

    async fn carry_out(&self, key: Key, jobs: &[Arc<Job>], exhausted: bool) -> Vec<Result<JobOutcome>> {
        if exhausted
            && jobs.iter().all(|job| matches!(job.command, Command::Reserve(_)))
            && let Ok(Some(outcomes)) = self.store.peek_batch(key.0, key.1, jobs).await
        {
            return outcomes;
        }
        match self.store.run_batch(key.0, key.1, jobs).await {
            Ok(result) => self.committed(key, result),
            // The connection failed, not a command: carrying out each one alone would only take longer.
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                jobs.iter().map(|_| Err(same_unavailable(&error))).collect()
            }
            Err(_) if jobs.len() > 1 => {
                let mut outcomes = Vec::with_capacity(jobs.len());
                for job in jobs {
                    outcomes.push(self.carry_out_alone(key, job).await);
                }
                outcomes
            }
            Err(error) if error.is_stale() => vec![self.carry_out_alone(key, &jobs[0]).await],
            Err(error) => vec![Err(error)],
        }
    }

    /// Carries out one command in a transaction of its own.
    async fn carry_out_alone(&self, key: Key, job: &Arc<Job>) -> Result<JobOutcome> {
        let mut attempts = Attempts::new(job.deadline);
        loop {
            attempts.next().await?;
            match self.store.run_batch(key.0, key.1, std::slice::from_ref(job)).await {
                Ok(result) => return self.committed(key, result).pop().unwrap_or_else(|| Err(no_outcome())),
                Err(error) if error.is_stale() => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn committed(&self, (tenant, _): Key, result: BatchResult) -> Vec<Result<JobOutcome>> {
        self.feed.committed(tenant, &result.objects);
        result.outcomes
    }
}

/// Removes the queue if its task ends early, so that no command waits in a queue without a task.
struct Runner<'a> {
    queues: &'a Mutex<HashMap<Key, VecDeque<Entry>>>,
    key: Key,
    ended: bool,
}

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.queues.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        }
    }
}

fn no_outcome() -> Error {
    Error::internal(anyhow::anyhow!("a command ended without an outcome"))
}

/// Copies an error for another command of the same batch.
fn same_unavailable(error: &Error) -> Error {
    Error::unavailable(error.message(), error.retry_after().unwrap_or(Duration::from_secs(1)))
}

/// Takes the commands of the next transaction.
fn take_batch(queue: &mut VecDeque<Entry>) -> Vec<Entry> {
    let (mut batch, mut units) = (Vec::new(), 0);
    while batch.len() < MAX_BATCH
        && let Some(entry) = queue.pop_front_if(|entry| {
            batch.is_empty() || (!entry.job.is_sweep() && units + entry.job.units <= MAX_BATCH_UNITS)
        })
    {
        let Some(entry) = drop_expired(entry) else { continue };
        units += entry.job.units;
        let is_sweep = entry.job.is_sweep();
        batch.push(entry);
        if is_sweep {
            break;
        }
    }
    batch
}

/// Drops a command whose caller is gone or whose deadline has passed.
fn drop_expired(entry: Entry) -> Option<Entry> {
    if entry.reply.is_closed() {
        return None;
    }
    if Instant::now() >= entry.job.deadline {
        let _ = entry.reply.send(Err(Error::deadline()));
        return None;
    }
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctx::{Ctx, IfVersion, Principal, Transport};
    use crate::id::ReservationId;
    use crate::time::Timestamp;

    type Outcome = oneshot::Receiver<Result<JobOutcome>>;

    fn entry(command: Command, units: usize) -> (Entry, Outcome) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let ctx = Ctx::new(
            TenantId::generate(),
            Principal::System,
            "test".into(),
            (Timestamp::default(), deadline),
            Transport::Internal,
        );
        let (reply, outcome) = oneshot::channel();
        (Entry { job: Arc::new(Job::new(&ctx, command, None).of_units(units)), reply }, outcome)
    }

    fn confirm(units: usize) -> (Entry, Outcome) {
        let id = ReservationId::generate();
        let payment_reference = "paid".to_owned();
        entry(Command::Confirm { id, payment_reference, if_version: IfVersion::default() }, units)
    }

    fn units(batch: &[Entry]) -> Vec<usize> {
        batch.iter().map(|entry| entry.job.units).collect()
    }

    #[test]
    fn batches_are_bounded_by_units_and_by_commands() {
        let sizes = [400, 600, 1, MAX_BATCH_UNITS, 3_000, 5];
        let (entries, _outcomes): (Vec<_>, Vec<_>) = sizes.into_iter().map(confirm).unzip();
        let mut queue = VecDeque::from(entries);
        let mut batches = std::iter::from_fn(|| Some(units(&take_batch(&mut queue))));
        assert_eq!(batches.next().unwrap(), [400, 600]);
        assert_eq!(batches.next().unwrap(), [1]);
        assert_eq!(batches.next().unwrap(), [MAX_BATCH_UNITS]);
        assert_eq!(batches.next().unwrap(), [3_000]);
        assert_eq!(batches.next().unwrap(), [5]);
        let (entries, _outcomes): (Vec<_>, Vec<_>) = (0..MAX_BATCH + 1).map(|_| confirm(1)).unzip();
        let mut queue = VecDeque::from(entries);
        assert_eq!(take_batch(&mut queue).len(), MAX_BATCH);
        assert_eq!(take_batch(&mut queue).len(), 1);
    }

    #[test]
    fn sweeps_have_batches_of_their_own_and_commands_without_callers_are_dropped() {
        let (first, _outcome) = confirm(2);
        let (left, outcome) = confirm(MAX_BATCH_UNITS);
        drop(outcome);
        let (sweep, _swept) = entry(Command::Sweep, 1);
        let (last, _last) = confirm(3);
        let mut queue = VecDeque::from([left, first, sweep, last]);
        assert_eq!(units(&take_batch(&mut queue)), [2]);
        assert!(take_batch(&mut queue).iter().all(|entry| entry.job.is_sweep()));
        assert_eq!(units(&take_batch(&mut queue)), [3]);
    }
}
