//! Reads of pricing rules and quotes.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{QuoteId, RuleId, TenantId};
use crate::page::{Page, PageRequest};
use crate::pricing::{PricingRule, Quote};
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
    /// Deletes at most `limit` quotes that ended before a time and that no reservation refers to; returns their number.
    async fn purge_quotes(&self, ended_before: Timestamp, limit: u32) -> Result<u64>;
}
