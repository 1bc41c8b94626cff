//! Failed computations of displayed prices, remembered for a moment, so that not every request repeats them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::id::EventId;
use crate::plugin::CallShare;

/// How long a failure is remembered.
const SPAN: Duration = Duration::from_secs(5);

/// The most failures that a host remembers, and those of one tenant. Further ones are not remembered.
const MAX: usize = 1_000;
const MAX_OF_TENANT: usize = 50;

/// An event, and the share of the sandbox that was used. The public's failures do not concern callers with a key.
type Key = (CallShare, EventId);

/// The failures of a host.
#[derive(Default)]
pub(super) struct PriceFailures(Mutex<HashMap<Key, Failure>>);

struct Failure {
    kind: ErrorKind,
    reason: String,
    message: String,
    until: Instant,
}

impl PriceFailures {
    /// Returns the failure of an event if it is remembered.
    pub(super) fn get(&self, key: Key) -> Option<Error> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = failures.get(&key).filter(|failure| Instant::now() < failure.until)?;
        Some(Error::new(failure.kind, failure.reason.clone(), failure.message.clone()))
    }

    /// Remembers the failure of an event.
    pub(super) fn add(&self, key: Key, error: &Error) {
        let now = Instant::now();
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, failure| now < failure.until);
        let of_tenant = failures.keys().filter(|(share, _)| share.tenant == key.0.tenant).count();
        if failures.len() < MAX && of_tenant < MAX_OF_TENANT {
            let (reason, message) = (error.reason().to_owned(), error.message().to_owned());
            failures.insert(key, Failure { kind: error.kind(), reason, message, until: now + SPAN });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TenantId;

    fn trapped() -> Error {
        Error::new(ErrorKind::PluginFailed, "PLUGIN_TRAPPED", "the plugin p@1.0.0 failed: unreachable")
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_remembered_for_five_seconds_and_its_share() {
        let failures = PriceFailures::default();
        let (tenant, event) = (TenantId::generate(), EventId::generate());
        let own = (CallShare::from(tenant), event);
        let public = (CallShare { tenant, is_public: true }, event);
        failures.add(public, &trapped());
        let error = failures.get(public).unwrap();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::PluginFailed, trapped().to_string()));
        assert!(failures.get(own).is_none());
        assert!(failures.get((public.0, EventId::generate())).is_none());
        tokio::time::advance(SPAN - Duration::from_millis(1)).await;
        assert!(failures.get(public).is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(failures.get(public).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn failures_of_a_tenant_and_of_the_host_are_bounded() {
        let failures = PriceFailures::default();
        let add = |tenant: TenantId| {
            let key = (CallShare::from(tenant), EventId::generate());
            failures.add(key, &trapped());
            failures.get(key).is_some()
        };
        let greedy = TenantId::generate();
        assert_eq!((0..2 * MAX).filter(|_| add(greedy)).count(), MAX_OF_TENANT);
        assert!(add(TenantId::generate()));
        let further = (0..2 * MAX).filter(|_| add(TenantId::generate())).count();
        assert_eq!(further, MAX - MAX_OF_TENANT - 1);
        tokio::time::advance(SPAN).await;
        assert!(add(greedy));
        assert_eq!(failures.0.lock().unwrap().len(), 1);
    }
}
