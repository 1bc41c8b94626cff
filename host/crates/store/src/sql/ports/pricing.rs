//! Pricing rules, promotions, quotes and displayed prices.

use async_trait::async_trait;
use tessera_core::id::{EventId, PromotionId, QuoteId, RuleId, TenantId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::ports::{PricingStore, Store as _};
use tessera_core::pricing::{DisplayedPrices, PricingRule, Promotion, PromotionCode, Quote};
use tessera_core::{Result, Timestamp};

use super::super::super::DbStore;
use super::super::maintenance::Maintenance;
use super::super::pricing::{displayed, promotion, quote, rule};

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

    async fn promotion(&self, tenant: TenantId, id: PromotionId) -> Result<Option<Promotion>> {
        read!(self.read(tenant).await?, promotion::get, tenant, id)
    }

    async fn promotion_page(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Promotion>> {
        read!(self.read(tenant).await?, promotion::list, tenant, page)
    }

    async fn count_promotions(&self, tenant: TenantId, limit: u32) -> Result<u32> {
        read!(self.read(tenant).await?, promotion::count, tenant, limit)
    }

    async fn count_codes(&self, tenant: TenantId) -> Result<u32> {
        read!(self.read(tenant).await?, promotion::count_codes, tenant)
    }

    async fn purge_promotions(&self, tenant: TenantId, limit: u32) -> Result<u64> {
        self.maintenance(Maintenance::PurgePromotions { tenant, limit }).await
    }

    async fn promotion_codes(
        &self,
        tenant: TenantId,
        codes: &[String],
    ) -> Result<Vec<(PromotionCode, Promotion)>> {
        read!(self.read(tenant).await?, promotion::codes_named, tenant, codes)
    }

    async fn promotion_code_page(
        &self,
        tenant: TenantId,
        of: PromotionId,
        page: &PageRequest,
    ) -> Result<Page<PromotionCode>> {
        read!(self.read(tenant).await?, promotion::code_page, tenant, of, page)
    }

    async fn count_code_uses(&self, tenant: TenantId, of: PromotionId, buyer: &str) -> Result<u32> {
        read!(self.read(tenant).await?, promotion::count_uses, tenant, of, buyer)
    }

    async fn keeping_codes(
        &self,
        tenant: TenantId,
        of: PromotionId,
        limit: u32,
    ) -> Result<Vec<PromotionCode>> {
        read!(self.read(tenant).await?, promotion::keeping_codes, tenant, of, limit)
    }

    async fn ended_kept_codes(&self, tenant: TenantId, limit: u32) -> Result<Vec<PromotionCode>> {
        let bounds = (self.now(), limit);
        read!(self.read(tenant).await?, promotion::ended_kept_codes, tenant, bounds)
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

    async fn postpone_displayed_prices(&self, tenant: TenantId, event: EventId, at: Timestamp) -> Result<()> {
        self.maintenance(Maintenance::PostponeDisplayedPrices { tenant, event, at }).await.map(drop)
    }

    async fn forget_displayed_prices(&self, tenant: TenantId, event: EventId) -> Result<()> {
        self.maintenance(Maintenance::ForgetDisplayedPrices { tenant, event }).await.map(drop)
    }
}
