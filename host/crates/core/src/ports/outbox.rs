//! Reads of facts.

use async_trait::async_trait;

use crate::access::ObjectKind;
use crate::error::Result;
use crate::id::TenantId;
use crate::outbox::{Fact, Mark, Seq};
use crate::page::{Page, PageRequest};
use crate::time::Timestamp;

/// Facts.
#[async_trait]
pub trait OutboxStore: Send + Sync {
    /// Returns the number of the newest numbered fact, or 0.
    async fn head(&self) -> Result<Seq>;
    /// Returns at most `limit` facts of all tenants after `seq`, in order; fewer when the sum of their sizes reaches
    /// `bytes`. A later call never returns a fact below one that was returned before.
    async fn facts_after(&self, seq: Seq, limit: u32, bytes: usize) -> Result<Vec<Fact>>;
    /// Returns at most `limit` of the same facts, but only their numbers, types and objects.
    async fn marks_after(&self, seq: Seq, limit: u32) -> Result<Vec<Mark>>;
    /// Returns the facts of [`facts_after`](Self::facts_after) that belong to one tenant.
    async fn tenant_facts_after(
        &self,
        tenant: TenantId,
        seq: Seq,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<Fact>>;
    /// Returns a page of one object's facts, newest version first.
    async fn history(
        &self,
        tenant: TenantId,
        object: (ObjectKind, &str),
        page: &PageRequest,
    ) -> Result<Page<Fact>>;
    /// Returns a page of a tenant's facts, newest first.
    async fn audit(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Fact>>;
    /// Waits until there may be new facts. May return early.
    async fn facts_changed(&self);
    /// Returns the number of the newest fact, of any tenant, that is older than `before`, or 0. The tenant reads it.
    async fn seq_before(&self, tenant: TenantId, before: Timestamp) -> Result<Seq>;
    /// Deletes at most `limit` facts older than `before`, and returns their number.
    async fn forget_facts(&self, before: Timestamp, limit: u32) -> Result<u64>;
}
