//! How one host follows the facts of the store: a cursor, a ring of the newest, and who reads from it.
//!
//! Readers pull. One that is slower than the ring reads from the store; nothing is buffered for it. While nobody reads,
//! of each fact only that is read which the host itself must know.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::access::ObjectKind;
use crate::cache::Reads;
use crate::error::Result;
use crate::id::TenantId;
use crate::outbox::{Fact, Mark, ObjectRef, Seq};
use crate::plugin::Digest;
use crate::ports::Store;

/// How many of the newest facts are kept in memory.
const RING: usize = 4_096;

/// How many facts are read at once.
const BATCH: u32 = 500;

/// How long a host waits before it looks again when nobody woke it.
const POLL: Duration = Duration::from_secs(1);

/// The facts of the store, as this host has seen them so far.
pub struct Feed {
    store: Arc<dyn Store>,
    reads: Arc<Reads>,
    ring: RwLock<Ring>,
    head: watch::Sender<Seq>,
    /// The newest fact about a release or an installation.
    plugins: watch::Sender<Seq>,
    /// Releases that were uploaded and that nobody has taken up yet, with who uploaded them.
    uploaded: Mutex<BTreeMap<Digest, TenantId>>,
}

#[derive(Default)]
struct Ring {
    facts: VecDeque<(Seq, Arc<Fact>)>,
    /// All facts after this one are in the ring.
    floor: Seq,
}

/// A reader's place among the facts of one tenant.
pub struct Subscription {
    feed: Arc<Feed>,
    tenant: TenantId,
    after: Seq,
    head: watch::Receiver<Seq>,
}

impl Feed {
    /// A feed that begins at the newest fact of the store.
    pub async fn open(store: Arc<dyn Store>, reads: Arc<Reads>) -> Result<Arc<Self>> {
        let head = store.head().await?;
        let ring = RwLock::new(Ring { facts: VecDeque::new(), floor: head });
        let (sender, _) = watch::channel(head);
        let plugins = watch::Sender::new(head);
        Ok(Arc::new(Self { store, reads, ring, head: sender, plugins, uploaded: Mutex::default() }))
    }

    /// The newest fact that this host has seen.
    #[must_use]
    pub fn head(&self) -> Seq {
        *self.head.borrow()
    }

    /// Called after a commit of this host: what it made untrue is forgotten before the caller is answered.
    pub fn committed(&self, tenant: TenantId, objects: &[ObjectRef]) {
        for object in objects {
            self.reads.learn(tenant, object);
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
                tracing::warn!(?error, "the facts could not be read; they are read again");
            }
        }
    }

    async fn catch_up(&self) -> Result<()> {
        loop {
            // Who begins to read meanwhile finds what the ring lacks in the store.
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
                self.reads.learn(mark.tenant, &mark.object);
                plugins |= self.note_plugin(mark);
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

    /// Whether a fact is about plugins; a release that was uploaded is noted.
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

    /// Says when there are new facts about releases or installations.
    #[must_use]
    pub fn plugins_changed(&self) -> watch::Receiver<Seq> {
        self.plugins.subscribe()
    }

    /// The releases that were uploaded since it was last called, with who uploaded them.
    #[must_use]
    pub fn take_uploaded(&self) -> BTreeMap<Digest, TenantId> {
        std::mem::take(&mut *self.uploaded.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads a tenant's facts after a place.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, tenant: TenantId, after: Seq) -> Subscription {
        Subscription { feed: Arc::clone(self), tenant, after, head: self.head.subscribe() }
    }
}

impl Ring {
    /// Forgets all facts up to one that it does not have.
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

    /// A tenant's facts after a place, and up to which place they were looked for; none if the ring
    /// does not reach back so far.
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
    /// The place up to which all facts were given.
    #[must_use]
    pub fn cursor(&self) -> Seq {
        self.after
    }

    /// The next facts, at least one; waits for them. May be dropped and called again at any time.
    pub async fn next(&mut self) -> Result<Vec<Arc<Fact>>> {
        loop {
            let head = *self.head.borrow_and_update();
            if self.after < head {
                let found = self.read(head).await?;
                if !found.is_empty() {
                    return Ok(found);
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
