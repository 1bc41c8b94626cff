//! The log of calls: the latest calls of each installation on this host, kept in memory.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::bounded_text::cut;
use crate::id::{InstallationId, TenantId};
use crate::plugin::{Failure, LogLine, LookupRecord, LookupRequest, Outcome, Refusal, Reply, Usage};
use crate::time::Timestamp;

/// The number of calls that are kept of an installation.
pub const MAX_RECORDS: usize = 100;

/// The most bytes that the kept calls of an installation have; the oldest calls are dropped first.
const MAX_RING_BYTES: usize = 512 << 10;

/// The most installations whose calls are kept, and the most bytes that the calls of all have. Of the tenant with the most
/// bytes, the calls of the installation without a call for the longest time are dropped first.
const MAX_INSTALLATIONS: usize = 10_000;
const MAX_BYTES: usize = 128 << 20;

/// The record of one call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallRecord {
    /// Its number among the calls of its installation on this host, from 1.
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

/// The most bytes of a name in a record: a field, a code, a function, an argument of a look-up.
const MAX_NAME: usize = 200;

/// The bytes that an entry of a record has beside its text.
const OVERHEAD: usize = 64;

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

    /// Cuts the plugin's texts and lists to the kept length. The log and the number of look-ups have their own limits.
    fn cut(&mut self) {
        match &mut self.verdict {
            Verdict::Refused(refusals) => {
                refusals.truncate(MAX_LIST);
                for refusal in refusals {
                    cut(&mut refusal.message, MAX_TEXT);
                    cut(&mut refusal.code, MAX_NAME);
                    refusal.field.iter_mut().for_each(|field| cut(field, MAX_NAME));
                }
            }
            Verdict::Failed(failure) => {
                cut(&mut failure.message, MAX_TEXT);
                failure.backtrace.iter_mut().for_each(|function| cut(function, MAX_NAME));
            }
            Verdict::Accepted | Verdict::Effects(_) => {}
        }
        for lookup in &mut self.lookups {
            let (LookupRequest::Get(kind, text) | LookupRequest::Find(kind, text, _)) = &mut lookup.request;
            cut(kind, MAX_NAME);
            cut(text, MAX_NAME);
        }
    }

    /// Returns about how many bytes it takes.
    fn size(&self) -> usize {
        let verdict: usize = match &self.verdict {
            Verdict::Accepted | Verdict::Effects(_) => 0,
            Verdict::Refused(refusals) => {
                let field = |refusal: &Refusal| refusal.field.as_ref().map_or(0, String::len);
                let size = |refusal: &Refusal| {
                    field(refusal) + refusal.code.len() + refusal.message.len() + OVERHEAD
                };
                refusals.iter().map(size).sum()
            }
            Verdict::Failed(failure) => {
                let functions = failure.backtrace.iter();
                failure.message.len() + functions.map(|function| function.len() + OVERHEAD).sum::<usize>()
            }
        };
        let lookup = |lookup: &LookupRecord| {
            let (LookupRequest::Get(kind, text) | LookupRequest::Find(kind, text, _)) = &lookup.request;
            kind.len() + text.len() + OVERHEAD
        };
        let log: usize = self.log.iter().map(|line| line.message.len() + OVERHEAD).sum();
        let lookups: usize = self.lookups.iter().map(lookup).sum();
        let subject = self.subject.as_ref().map_or(0, |(kind, id)| kind.len() + id.len());
        size_of::<Self>() + self.release.len() + self.request_id.len() + subject + verdict + log + lookups
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

struct Ring {
    tenant: TenantId,
    counters: Counters,
    /// Place of the last call among the calls of all installations.
    last_call: u64,
    records: VecDeque<CallRecord>,
    /// The bytes of the records.
    bytes: usize,
}

#[derive(Default)]
struct Rings {
    /// Calls of all installations.
    calls: u64,
    of: HashMap<InstallationId, Ring>,
    /// The bytes of the records of each tenant.
    tenants: HashMap<TenantId, usize>,
    /// The bytes of all records.
    bytes: usize,
}

impl Ring {
    fn new(tenant: TenantId) -> Self {
        Self { tenant, counters: Counters::default(), last_call: 0, records: VecDeque::new(), bytes: 0 }
    }

    fn push(&mut self, record: CallRecord) {
        self.bytes += record.size();
        self.records.push_back(record);
        while self.records.len() > MAX_RECORDS || self.bytes > MAX_RING_BYTES {
            let Some(oldest) = self.records.pop_front() else { return };
            self.bytes -= oldest.size();
        }
    }
}

impl Rings {
    /// Drops the calls of one installation of the tenant with the most bytes: of the one without a call for the longest
    /// time.
    fn drop_idle(&mut self) {
        let bytes = |ring: &Ring| self.tenants.get(&ring.tenant).copied().unwrap_or_default();
        let order = |ring: &Ring| (Reverse(bytes(ring)), ring.last_call);
        let idle = self.of.iter().min_by_key(|(_, ring)| order(ring)).map(|(id, _)| *id);
        let Some(ring) = idle.and_then(|id| self.of.remove(&id)) else { return };
        self.bytes -= ring.bytes;
        if let Entry::Occupied(mut bytes) = self.tenants.entry(ring.tenant) {
            *bytes.get_mut() -= ring.bytes;
            if *bytes.get() == 0 {
                bytes.remove();
            }
        }
    }
}

/// Keeps the latest calls of each installation.
#[derive(Default)]
pub struct CallLog(Mutex<Rings>);

impl CallLog {
    /// Adds a call, and assigns its number.
    pub fn add(
        &self,
        (tenant, installation): (TenantId, InstallationId),
        mut record: CallRecord,
        passed_over: bool,
    ) {
        record.cut();
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rings.calls += 1;
        let last_call = rings.calls;
        if rings.of.len() >= MAX_INSTALLATIONS && !rings.of.contains_key(&installation) {
            rings.drop_idle();
        }
        let ring = rings.of.entry(installation).or_insert_with(|| Ring::new(tenant));
        ring.last_call = last_call;
        ring.counters.add(&record, passed_over);
        record.number = ring.counters.calls;
        let before = ring.bytes;
        ring.push(record);
        let after = ring.bytes;
        rings.bytes = rings.bytes - before + after;
        let of_tenant = rings.tenants.entry(tenant).or_default();
        *of_tenant = *of_tenant - before + after;
        while rings.bytes > MAX_BYTES {
            rings.drop_idle();
        }
    }

    /// Returns the calls of an installation whose numbers are greater than `after`. A number that no call has yet is from
    /// before a start of the host or a drop of the calls, so all are returned.
    #[must_use]
    pub fn of(&self, installation: InstallationId, after: u64) -> Calls {
        let rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ring) = rings.of.get(&installation) else { return Calls::default() };
        let after = if after > ring.counters.calls { 0 } else { after };
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

    /// A record of which each part is as large as a plugin can make it.
    fn large_record() -> CallRecord {
        let long = "x".repeat(256 << 10);
        let lookup = || LookupRecord { request: LookupRequest::Get(long.clone(), long.clone()), found: None };
        let reason = crate::plugin::FailureReason::Trapped;
        let failure = Failure { reason, message: long.clone(), backtrace: vec![long.clone(); 32] };
        let log =
            (0..8).map(|_| LogLine { level: crate::plugin::LogLevel::Info, message: "l".repeat(1_024) });
        CallRecord {
            verdict: Verdict::Failed(failure),
            log: log.collect(),
            lookups: (0..16).map(|_| lookup()).collect(),
            ..record()
        }
    }

    /// Adds calls of installations of a tenant, until each has as many bytes as are kept. Returns the last one.
    fn fill(log: &CallLog, tenant: TenantId, installations: usize) -> InstallationId {
        let mut large = large_record();
        large.cut();
        let mut last = InstallationId::generate();
        for _ in 0..installations {
            last = InstallationId::generate();
            for _ in 0..=MAX_RING_BYTES / large.size() {
                log.add((tenant, last), large.clone(), false);
            }
        }
        last
    }

    #[test]
    fn records_and_rings_have_a_limit_of_bytes() {
        let (log, tenant, id) = (CallLog::default(), TenantId::generate(), InstallationId::generate());
        let refusal =
            Refusal { field: Some("f".repeat(9_000)), code: "c".repeat(9_000), message: "m".repeat(9_000) };
        log.add((tenant, id), CallRecord { verdict: Verdict::Refused(vec![refusal; 50]), ..record() }, false);
        assert!(log.of(id, 0).records[0].size() < 40 << 10);
        for _ in 0..MAX_RECORDS {
            log.add((tenant, id), large_record(), false);
        }
        let calls = log.of(id, 0);
        assert_eq!((calls.counters.calls, calls.counters.failed), (101, 100));
        let sizes: Vec<_> = calls.records.iter().map(CallRecord::size).collect();
        assert!(sizes.iter().all(|size| *size < 32 << 10), "{sizes:?}");
        let bytes: usize = sizes.iter().sum();
        assert!(bytes <= MAX_RING_BYTES && bytes > MAX_RING_BYTES - (32 << 10), "{bytes}");
        let rings = log.0.lock().unwrap();
        assert_eq!((rings.bytes, rings.tenants[&tenant], rings.of[&id].bytes), (bytes, bytes, bytes));
    }

    #[test]
    fn calls_of_idle_installations_are_dropped_at_the_limit_of_all() {
        let (log, tenant, first) = (CallLog::default(), TenantId::generate(), InstallationId::generate());
        let (other, idle) = (TenantId::generate(), InstallationId::generate());
        log.add((other, idle), record(), false);
        log.add((tenant, first), record(), false);
        let last = fill(&log, tenant, MAX_BYTES / MAX_RING_BYTES + 5);
        assert!(log.of(first, 0).records.is_empty() && !log.of(last, 0).records.is_empty());
        assert_eq!(log.of(idle, 0).records.len(), 1, "the calls of another tenant were dropped");
        let rings = log.0.lock().unwrap();
        let bytes: usize = rings.of.values().map(|ring| ring.bytes).sum();
        assert!(bytes == rings.bytes && bytes <= MAX_BYTES && bytes > MAX_BYTES / 2, "{bytes}");
        assert_eq!(rings.tenants.values().sum::<usize>(), bytes);
    }

    #[test]
    fn tenant_with_the_most_bytes_makes_room_for_others() {
        let (log, greedy) = (CallLog::default(), TenantId::generate());
        fill(&log, greedy, MAX_BYTES / MAX_RING_BYTES + 5);
        let others: Vec<_> = (0..3).map(|_| fill(&log, TenantId::generate(), 10)).collect();
        fill(&log, greedy, 20);
        assert!(others.iter().all(|id| !log.of(*id, 0).records.is_empty()));
        let rings = log.0.lock().unwrap();
        let kept = rings.of.values().filter(|ring| ring.tenant != greedy).count();
        assert_eq!((kept, rings.tenants.len()), (30, 4));
    }

    #[test]
    fn latest_calls_are_kept_and_all_are_counted() {
        let (log, tenant, id) = (CallLog::default(), TenantId::generate(), InstallationId::generate());
        for _ in 0..MAX_RECORDS + 5 {
            log.add((tenant, id), record(), false);
        }
        let calls = log.of(id, 0);
        assert_eq!(calls.records.len(), MAX_RECORDS);
        assert_eq!((calls.counters.calls, calls.counters.refused), (105, 105));
        assert_eq!(calls.counters.fuel, 1_050);
        assert!(log.of(id, 105).records.is_empty());
        assert!(log.of(InstallationId::generate(), 0).records.is_empty());
    }

    #[test]
    fn calls_are_numbered_for_each_installation() {
        let (log, ids) = (CallLog::default(), [InstallationId::generate(), InstallationId::generate()]);
        let tenant = TenantId::generate();
        for id in [ids[0], ids[1], ids[1], ids[0], ids[1]] {
            log.add((tenant, id), record(), false);
        }
        let numbers =
            |id, after| -> Vec<_> { log.of(id, after).records.iter().map(|record| record.number).collect() };
        assert_eq!((numbers(ids[0], 0), numbers(ids[1], 0)), (vec![1, 2], vec![1, 2, 3]));
        assert_eq!(numbers(ids[1], 2), [3]);
        assert_eq!(numbers(ids[1], 4), [1, 2, 3], "a number from before the calls were dropped");
    }
}
