//! Rollout of a changed installation: waits until it is active on all hosts.

use std::time::{Duration, Instant};

use crate::access::ObjectKind;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::filter::{Filter, Order};
use crate::page::PageRequest;
use crate::plugin::Installation;
use crate::ports::Store;

/// The longest wait; hosts that take longer are reported.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The pause between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A host without a heartbeat for this long is considered gone.
const HOST_TIMEOUT: Duration = Duration::from_secs(30);

/// A changed installation, and the hosts where the change is not active yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rollout {
    /// The installation.
    pub installation: Installation,
    /// The hosts where the change is not active yet.
    pub lagging: Vec<String>,
}

/// Waits until a change is active on all hosts, for at most [`MAX_WAIT`].
pub(super) async fn wait(store: &dyn Store, ctx: &Ctx, installation: Installation) -> Result<Rollout> {
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        let lagging = lagging_hosts(store, ctx, &installation).await?;
        if lagging.is_empty() || Instant::now() >= deadline {
            return Ok(Rollout { installation, lagging });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn lagging_hosts(store: &dyn Store, ctx: &Ctx, installation: &Installation) -> Result<Vec<String>> {
    let newest = PageRequest {
        size: 1,
        after: None,
        filter: Filter::default(),
        order: Order { field: "version", descending: true },
    };
    let object = (ObjectKind::Installation, &*installation.id.to_string());
    let history = store.history(ctx.tenant, object, &newest).await?;
    let seq = history.items.first().and_then(|fact| fact.seq);
    let hosts = store.hosts(ctx.tenant, HOST_TIMEOUT).await?;
    let lagging = hosts.into_iter().filter(|(_, active)| seq.is_none_or(|seq| *active < seq));
    Ok(lagging.map(|(host, _)| host).collect())
}
