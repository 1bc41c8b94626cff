//! The log of calls: the latest calls of each installation on this host, kept in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::id::InstallationId;
use crate::plugin::{Failure, LogLine, LookupRecord, Outcome, Refusal, Reply, Usage};
use crate::time::Timestamp;

/// The number of calls that are kept of an installation.
pub const MAX_RECORDS: usize = 100;

/// The most installations whose calls are kept; those without a call for the longest time are dropped first.
const MAX_INSTALLATIONS: usize = 10_000;

/// The record of one call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallRecord {
    /// Its number on this host; later calls have greater numbers.
    pub number: u64,
    /// The time of its begin.
    pub at: Timestamp,
    /// The function that was called, such as `validate` or `on-change`.
    pub function: &'static str,
    /// The plugin with its version, such as `support-sla@1.2.0`.
    pub release: String,
    /// The id of the request.
    pub request_id: String,
    /// The kind and the id of the entity that it was about.
    pub subject: Option<(String, String)>,
    /// How it ended.
    pub verdict: Verdict,
    /// The resources that it used.
    pub usage: Usage,
    /// Its log.
    pub log: Vec<LogLine>,
    /// Whether log lines were cut.
    pub log_was_cut: bool,
    /// Its look-ups.
    pub lookups: Vec<LookupRecord>,
}

/// The most bytes of a text and the most entries of a list in a record.
const MAX_TEXT: usize = 1_024;
const MAX_LIST: usize = 20;

impl CallRecord {
    /// Splits the outcome of a call into its record and its reply.
    pub fn new(
        (at, request_id): (Timestamp, String),
        release: String,
        (function, subject): (&'static str, Option<(String, String)>),
        outcome: Outcome,
    ) -> (Self, Result<Reply, Failure>) {
        let verdict = Verdict::of(&outcome);
        let Outcome { reply, usage, log, log_was_cut, lookups } = outcome;
        let record = Self {
            number: 0,
            at,
            function,
            release,
            request_id,
            subject,
            verdict,
            usage,
            log,
            log_was_cut,
            lookups,
        };
        (record, reply)
    }

    /// Cuts long refusals: many records are kept.
    fn cut(&mut self) {
        if let Verdict::Refused(refusals) = &mut self.verdict {
            refusals.truncate(MAX_LIST);
            for refusal in refusals {
                refusal.message.truncate(refusal.message.floor_char_boundary(MAX_TEXT));
                refusal
                    .field
                    .iter_mut()
                    .for_each(|field| field.truncate(field.floor_char_boundary(MAX_TEXT)));
            }
        }
    }
}

/// The way in which a call ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It accepted the request, or replied.
    Accepted,
    /// It returned this number of effects.
    Effects(usize),
    /// It refused the request, for these reasons.
    Refused(Vec<Refusal>),
    /// It failed.
    Failed(Failure),
}

impl Verdict {
    /// Returns the verdict of an outcome.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        match &outcome.reply {
            Err(failure) => Self::Failed(failure.clone()),
            Ok(Reply::Verdict(refusals)) if refusals.is_empty() => Self::Accepted,
            Ok(Reply::Guard(refusals)) if refusals.iter().all(Vec::is_empty) => Self::Accepted,
            Ok(Reply::Guard(refusals)) => Self::Refused(refusals.iter().flatten().cloned().collect()),
            Ok(Reply::Verdict(refusals) | Reply::Effects(Err(refusals)) | Reply::Quote(Err(refusals))) => {
                Self::Refused(refusals.clone())
            }
            Ok(Reply::Effects(Ok(effects))) => Self::Effects(effects.len()),
            Ok(Reply::Manifest(_) | Reply::Machine(_) | Reply::Commands(_) | Reply::Quote(Ok(_))) => {
                Self::Accepted
            }
        }
    }
}

/// Counts of all calls of an installation on this host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Calls.
    pub calls: u64,
    /// Calls that refused.
    pub refused: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that failed and were passed over because the installation's policy is `open`.
    pub passed_over: u64,
    /// Instructions, in units of fuel.
    pub fuel: u64,
    /// The time that the guest ran.
    pub time: Duration,
}

/// The latest calls of an installation on this host, and the counts of all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Calls {
    /// The counts of all calls.
    pub counters: Counters,
    /// The latest calls, oldest first.
    pub records: Vec<CallRecord>,
}

#[derive(Default)]
struct Ring {
    counters: Counters,
    records: VecDeque<CallRecord>,
}

#[derive(Default)]
struct Rings {
    next: u64,
    of: HashMap<InstallationId, Ring>,
}

/// Keeps the latest calls of each installation.
#[derive(Default)]
pub struct CallLog(Mutex<Rings>);

impl CallLog {
    /// Adds a call, and assigns its number.
    pub fn add(&self, installation: InstallationId, mut record: CallRecord, passed_over: bool) {
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rings.next += 1;
        record.number = rings.next;
        if rings.of.len() >= MAX_INSTALLATIONS && !rings.of.contains_key(&installation) {
            let last = |ring: &Ring| ring.records.back().map_or(0, |record| record.number);
            let idle = rings.of.iter().min_by_key(|(_, ring)| last(ring)).map(|(id, _)| *id);
            idle.map(|id| rings.of.remove(&id));
        }
        let ring = rings.of.entry(installation).or_default();
        ring.counters.add(&record, passed_over);
        if ring.records.len() >= MAX_RECORDS {
            ring.records.pop_front();
        }
        record.cut();
        ring.records.push_back(record);
    }

    /// The calls of an installation whose numbers are greater than `after`.
    #[must_use]
    pub fn of(&self, installation: InstallationId, after: u64) -> Calls {
        let rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ring) = rings.of.get(&installation) else { return Calls::default() };
        let newer = ring.records.iter().filter(|record| record.number > after);
        Calls { counters: ring.counters, records: newer.cloned().collect() }
    }
}

impl Counters {
    fn add(&mut self, record: &CallRecord, passed_over: bool) {
        self.calls += 1;
        match record.verdict {
            Verdict::Accepted | Verdict::Effects(_) => {}
            Verdict::Refused(_) => self.refused += 1,
            Verdict::Failed(_) => self.failed += 1,
        }
        self.passed_over += u64::from(passed_over);
        self.fuel = self.fuel.saturating_add(record.usage.fuel);
        self.time = self.time.saturating_add(record.usage.time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> CallRecord {
        CallRecord {
            number: 0,
            at: Timestamp::from_micros(0).unwrap(),
            function: "validate",
            release: "p@1.0.0".into(),
            request_id: String::new(),
            subject: None,
            verdict: Verdict::Refused(Vec::new()),
            usage: Usage { fuel: 10, ..Usage::default() },
            log: Vec::new(),
            log_was_cut: false,
            lookups: Vec::new(),
        }
    }

    #[test]
    fn latest_calls_are_kept_and_all_are_counted() {
        let (log, id) = (CallLog::default(), InstallationId::generate());
        for _ in 0..MAX_RECORDS + 5 {
            log.add(id, record(), false);
        }
        let calls = log.of(id, 0);
        assert_eq!(calls.records.len(), MAX_RECORDS);
        assert_eq!((calls.counters.calls, calls.counters.refused), (105, 105));
        assert_eq!(calls.counters.fuel, 1_050);
        let last = calls.records.last().unwrap().number;
        assert!(log.of(id, last).records.is_empty());
        assert!(log.of(InstallationId::generate(), 0).records.is_empty());
    }
}
