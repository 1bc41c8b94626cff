//! Refused logins: counted in memory, and recorded in the audit log in bounded numbers.
//!
//! Each record is about one subject, and counts the attempts since the previous record of that subject. Neither the number
//! of attempts nor that of keys makes a host write more than [`MAX_SUBJECTS`] records in [`INTERVAL`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::access::ObjectKind;
use crate::ctx::Transport;
use crate::id::{KeyId, TenantId};
use crate::outbox::ObjectRef;
use crate::tenancy::ApiKey;
use crate::value::{Change, Value};

/// The shortest time between two records of a subject.
const INTERVAL: Duration = Duration::from_secs(60);

/// The most keys of a tenant that are subjects of their own.
const MAX_KEYS_OF_TENANT: usize = 10;

/// The most subjects of a host.
const MAX_SUBJECTS: usize = 100;

/// The id of the object in records that are not about one key.
const SEVERAL_KEYS: &str = "*";

/// The subject of a count of refused logins.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Subject {
    /// A key.
    Key(TenantId, KeyId),
    /// The keys of a tenant that are no subjects of their own.
    OtherKeys(TenantId),
    /// Keys that do not exist.
    UnknownKeys,
    /// The keys of tenants that are no subjects.
    Rest,
}

/// The latest of several refused logins.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) reason: &'static str,
    pub(super) transport: Transport,
    pub(super) request_id: Arc<str>,
}

/// A record for the audit log.
#[derive(Debug)]
pub(super) struct RefusalRecord {
    pub(super) subject: Subject,
    /// The version of the key; 0 if the record is not about one key.
    version: u64,
    /// The attempts since the previous record of the subject.
    pub(super) attempts: i64,
    pub(super) last: Attempt,
}

/// The refused logins of a host.
#[derive(Default)]
pub(super) struct RefusedLogins(Mutex<HashMap<Subject, Count>>);

struct Count {
    version: u64,
    /// The attempts since the last record that was stored.
    attempts: i64,
    last: Attempt,
    /// When the last record was due, whether or not it was stored.
    recorded_at: Option<Instant>,
}

impl Subject {
    /// Returns the tenant whose audit log has the records; `None` for that of the operators.
    pub(super) fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::Key(tenant, _) | Self::OtherKeys(tenant) => Some(*tenant),
            Self::UnknownKeys | Self::Rest => None,
        }
    }
}

impl RefusalRecord {
    /// Returns the object of the fact.
    pub(super) fn object(&self) -> ObjectRef {
        let id = if let Subject::Key(_, id) = &self.subject { id.as_str() } else { SEVERAL_KEYS };
        ObjectRef { kind: ObjectKind::Key, id: id.to_owned(), version: self.version }
    }

    /// Returns the content of the fact.
    pub(super) fn changes(&self, reason: &str) -> Vec<Change> {
        let change =
            |field: &str, after: Value| Change { field: field.to_owned(), before: Value::None, after };
        vec![change("reason", reason.into()), change("attempts", Value::Integer(self.attempts))]
    }
}

impl RefusedLogins {
    /// Counts a refused login with a key; `None` if the key does not exist.
    pub(super) fn count(&self, key: Option<&ApiKey>, attempt: Attempt, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let subject = key.map_or(Subject::UnknownKeys, |key| subject_of(key, &mut counts, now));
        let version = match &subject {
            Subject::Key(..) => key.map_or(0, |key| key.version),
            Subject::OtherKeys(_) | Subject::UnknownKeys | Subject::Rest => 0,
        };
        let count = counts.entry(subject).or_insert_with(|| Count {
            version,
            attempts: 0,
            last: attempt.clone(),
            recorded_at: None,
        });
        count.attempts += 1;
        count.version = version;
        count.last = attempt;
    }

    /// Returns the records that are due, or those of all counts. Attempts count until they are [`Self::recorded`].
    pub(super) fn due(&self, now: Instant, all: bool) -> Vec<RefusalRecord> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = counts.iter_mut().filter(|(_, count)| count.attempts > 0 && (all || count.is_due(now)));
        let records = due.map(|(subject, count)| {
            count.recorded_at = Some(now);
            RefusalRecord {
                subject: subject.clone(),
                version: count.version,
                attempts: count.attempts,
                last: count.last.clone(),
            }
        });
        records.collect()
    }

    /// Removes the attempts of a record that is stored.
    pub(super) fn recorded(&self, record: &RefusalRecord) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&record.subject) {
            count.attempts -= record.attempts;
        }
    }
}

impl Count {
    fn is_due(&self, now: Instant) -> bool {
        self.recorded_at.is_none_or(|at| now.saturating_duration_since(at) >= INTERVAL)
    }
}

/// Returns the subject that a key's refusals are counted by. Forgets subjects that may be recorded again, to make room.
fn subject_of(key: &ApiKey, counts: &mut HashMap<Subject, Count>, now: Instant) -> Subject {
    let own = Subject::Key(key.tenant, key.id.clone());
    if counts.contains_key(&own) {
        return own;
    }
    counts.retain(|_, count| count.attempts > 0 || !count.is_due(now));
    // Two subjects always have their place.
    let has_room = counts.len() < MAX_SUBJECTS - 2;
    let of_tenant = counts.keys().filter(|subject| subject.tenant() == Some(key.tenant)).count();
    let others = Subject::OtherKeys(key.tenant);
    if has_room && of_tenant < MAX_KEYS_OF_TENANT {
        own
    } else if has_room || counts.contains_key(&others) {
        others
    } else {
        Subject::Rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::time::Timestamp;

    fn key(tenant: TenantId, id: &str) -> ApiKey {
        ApiKey {
            id: KeyId::parse("id", id).unwrap(),
            tenant,
            name: "k".into(),
            roles: vec![Role::Viewer],
            user: None,
            created_at: Timestamp::from_micros(0).unwrap(),
            expires_at: None,
            revoked_at: None,
            version: 3,
        }
    }

    fn attempt() -> Attempt {
        Attempt { reason: "wrong secret", transport: Transport::Rest, request_id: "r".into() }
    }

    /// Returns the records that are due, as stored ones.
    fn record(refused: &RefusedLogins, now: Instant, all: bool) -> Vec<RefusalRecord> {
        let due = refused.due(now, all);
        due.iter().for_each(|record| refused.recorded(record));
        due
    }

    #[test]
    fn attempts_of_a_record_that_was_not_stored_are_counted_again() {
        let (refused, key, start) =
            (RefusedLogins::default(), key(TenantId::generate(), "a"), Instant::now());
        refused.count(Some(&key), attempt(), start);
        let failed = refused.due(start, false);
        refused.count(Some(&key), attempt(), start);
        assert!(refused.due(start + Duration::from_secs(59), false).is_empty(), "failed writes are bounded");
        let due = refused.due(start + INTERVAL, false);
        refused.count(Some(&key), attempt(), start);
        refused.recorded(&due[0]);
        let last = record(&refused, start + INTERVAL, true);
        assert_eq!((failed[0].attempts, due[0].attempts, last[0].attempts), (1, 2, 1));
        assert!(refused.due(start + INTERVAL, true).is_empty());
    }

    #[test]
    fn attempts_with_one_key_are_recorded_once_a_minute_with_their_number() {
        let (refused, key, start) =
            (RefusedLogins::default(), key(TenantId::generate(), "a"), Instant::now());
        let attempts = |second: u64, all| -> Vec<_> {
            let due = record(&refused, start + Duration::from_secs(second), all);
            due.iter().map(|record| (record.object().id, record.object().version, record.attempts)).collect()
        };
        let count = |number: usize, second: u64| {
            for _ in 0..number {
                refused.count(Some(&key), attempt(), start + Duration::from_secs(second));
            }
        };
        count(50, 0);
        assert_eq!(attempts(1, false), [("a".to_owned(), 3, 50)]);
        count(7, 2);
        assert!(attempts(59, false).is_empty());
        assert_eq!(attempts(61, false), [("a".to_owned(), 3, 7)]);
        assert!(attempts(200, false).is_empty());
        count(1, 201);
        assert_eq!(attempts(201, false), [("a".to_owned(), 3, 1)]);
        count(2, 202);
        assert_eq!(attempts(202, true), [("a".to_owned(), 3, 2)], "the last ones when the host stops");
    }

    #[test]
    fn unknown_keys_are_one_subject() {
        let (refused, now) = (RefusedLogins::default(), Instant::now());
        for _ in 0..1_000 {
            refused.count(None, attempt(), now);
        }
        let due = record(&refused, now, false);
        assert_eq!((due.len(), due[0].attempts, due[0].subject.tenant()), (1, 1_000, None));
        assert_eq!(due[0].object().id, "*");
    }

    #[test]
    fn records_are_bounded_for_each_tenant_and_for_the_host() {
        let (refused, start) = (RefusedLogins::default(), Instant::now());
        let (busy, others): (_, Vec<_>) =
            (TenantId::generate(), (0..300).map(|_| TenantId::generate()).collect());
        let (mut records, mut attempts) = (0, 0);
        for second in 0..59 {
            let now = start + Duration::from_secs(second);
            for number in 0..100 {
                refused.count(Some(&key(busy, &format!("k{second}-{number}"))), attempt(), now);
            }
            for tenant in &others {
                refused.count(Some(&key(*tenant, &format!("o{second}"))), attempt(), now);
            }
            refused.count(None, attempt(), now);
            let due = record(&refused, now, false);
            let of_busy = due.iter().filter(|record| record.subject.tenant() == Some(busy)).count();
            assert!(of_busy <= MAX_KEYS_OF_TENANT + 1, "{of_busy}");
            records += due.len();
            attempts += due.iter().map(|record| record.attempts).sum::<i64>();
        }
        assert!(records <= MAX_SUBJECTS, "{records} in a minute");
        attempts += record(&refused, start, true).iter().map(|record| record.attempts).sum::<i64>();
        assert_eq!(attempts, 59 * (100 + 300 + 1), "every attempt is counted");
    }
}
