//! Signals to open streams: a fact may have ended the access of their caller.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::ctx::Principal;
use crate::id::TenantId;
use crate::outbox::{Mark, Seq};

/// The callers of a tenant that have open streams, each with the newest fact that may have ended its access.
type Callers = HashMap<Principal, watch::Sender<Seq>>;

/// The callers that have open streams on this host.
#[derive(Default)]
pub(super) struct AccessSignals(Mutex<HashMap<TenantId, Callers>>);

impl AccessSignals {
    /// Returns a channel that signals facts that may end the access of a tenant's caller.
    pub(super) fn subscribe(&self, tenant: TenantId, caller: &Principal) -> watch::Receiver<Seq> {
        let mut tenants = self.lock();
        if let Some(signal) = tenants.get(&tenant).and_then(|callers| callers.get(caller)) {
            return signal.subscribe();
        }
        tenants.retain(|_, callers| {
            callers.retain(|_, signal| signal.receiver_count() > 0);
            !callers.is_empty()
        });
        tenants.entry(tenant).or_default().entry(caller.clone()).or_default().subscribe()
    }

    /// Signals facts to the callers whose access they may have ended.
    pub(super) fn signal(&self, marks: &[Mark]) {
        let tenants = self.lock();
        for mark in marks {
            for (caller, signal) in tenants.get(&mark.tenant).into_iter().flatten() {
                if mark.may_end_access_of(caller) {
                    signal.send_replace(mark.seq);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Callers>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn callers_without_streams_are_forgotten() {
        let (signals, tenant) = (AccessSignals::default(), TenantId::generate());
        let first = signals.subscribe(tenant, &key("a", None));
        drop(signals.subscribe(TenantId::generate(), &key("b", None)));
        drop(signals.subscribe(tenant, &key("c", None)));
        let second = signals.subscribe(tenant, &key("d", None));
        let callers: Vec<_> = signals.lock().values().map(HashMap::len).collect();
        assert_eq!(callers, [2]);
        drop((first, second));
    }
}
