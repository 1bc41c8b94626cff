//! Signals to open streams: a fact may have ended the access of their caller.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::ctx::Principal;
use crate::id::TenantId;
use crate::outbox::{Mark, Seq};

/// The fewest callers among which those without streams are looked for.
const MIN_SWEEP: usize = 64;

/// The callers of a tenant that have open streams, each with the newest fact that may have ended its access.
type Callers = HashMap<Principal, watch::Sender<Seq>>;

/// The callers that have open streams on this host.
#[derive(Default)]
pub(super) struct AccessSignals(Mutex<Tenants>);

/// Callers by tenant. Those whose streams have ended stay until a sweep.
#[derive(Default)]
struct Tenants {
    callers: HashMap<TenantId, Callers>,
    /// The number of all callers.
    count: usize,
    /// How many callers the last sweep left.
    swept: usize,
}

impl AccessSignals {
    /// Returns a channel that signals facts that may end the access of a tenant's caller.
    pub(super) fn subscribe(&self, tenant: TenantId, caller: &Principal) -> watch::Receiver<Seq> {
        let mut tenants = self.lock();
        if let Some(signal) = tenants.callers.get(&tenant).and_then(|callers| callers.get(caller)) {
            return signal.subscribe();
        }
        // So rarely that each new caller pays for a bounded part of it.
        if tenants.count >= MIN_SWEEP.max(tenants.swept * 2) {
            tenants.sweep();
        }
        tenants.count += 1;
        tenants.callers.entry(tenant).or_default().entry(caller.clone()).or_default().subscribe()
    }

    /// Signals facts to the callers whose access they may have ended.
    pub(super) fn signal(&self, marks: &[Mark]) {
        let tenants = self.lock();
        for mark in marks {
            for (caller, signal) in tenants.callers.get(&mark.tenant).into_iter().flatten() {
                if mark.may_end_access_of(caller) {
                    signal.send_replace(mark.seq);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tenants> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tenants {
    /// Removes the callers without open streams.
    fn sweep(&mut self) {
        self.callers.retain(|_, callers| {
            callers.retain(|_, signal| signal.receiver_count() > 0);
            !callers.is_empty()
        });
        self.count = self.callers.values().map(HashMap::len).sum();
        self.swept = self.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::ObjectKind;
    use crate::id::{KeyId, UserId};
    use crate::outbox::ObjectRef;

    fn key(id: &str, user: Option<UserId>) -> Principal {
        Principal::Key { id: KeyId::parse("id", id).unwrap(), user, roles: [].into() }
    }

    #[test]
    fn streams_are_signalled_only_facts_that_may_end_their_access() {
        let (signals, tenant, user) =
            (AccessSignals::default(), TenantId::generate(), Some(UserId::generate()));
        let callers = [key("a", None), key("b", user), Principal::Anonymous];
        let mut streams: Vec<_> = callers.iter().map(|caller| signals.subscribe(tenant, caller)).collect();
        streams.push(signals.subscribe(TenantId::generate(), &key("a", user)));
        let mut signalled = |fact_type: &'static str, kind, id: String| {
            let object = ObjectRef { kind, id, version: 2 };
            signals.signal(&[Mark { seq: 1, tenant, fact_type: fact_type.into(), object }]);
            let changed = streams.iter_mut().map(|stream| {
                let changed = stream.has_changed().unwrap();
                stream.mark_unchanged();
                changed
            });
            changed.collect::<Vec<_>>()
        };
        let of_user = user.unwrap().to_string();
        for harmless in ["user.updated", "user.activated", "user.created"] {
            assert_eq!(signalled(harmless, ObjectKind::User, of_user.clone()), [false; 4], "{harmless}");
        }
        for harmless in ["key.created", "login.refused"] {
            assert_eq!(signalled(harmless, ObjectKind::Key, "a".into()), [false; 4], "{harmless}");
        }
        for ending in ["user.deactivated", "user.deleted"] {
            let changed = signalled(ending, ObjectKind::User, of_user.clone());
            assert_eq!(changed, [false, true, false, false], "{ending}");
        }
        let another = UserId::generate().to_string();
        assert_eq!(signalled("user.deactivated", ObjectKind::User, another), [false; 4]);
        assert_eq!(signalled("key.revoked", ObjectKind::Key, "a".into()), [true, false, false, false]);
        let suspended = signalled("tenant.suspended", ObjectKind::Tenant, tenant.to_string());
        assert_eq!(suspended, [true, true, true, false]);
    }

    #[test]
    fn callers_without_streams_are_forgotten_when_the_callers_have_doubled() {
        let (signals, tenant) = (AccessSignals::default(), TenantId::generate());
        let open = |n: usize| signals.subscribe(tenant, &key(&format!("open{n}"), None));
        let counts = || {
            let tenants = signals.lock();
            let all: usize = tenants.callers.values().map(HashMap::len).sum();
            assert_eq!(all, tenants.count);
            (tenants.count, tenants.callers.len())
        };
        let mut streams: Vec<_> = (0..MIN_SWEEP - 10).map(open).collect();
        for _ in 0..10 {
            drop(signals.subscribe(TenantId::generate(), &key("ended", None)));
        }
        assert_eq!(counts(), (MIN_SWEEP, 11));
        streams.push(open(MIN_SWEEP));
        assert_eq!(counts(), (MIN_SWEEP - 9, 1));
        // The next sweep is at twice the callers that the last one left.
        streams.clear();
        for n in 0..MIN_SWEEP - 11 {
            drop(signals.subscribe(tenant, &key(&format!("ended{n}"), None)));
        }
        assert_eq!(counts(), (2 * (MIN_SWEEP - 10), 1));
        let last = open(0);
        assert_eq!(counts(), (2 * (MIN_SWEEP - 10), 1), "a known caller is not added again");
        drop(signals.subscribe(tenant, &key("another", None)));
        assert_eq!(counts(), (2, 1));
        drop(last);
    }
}
