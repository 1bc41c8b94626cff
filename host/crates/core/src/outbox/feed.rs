//! The facts of the store as one host follows them: a cursor, a ring of the newest facts, and subscriptions.
//!
//! Subscriptions pull. One that is slower than the ring reads from the store; nothing is buffered for it. Without
//! subscriptions, the host reads only the marks of facts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::access::ObjectKind;
use crate::cache::CachedReads;
use crate::error::Result;
use crate::id::TenantId;
use crate::outbox::{Fact, Mark, ObjectRef, Seq};
use crate::plugin::Digest;
use crate::ports::Store;

/// How many of the newest facts are kept in memory.
const RING: usize = 4_096;

/// How many facts are read at once.
const BATCH: u32 = 500;

/// How often a host looks for facts without a notification.
const POLL: Duration = Duration::from_secs(1);

/// The facts of the store, up to the cursor of this host.
pub struct Feed {
    store: Arc<dyn Store>,
    reads: Arc<CachedReads>,
    ring: RwLock<Ring>,
    head: watch::Sender<Seq>,
    /// The newest fact that may end the access of open streams.
    access: watch::Sender<Seq>,
    /// The newest fact about a release or an installation.
    plugins: watch::Sender<Seq>,
    /// Uploaded releases that are not prepared yet, with the tenants that uploaded them.
    uploaded: Mutex<BTreeMap<Digest, TenantId>>,
}

#[derive(Default)]
struct Ring {
    facts: VecDeque<(Seq, Arc<Fact>)>,
    /// All facts after this one are in the ring.
    floor: Seq,
}

/// A cursor into the facts of one tenant.
pub struct Subscription {
    feed: Arc<Feed>,
    tenant: TenantId,
    after: Seq,
    head: watch::Receiver<Seq>,
}

impl Feed {
    /// Opens a feed at the newest fact of the store.
    pub async fn open(store: Arc<dyn Store>, reads: Arc<CachedReads>) -> Result<Arc<Self>> {
        let head = store.head().await?;
        let ring = RwLock::new(Ring { facts: VecDeque::new(), floor: head });
        let (sender, _) = watch::channel(head);
        let (access, plugins) = (watch::Sender::new(head), watch::Sender::new(head));
        Ok(Arc::new(Self { store, reads, ring, head: sender, access, plugins, uploaded: Mutex::default() }))
    }

    /// Returns the number of the newest fact that this host has read.
    #[must_use]
    pub fn head(&self) -> Seq {
        *self.head.borrow()
    }

    /// Invalidates cached entries after a commit of this host, before the caller gets its answer.
    pub fn committed(&self, tenant: TenantId, objects: &[ObjectRef]) {
        for object in objects {
            self.reads.invalidate(tenant, object);
        }
    }

    /// Follows the store until cancelled.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.store.facts_changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
            if let Err(error) = self.catch_up().await {
                tracing::warn!(?error, "facts not read; retrying");
            }
        }
    }

    async fn catch_up(&self) -> Result<()> {
        loop {
            // A subscription that begins now reads from the store what the ring lacks.
            let marks = if self.head.receiver_count() > 0 {
                let facts = self.store.facts_after(self.head(), BATCH).await?;
                let marks = facts.iter().filter_map(Mark::of).collect();
                self.ring.write().unwrap_or_else(PoisonError::into_inner).extend(facts);
                marks
            } else {
                let marks = self.store.marks_after(self.head(), BATCH).await?;
                if let Some(last) = marks.last() {
                    self.ring.write().unwrap_or_else(PoisonError::into_inner).skip(last.seq);
                }
                marks
            };
            let Some(last) = marks.last().map(|mark| mark.seq) else { return Ok(()) };
            let mut plugins = false;
            for mark in &marks {
                self.reads.invalidate(mark.tenant, &mark.object);
                plugins |= self.note_plugin(mark);
            }
            // Before the head, so that no stream sends a later fact without a check of its access.
            if let Some(ending) = marks.iter().rfind(|mark| mark.may_end_access()) {
                self.access.send_replace(ending.seq);
            }
            self.head.send_replace(last);
            if plugins {
                self.plugins.send_replace(last);
            }
            if marks.len() < BATCH as usize {
                return Ok(());
            }
        }
    }

    /// Returns whether a fact is about plugins. Records uploaded releases.
    fn note_plugin(&self, mark: &Mark) -> bool {
        match mark.object.kind {
            ObjectKind::Installation => true,
            ObjectKind::Release => {
                if mark.fact_type == "release.uploaded"
                    && let Ok(digest) = Digest::parse("id", &mark.object.id)
                {
                    let mut uploaded = self.uploaded.lock().unwrap_or_else(PoisonError::into_inner);
                    uploaded.insert(digest, mark.tenant);
                }
                true
            }
            _ => false,
        }
    }

    /// Returns a channel that signals facts that may end the access of open streams.
    #[must_use]
    pub fn access_changed(&self) -> watch::Receiver<Seq> {
        self.access.subscribe()
    }

    /// Returns a channel that signals new facts about releases or installations.
    #[must_use]
    pub fn plugins_changed(&self) -> watch::Receiver<Seq> {
        self.plugins.subscribe()
    }

    /// Takes the releases that were uploaded since the last call, with the tenants that uploaded them.
    #[must_use]
    pub fn take_uploaded(&self) -> BTreeMap<Digest, TenantId> {
        std::mem::take(&mut *self.uploaded.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Subscribes to a tenant's facts after a number.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, tenant: TenantId, after: Seq) -> Subscription {
        Subscription { feed: Arc::clone(self), tenant, after, head: self.head.subscribe() }
    }
}

impl Ring {
    /// Drops all facts, and moves the ring after `seq`.
    fn skip(&mut self, seq: Seq) {
        self.facts.clear();
        self.floor = seq;
    }

    fn extend(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            let Some(seq) = fact.seq else { continue };
            self.facts.push_back((seq, Arc::new(fact)));
            if self.facts.len() > RING
                && let Some((seq, _)) = self.facts.pop_front()
            {
                self.floor = seq;
            }
        }
    }

    /// Returns a tenant's facts after a number, and the number up to which they are complete; `None` if the ring does not
    /// reach back so far.
    fn after(&self, tenant: TenantId, seq: Seq) -> Option<(Vec<Arc<Fact>>, Seq)> {
        if seq < self.floor {
            return None;
        }
        let start = self.facts.partition_point(|(at, _)| *at <= seq);
        let (mut found, mut reached) = (Vec::new(), seq);
        for (at, fact) in self.facts.range(start..) {
            reached = *at;
            if fact.tenant == tenant {
                found.push(Arc::clone(fact));
                if found.len() == BATCH as usize {
                    break;
                }
            }
        }
        Some((found, reached))
    }
}

impl Subscription {
    /// Returns the number up to which all facts were returned.
    #[must_use]
    pub fn cursor(&self) -> Seq {
        self.after
    }

    /// Waits for the next facts, and returns at least one. Safe to cancel.
    pub async fn next(&mut self) -> Result<Vec<Arc<Fact>>> {
        loop {
            let head = *self.head.borrow_and_update();
            if self.after < head {
                let facts = self.read(head).await?;
                if !facts.is_empty() {
                    return Ok(facts);
                }
            } else if self.head.changed().await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    async fn read(&mut self, head: Seq) -> Result<Vec<Arc<Fact>>> {
        let ringed =
            self.feed.ring.read().unwrap_or_else(PoisonError::into_inner).after(self.tenant, self.after);
        if let Some((facts, reached)) = ringed {
            self.after = reached;
            return Ok(facts);
        }
        let facts = self.feed.store.tenant_facts_after(self.tenant, self.after, BATCH).await?;
        let full = facts.len() == BATCH as usize;
        let last = facts.last().and_then(|fact| fact.seq);
        self.after = if full { last.unwrap_or(head) } else { last.unwrap_or(head).max(head) };
        Ok(facts.into_iter().map(Arc::new).collect())
    }
}
