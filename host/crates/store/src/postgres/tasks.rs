//! Background tasks: clock, listener and notifier.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;

use super::shared::Shared;
use crate::clock::SYNC_INTERVAL;

/// Channel from committing hosts to the sequencer.
const COMMITTED_CHANNEL: &str = "tessera_committed";
const COMMITTED: &str = "NOTIFY tessera_committed";

/// Channel from the sequencer to all hosts, used by `number_facts`.
const NUMBERED_CHANNEL: &str = "tessera_numbered";

/// Pause before a failed task starts again.
const PAUSE: Duration = Duration::from_secs(1);

/// Starts the tasks, which run until the store stops.
pub(super) fn spawn(shared: &Arc<Shared>) {
    let clock = Arc::clone(shared);
    let listener = Arc::clone(shared);
    let notifier = Arc::clone(shared);
    let stop = shared.stop.clone();
    shared.tasks.spawn(stop.clone().run_until_cancelled_owned(async move { keep_time(&clock).await }));
    shared.tasks.spawn(stop.clone().run_until_cancelled_owned(async move { listen(&listener).await }));
    shared.tasks.spawn(stop.run_until_cancelled_owned(async move { notify(&notifier).await }));
}

async fn keep_time(shared: &Shared) {
    loop {
        tokio::time::sleep(SYNC_INTERVAL).await;
        if let Err(error) = shared.sync_clock().await {
            tracing::warn!(?error, "read of the database's clock failed; continuing with the host's");
        }
    }
}

/// Listens to the other hosts. For a lost notification the poll each second is the bound.
async fn listen(shared: &Shared) {
    loop {
        if let Err(error) = listen_once(shared).await {
            tracing::warn!(%error, "listener was interrupted");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen_once(shared: &Shared) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(shared.pool.pool()).await?;
    listener.ignore_pool_close_event(true);
    listener.listen_all([COMMITTED_CHANNEL, NUMBERED_CHANNEL]).await?;
    loop {
        let notification = listener.try_recv().await?;
        match notification {
            Some(notification) if notification.channel() == COMMITTED_CHANNEL => {
                shared.committed.notify_one()
            }
            Some(notification) => match notification.payload().parse() {
                Ok(newest) => shared.notifier.notify_up_to(newest),
                Err(_) => shared.notifier.notify(),
            },
            // The connection was replaced: notifications of either channel may be lost.
            None => {
                shared.committed.notify_one();
                shared.notifier.notify();
            }
        }
    }
}

/// Notifies the sequencer of commits, outside of their transactions and one at a time: a notification inside a transaction
/// would hold a server-wide lock until after its flush.
async fn notify(shared: &Shared) {
    loop {
        shared.uncommunicated.notified().await;
        if let Err(error) = notify_sequencer(shared).await {
            tracing::warn!(%error, "notification of the sequencer failed; it polls");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn notify_sequencer(shared: &Shared) -> Result<(), sqlx::Error> {
    let mut conn = shared.pool.acquire().await?;
    sqlx::query(COMMITTED).execute(&mut *conn).await?;
    shared.pool.keep(conn);
    Ok(())
}
