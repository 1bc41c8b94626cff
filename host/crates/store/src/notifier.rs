//! Notifier of new facts within the process.

use std::sync::atomic::{AtomicU64, Ordering};

use tessera_core::outbox::Seq;
use tokio::sync::Notify;

/// Wakes waiting tasks when there may be new facts. A notification without a waiting task is kept for the next one.
#[derive(Default, Debug)]
pub(crate) struct Notifier {
    notify: Notify,
    /// Newest fact that was notified.
    newest: AtomicU64,
}

impl Notifier {
    /// Notifies that there may be new facts.
    pub(crate) fn notify(&self) {
        self.notify.notify_waiters();
        self.notify.notify_one();
    }

    /// Notifies of facts up to a number, once for each number.
    pub(crate) fn notify_up_to(&self, seq: Seq) {
        if self.newest.fetch_max(seq, Ordering::AcqRel) < seq {
            self.notify();
        }
    }

    /// Waits until there may be new facts.
    pub(crate) async fn wait(&self) {
        self.notify.notified().await;
    }
}
