//! Wakes those who follow the facts.

use tokio::sync::Notify;

/// Says that there may be new facts. Who waits is woken; if nobody does, the next to wait returns at once.
#[derive(Default, Debug)]
pub(crate) struct Changed(Notify);

impl Changed {
    /// There may be new facts.
    pub(crate) fn say(&self) {
        self.0.notify_waiters();
        self.0.notify_one();
    }

    /// Returns when there may be new facts.
    pub(crate) async fn heard(&self) {
        self.0.notified().await;
    }
}
