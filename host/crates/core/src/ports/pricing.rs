//! Reads of pricing rules and quotes.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{EventId, PromotionId, QuoteId, RuleId, TenantId};
use crate::page::{Page, PageRequest};
use crate::pricing::{DisplayedPrices, PricingRule, Promotion, PromotionCode, Quote};
use crate::time::Timestamp;

/// Pricing rules and quotes.
#[async_trait]
pub trait PricingStore: Send + Sync {
    /// Returns a pricing rule.
    async fn pricing_rule(&self, tenant: TenantId, id: RuleId) -> Result<Option<PricingRule>>;
    /// Returns a page of pricing rules.
    async fn pricing_rule_page(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<PricingRule>>;
    /// Returns all pricing rules of a tenant, oldest first.
    async fn pricing_rules(&self, tenant: TenantId) -> Result<Vec<PricingRule>>;
    /// Returns a quote.
    async fn quote(&self, tenant: TenantId, id: QuoteId) -> Result<Option<Quote>>;
    /// Counts the quotes that no reservation refers to and that have not ended, up to `limit`.
    async fn count_open_quotes(&self, tenant: TenantId, limit: u32) -> Result<u32>;
    /// Deletes at most `limit` quotes that ended before a time and that no reservation refers to, or whose reservations
    /// were all released or had expired by then; returns their number.
    async fn purge_quotes(&self, ended_before: Timestamp, limit: u32) -> Result<u64>;
    /// Returns a promotion.
    async fn promotion(&self, tenant: TenantId, id: PromotionId) -> Result<Option<Promotion>>;
    /// Returns a page of promotions.
    async fn promotion_page(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Promotion>>;
    /// Counts promotions, with deleted ones that are not purged yet, up to `limit`.
    async fn count_promotions(&self, tenant: TenantId, limit: u32) -> Result<u32>;
    /// Counts the codes of all promotions, with deleted ones that are not purged yet.
    async fn count_codes(&self, tenant: TenantId) -> Result<u32>;
    /// Deletes at most `limit` rows of a tenant's deleted promotion: codes, then their uses, then the promotion. Returns
    /// their number; 0 if none is left.
    async fn purge_promotions(&self, tenant: TenantId, limit: u32) -> Result<u64>;
    /// Returns those of these codes, in their canonical form, that exist, each with its promotion.
    async fn promotion_codes(
        &self,
        tenant: TenantId,
        codes: &[String],
    ) -> Result<Vec<(PromotionCode, Promotion)>>;
    /// Returns a page of a promotion's codes, in their order.
    async fn promotion_code_page(
        &self,
        tenant: TenantId,
        of: PromotionId,
        page: &PageRequest,
    ) -> Result<Page<PromotionCode>>;
    /// Counts a buyer's uses of a promotion's codes.
    async fn count_code_uses(&self, tenant: TenantId, of: PromotionId, buyer: &str) -> Result<u32>;
    /// Returns the codes of a promotion that keep units now, at most `limit`.
    async fn keeping_codes(
        &self,
        tenant: TenantId,
        of: PromotionId,
        limit: u32,
    ) -> Result<Vec<PromotionCode>>;
    /// Returns codes that still keep units although their promotion has ended or is disabled; if there are none, those that
    /// keep units of a cancelled event. At most `limit`.
    async fn ended_kept_codes(&self, tenant: TenantId, limit: u32) -> Result<Vec<PromotionCode>>;
    /// Returns the prices of an event as they were last displayed.
    async fn displayed_prices(&self, tenant: TenantId, event: EventId) -> Result<Option<DisplayedPrices>>;
    /// Returns the events, at most `limit`, whose displayed prices were computed at a time or earlier, oldest first.
    async fn stale_displayed_prices(
        &self,
        tenant: TenantId,
        at: Timestamp,
        limit: u32,
    ) -> Result<Vec<EventId>>;
    /// Marks the displayed prices of an event as computed at a time, if there are any and they are older.
    async fn postpone_displayed_prices(&self, tenant: TenantId, event: EventId, at: Timestamp) -> Result<()>;
    /// Deletes the displayed prices of an event, if there are any.
    async fn forget_displayed_prices(&self, tenant: TenantId, event: EventId) -> Result<()>;
}
