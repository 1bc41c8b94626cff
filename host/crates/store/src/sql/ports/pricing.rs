//! Pricing rules and quotes.

use async_trait::async_trait;
use tessera_core::id::{EventId, QuoteId, RuleId, TenantId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::ports::{PricingStore, Store as _};
use tessera_core::pricing::{DisplayedPrices, PricingRule, Quote};
use tessera_core::{Result, Timestamp};

use super::super::super::DbStore;
use super::super::maintenance::Maintenance;
use super::super::pricing::{displayed, quote, rule};

#[async_trait]
impl PricingStore for DbStore {
    async fn pricing_rule(&self, tenant: TenantId, id: RuleId) -> Result<Option<PricingRule>> {
        read!(self.read(tenant).await?, rule::get, tenant, id)
    }

    async fn pricing_rule_page(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<PricingRule>> {
        read!(self.read(tenant).await?, rule::list, tenant, page)
    }

    async fn pricing_rules(&self, tenant: TenantId) -> Result<Vec<PricingRule>> {
        read!(self.read(tenant).await?, rule::all, tenant)
    }

    async fn quote(&self, tenant: TenantId, id: QuoteId) -> Result<Option<Quote>> {
        read!(self.read(tenant).await?, quote::get, tenant, id)
    }

    async fn count_open_quotes(&self, tenant: TenantId, limit: u32) -> Result<u32> {
        let bounds = (self.now(), limit);
        read!(self.read(tenant).await?, quote::count_open, tenant, bounds)
    }

    async fn purge_quotes(&self, ended_before: Timestamp, limit: u32) -> Result<u64> {
        self.maintenance(Maintenance::PurgeQuotes { ended_before, limit }).await
    }

    async fn displayed_prices(&self, tenant: TenantId, event: EventId) -> Result<Option<DisplayedPrices>> {
        read!(self.read(tenant).await?, displayed::get, tenant, event)
    }

    async fn stale_displayed_prices(
        &self,
        tenant: TenantId,
        at: Timestamp,
        limit: u32,
    ) -> Result<Vec<EventId>> {
        read!(self.read(tenant).await?, displayed::stale, tenant, (at, limit))
    }

    async fn forget_displayed_prices(&self, tenant: TenantId, event: EventId) -> Result<()> {
        self.maintenance(Maintenance::ForgetDisplayedPrices { tenant, event }).await.map(drop)
    }
}
