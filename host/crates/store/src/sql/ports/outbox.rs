//! Facts.

use async_trait::async_trait;
use tessera_core::access::ObjectKind;
use tessera_core::id::TenantId;
use tessera_core::outbox::{Fact, Mark, Seq};
use tessera_core::page::{Page, PageRequest};
use tessera_core::ports::OutboxStore;
use tessera_core::{Result, Timestamp};

use super::super::super::DbStore;
use super::super::maintenance::Maintenance;
use super::super::outbox;

#[async_trait]
impl OutboxStore for DbStore {
    async fn head(&self) -> Result<Seq> {
        read!(self.host_reader().await?, outbox::head)
    }

    async fn facts_after(&self, seq: Seq, limit: u32, bytes: usize) -> Result<Vec<Fact>> {
        read!(self.host_reader().await?, outbox::after, None, seq, (limit, bytes))
    }

    async fn marks_after(&self, seq: Seq, limit: u32) -> Result<Vec<Mark>> {
        read!(self.host_reader().await?, outbox::marks, seq, limit)
    }

    async fn tenant_facts_after(
        &self,
        tenant: TenantId,
        seq: Seq,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<Fact>> {
        read!(self.read(tenant).await?, outbox::after, Some(tenant), seq, (limit, bytes))
    }

    async fn history(
        &self,
        tenant: TenantId,
        object: (ObjectKind, &str),
        page: &PageRequest,
    ) -> Result<Page<Fact>> {
        read!(self.read(tenant).await?, outbox::history, tenant, object, page)
    }

    async fn audit(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Fact>> {
        read!(self.read(tenant).await?, outbox::audit, tenant, page)
    }

    async fn facts_changed(&self) {
        self.notifier().wait().await;
    }

    async fn seq_before(&self, tenant: TenantId, before: Timestamp) -> Result<Seq> {
        read!(self.read(tenant).await?, outbox::seq_before, before)
    }

    async fn forget_facts(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.maintenance(Maintenance::DeleteFacts { before, limit }).await
    }
}
