//! Wakes those who follow the facts.

use std::sync::atomic::{AtomicU64, Ordering};

use tessera_core::outbox::Seq;
use tokio::sync::Notify;

/// Says that there may be new facts. Who waits is woken; if nobody does, the next to wait returns at once.
#[derive(Default, Debug)]
pub(crate) struct Changed {
    notify: Notify,
    /// Up to which fact it was said.
    said: AtomicU64,
}

impl Changed {
    /// There may be new facts.
    pub(crate) fn say(&self) {
        self.notify.notify_waiters();
        self.notify.notify_one();
    }

    /// There are new facts, up to this one. Nobody is woken for the same ones twice.
    pub(crate) fn say_upto(&self, seq: Seq) {
        if self.said.fetch_max(seq, Ordering::AcqRel) < seq {
            self.say();
        }
    }

    /// Returns when there may be new facts.
    pub(crate) async fn heard(&self) {
        self.notify.notified().await;
    }
}
