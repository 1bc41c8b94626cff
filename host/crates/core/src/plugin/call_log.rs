//! What the last calls of each installation did, kept in memory for its tenant to look at.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::id::InstallationId;
use crate::plugin::{Failure, LogLine, LookupRecord, Outcome, Refusal, Reply, Usage};
use crate::time::Timestamp;

/// How many calls of an installation are kept.
pub const KEPT: usize = 100;

/// How many installations' calls are kept at most; what lies longest without a call goes first.
const MAX_INSTALLATIONS: usize = 10_000;

/// One call, as its tenant sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallRecord {
    /// Counts the calls on this host; later calls have greater numbers.
    pub number: u64,
    /// When it began.
    pub at: Timestamp,
    /// What was called: `validate`, `on-change`.
    pub function: &'static str,
    /// The plugin with its version: `support-sla@1.2.0`.
    pub release: String,
    /// In which request.
    pub request_id: String,
    /// What it was about: a kind and an id.
    pub subject: Option<(String, String)>,
    /// How it ended.
    pub verdict: Verdict,
    /// What it used.
    pub usage: Usage,
    /// What it logged.
    pub log: Vec<LogLine>,
    /// Whether log lines were cut.
    pub log_was_cut: bool,
    /// What it looked up.
    pub lookups: Vec<LookupRecord>,
}

/// How much of a text and of a list a record keeps.
const MAX_TEXT: usize = 1_024;
const MAX_LIST: usize = 20;

impl CallRecord {
    /// Splits the outcome of a call into its record and its reply.
    #[must_use]
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

    /// Cuts what a plugin said at length: it is kept for each of many calls.
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

/// How a call ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It allowed what it was asked about, or answered.
    Accepted,
    /// It wants so many effects.
    Effects(usize),
    /// It refused, for these reasons.
    Refused(Vec<Refusal>),
    /// It failed.
    Failed(Failure),
}

impl Verdict {
    /// What an outcome means.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        match &outcome.reply {
            Err(failure) => Self::Failed(failure.clone()),
            Ok(Reply::Verdict(refusals)) if refusals.is_empty() => Self::Accepted,
            Ok(Reply::Guard(answers)) if answers.iter().all(Vec::is_empty) => Self::Accepted,
            Ok(Reply::Guard(answers)) => Self::Refused(answers.iter().flatten().cloned().collect()),
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

/// What all calls of an installation on this host came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Calls.
    pub calls: u64,
    /// Those that refused.
    pub refused: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that failed and were passed over, for the installation's policy is `open`.
    pub passed_over: u64,
    /// Instructions.
    pub fuel: u64,
    /// The guests' own time.
    pub time: Duration,
}

/// The last calls of an installation on this host, and what all came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Calls {
    /// What all came to.
    pub counters: Counters,
    /// The last calls, oldest first.
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

/// Keeps the last calls of each installation.
#[derive(Default)]
pub struct CallLog(Mutex<Rings>);

impl CallLog {
    /// Notes a call; its number is given here.
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
        if ring.records.len() >= KEPT {
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
    fn the_last_calls_are_kept_and_all_are_counted() {
        let (log, id) = (CallLog::default(), InstallationId::generate());
        for _ in 0..KEPT + 5 {
            log.add(id, record(), false);
        }
        let calls = log.of(id, 0);
        assert_eq!(calls.records.len(), KEPT);
        assert_eq!((calls.counters.calls, calls.counters.refused), (105, 105));
        assert_eq!(calls.counters.fuel, 1_050);
        let last = calls.records.last().unwrap().number;
        assert!(log.of(id, last).records.is_empty());
        assert!(log.of(InstallationId::generate(), 0).records.is_empty());
    }
}
