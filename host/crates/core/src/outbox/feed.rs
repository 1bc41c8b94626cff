//! The facts of the store as one host follows them: a cursor, a ring of the newest facts, and subscriptions.
//!
//! Subscriptions pull, in batches of few bytes. One that is slower than the ring reads from the store; nothing is
//! buffered for it. Without subscriptions, the host reads only the marks of facts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::access::ObjectKind;
use crate::cache::CachedReads;
use crate::ctx::Principal;
use crate::error::Result;
use crate::id::TenantId;
use crate::outbox::access_signals::AccessSignals;
use crate::outbox::{Fact, Mark, ObjectRef, Seq};
use crate::plugin::Digest;
use crate::ports::Store;

/// How many of the newest facts are kept in memory, and how many bytes of them.
const RING: usize = 4_096;
const RING_BYTES: usize = 16 << 20;

/// How many facts are read at once at most, and at first, and at how many bytes a read ends.
const BATCH: u32 = 512;
const FIRST_BATCH: u32 = 32;
const BATCH_BYTES: usize = 1 << 20;

/// At how many bytes a batch of a subscription ends.
const WINDOW_BYTES: usize = 64 << 10;

/// How often a host looks for facts without a notification.
const POLL: Duration = Duration::from_secs(1);

/// The facts of the store, up to the cursor of this host.
pub struct Feed {
    store: Arc<dyn Store>,
    reads: Arc<CachedReads>,
    ring: RwLock<Ring>,
    head: watch::Sender<Seq>,
    access: AccessSignals,
    /// The newest fact about a release or an installation.
    plugins: watch::Sender<Seq>,
    /// Uploaded releases that are not prepared yet, with the tenants that uploaded them.
    uploaded: Mutex<BTreeMap<Digest, TenantId>>,
}

#[derive(Default)]
struct Ring {
    facts: VecDeque<(Seq, Arc<Fact>)>,
    /// The sum of their sizes.
    bytes: usize,
    /// All facts after this one are in the ring.
    floor: Seq,
}

/// A cursor into the facts of one tenant.
pub struct Subscription {
    feed: Arc<Feed>,
    tenant: TenantId,
    after: Seq,
    /// How many facts the next read from the store fetches.
    limit: u32,
    head: watch::Receiver<Seq>,
}

impl Feed {
    /// Opens a feed at the newest fact of the store.
    pub async fn open(store: Arc<dyn Store>, reads: Arc<CachedReads>) -> Result<Arc<Self>> {
        let head = store.head().await?;
        let ring = RwLock::new(Ring { floor: head, ..Ring::default() });
        let (sender, _) = watch::channel(head);
        let (access, plugins) = (AccessSignals::default(), watch::Sender::new(head));
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
        let mut limit = FIRST_BATCH;
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.store.facts_changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
            if let Err(error) = self.catch_up(&mut limit).await {
                tracing::warn!(?error, "facts not read; retrying");
            }
        }
    }

    /// Reads the facts after the head, at first as many as `limit`.
    async fn catch_up(&self, limit: &mut u32) -> Result<()> {
        loop {
            // A subscription that begins now reads from the store what the ring lacks.
            let (marks, is_full) = if self.head.receiver_count() > 0 {
                let facts = self.store.facts_after(self.head(), *limit, BATCH_BYTES).await?;
                let marks: Vec<_> = facts.iter().filter_map(Mark::of).collect();
                let is_full = is_full(&facts, *limit, BATCH_BYTES);
                *limit = next_limit(*limit, &facts, BATCH_BYTES);
                self.ring.write().unwrap_or_else(PoisonError::into_inner).extend(facts);
                (marks, is_full)
            } else {
                let marks = self.store.marks_after(self.head(), BATCH).await?;
                if let Some(last) = marks.last() {
                    self.ring.write().unwrap_or_else(PoisonError::into_inner).skip(last.seq);
                }
                let is_full = marks.len() == BATCH as usize;
                (marks, is_full)
            };
            let Some(last) = marks.last().map(|mark| mark.seq) else { return Ok(()) };
            let mut plugins = false;
            for mark in &marks {
                self.reads.invalidate(mark.tenant, &mark.object);
                plugins |= self.note_plugin(mark);
            }
            // Before the head, so that no stream sends a later fact without a check of its access.
            self.access.signal(&marks);
            self.head.send_replace(last);
            if plugins {
                self.plugins.send_replace(last);
            }
            if !is_full {
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

    /// Returns a channel that signals facts that may end the access of a tenant's caller.
    #[must_use]
    pub fn access_changed(&self, tenant: TenantId, caller: &Principal) -> watch::Receiver<Seq> {
        self.access.subscribe(tenant, caller)
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
        Subscription {
            feed: Arc::clone(self),
            tenant,
            after,
            limit: FIRST_BATCH,
            head: self.head.subscribe(),
        }
    }
}

/// Returns whether a read of facts ended at one of its limits, so that there may be more.
fn is_full(facts: &[Fact], limit: u32, bytes: usize) -> bool {
    facts.len() == limit as usize || size_of(facts) >= bytes
}

/// Returns how many facts the read after this one fetches: about as many as fit its bytes, because PostgreSQL sends all
/// facts that a query selects. Powers of two, so that SQLite prepares few statements.
fn next_limit(limit: u32, facts: &[Fact], bytes: usize) -> u32 {
    let count = u32::try_from(facts.len()).unwrap_or(BATCH);
    if size_of(facts) >= bytes {
        (count.next_power_of_two() * 2).min(BATCH)
    } else if count == limit {
        (limit * 2).min(BATCH)
    } else {
        limit
    }
}

fn size_of(facts: &[Fact]) -> usize {
    facts.iter().map(Fact::size).sum()
}

impl Ring {
    /// Drops all facts, and moves the ring after `seq`.
    fn skip(&mut self, seq: Seq) {
        *self = Self { floor: seq, ..Self::default() };
    }

    fn extend(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            let Some(seq) = fact.seq else { continue };
            self.bytes += fact.size();
            self.facts.push_back((seq, Arc::new(fact)));
            while (self.facts.len() > RING || self.bytes > RING_BYTES)
                && let Some((seq, fact)) = self.facts.pop_front()
            {
                self.bytes -= fact.size();
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
        let (mut found, mut bytes, mut reached) = (Vec::new(), 0, seq);
        for (at, fact) in self.facts.range(start..) {
            reached = *at;
            if fact.tenant == tenant {
                found.push(Arc::clone(fact));
                bytes += fact.size();
                if bytes >= WINDOW_BYTES {
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

    /// Returns to a number, so that the facts after it are read again.
    pub fn rewind(&mut self, after: Seq) {
        self.after = after;
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
        let store = &self.feed.store;
        let facts = store.tenant_facts_after(self.tenant, self.after, self.limit, WINDOW_BYTES).await?;
        let is_full = is_full(&facts, self.limit, WINDOW_BYTES);
        self.limit = next_limit(self.limit, &facts, WINDOW_BYTES);
        let last = facts.last().and_then(|fact| fact.seq);
        self.after = if is_full { last.unwrap_or(head) } else { last.unwrap_or(head).max(head) };
        Ok(facts.into_iter().map(Arc::new).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::ctx::{Ctx, Transport};
    use crate::outbox::NewFact;
    use crate::time::Timestamp;
    use crate::value::{Change, Value};

    use super::*;

    fn fact(tenant: TenantId, seq: Seq, bytes: usize) -> Fact {
        let times = (Timestamp::default(), std::time::Instant::now());
        let ctx = Ctx::new(tenant, Principal::System, "r".into(), times, Transport::Internal);
        let object = ObjectRef { kind: ObjectKind::Issue, id: "1".into(), version: seq };
        let after = Value::Text("x".repeat(bytes));
        let changes = vec![Change { field: "f".into(), before: Value::None, after }];
        Fact { seq: Some(seq), tenant, body: NewFact::new(&ctx, "issue.updated", object, changes) }
    }

    #[test]
    fn ring_is_bounded_in_facts_and_bytes() {
        let tenant = TenantId::generate();
        let mut ring = Ring::default();
        ring.extend((1..=5_000).map(|seq| fact(tenant, seq, 1)).collect());
        assert_eq!((ring.facts.len(), ring.floor), (RING, 5_000 - RING as Seq));
        ring.extend((5_001..=5_020).map(|seq| fact(tenant, seq, 1 << 20)).collect());
        assert!(ring.bytes <= RING_BYTES);
        assert_eq!((ring.facts.len(), ring.floor), (15, 5_005));
        assert!(ring.after(tenant, 5_004).is_none());
        let sizes = ring.facts.iter().map(|(_, fact)| fact.size()).sum::<usize>();
        assert_eq!(ring.bytes, sizes);
    }

    #[test]
    fn reads_follow_the_size_of_facts() {
        let tenant = TenantId::generate();
        let facts = |count: u64, bytes| (1..=count).map(|seq| fact(tenant, seq, bytes)).collect::<Vec<_>>();
        let next = |limit, facts: &[Fact]| next_limit(limit, facts, 10_000);
        assert_eq!(next(32, &facts(32, 1)[..9]), 32);
        assert_eq!(next(8, &facts(8, 1)), 16);
        assert_eq!(next(32, &facts(3, 4_000)), 8);
        assert_eq!(next(8, &facts(1, 20_000)), 2);
        assert_eq!(next_limit(BATCH, &facts(u64::from(BATCH), 1), usize::MAX), BATCH);
    }

    #[test]
    fn batch_of_a_subscription_is_bounded_in_bytes() {
        let tenant = TenantId::generate();
        let mut ring = Ring::default();
        ring.extend((1..=9).map(|seq| fact(tenant, seq, 30 << 10)).collect());
        let (mut after, mut batches) = (0, Vec::new());
        while after < 9 {
            let (facts, reached) = ring.after(tenant, after).unwrap();
            after = reached;
            batches.push(facts.len());
        }
        assert_eq!(batches, [3, 3, 3]);
        ring.extend(vec![fact(tenant, 10, 1 << 20)]);
        assert_eq!(ring.after(tenant, 9).unwrap().0.len(), 1);
    }
}
