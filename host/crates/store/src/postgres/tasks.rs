//! What runs beside the requests: the clock, the listener and the notifier.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;

use super::Shared;
use crate::clock::MEASURED_EVERY;

/// Hosts that commit tell the sequencer.
const COMMITTED_CHANNEL: &str = "tessera_committed";
const COMMITTED: &str = "NOTIFY tessera_committed";

/// The sequencer tells all hosts, in the function `number_facts`.
const NUMBERED_CHANNEL: &str = "tessera_numbered";

/// How long is waited before a failed task begins again.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs them until the store stops.
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
        tokio::time::sleep(MEASURED_EVERY).await;
        if let Err(error) = shared.measure().await {
            tracing::warn!(?error, "the database's clock could not be read; the host's goes on");
        }
    }
}

/// Listens to the other hosts. A notification that is lost is made up for by a poll each second.
async fn listen(shared: &Shared) {
    loop {
        if let Err(error) = listen_once(shared).await {
            tracing::warn!(%error, "listening to the database was interrupted");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen_once(shared: &Shared) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(shared.pool.pool()).await?;
    listener.ignore_pool_close_event(true);
    listener.listen_all([COMMITTED_CHANNEL, NUMBERED_CHANNEL]).await?;
    loop {
        let heard = listener.try_recv().await?;
        match heard {
            Some(heard) if heard.channel() == COMMITTED_CHANNEL => shared.committed.notify_one(),
            Some(heard) => match heard.payload().parse() {
                Ok(newest) => shared.changed.say_upto(newest),
                Err(_) => shared.changed.say(),
            },
            // The connection was lost and made again: either may have been missed.
            None => {
                shared.committed.notify_one();
                shared.changed.say();
            }
        }
    }
}

/// Tells the sequencer of commits, outside of their transactions and one at a time: a notification inside
/// one would hold a lock of the whole server until after its flush.
async fn notify(shared: &Shared) {
    loop {
        shared.untold.notified().await;
        if let Err(error) = tell(shared).await {
            tracing::warn!(%error, "the sequencer could not be told; it looks by itself");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn tell(shared: &Shared) -> Result<(), sqlx::Error> {
    let mut conn = shared.pool.acquire().await?;
    sqlx::query(COMMITTED).execute(&mut *conn).await?;
    shared.pool.keep(conn);
    Ok(())
}
