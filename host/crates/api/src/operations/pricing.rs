//! Prices, quotes and pricing rules.

use tessera_core::access::Operation;
use tessera_core::id::{EventId, QuoteId, RuleId};
use tessera_core::pricing::PricingRule;
use tessera_core::pricing::rule::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Error, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::pricing::{
    basket, by_single_fields, change, create as command, price, quote as encode_quote, rule as encode,
};
use crate::convert::promotion::{applied_discount, apply_discount as read_discount};
use crate::operations::{Answer, Api, at_version, listing};

fn rule_id(text: &str) -> Result<RuleId> {
    RuleId::parse("rule_id", text)
}

pub(crate) async fn calculate(
    api: Api,
    ctx: Ctx,
    request: pb::CalculatePriceRequest,
) -> Result<Answer<pb::CalculatePriceResponse>> {
    if request.keep {
        return create_quote(api, ctx, request).await;
    }
    let is_single = request.lines.is_empty();
    let quote = api.app.quotes.calculate(&ctx, &basket(request)?).await;
    Ok(Answer::new(price(&by_single_fields(is_single, quote)?, false)))
}

pub(crate) async fn apply_discount(
    api: Api,
    ctx: Ctx,
    request: pb::ApplyDiscountRequest,
) -> Result<Answer<pb::ApplyDiscountResponse>> {
    let command = read_discount(request)?;
    let original = command.original.clone();
    let applied = api.app.quotes.apply_discount(&ctx, &command).await?;
    Ok(Answer::new(applied_discount(&original, applied)))
}

/// Stores the quote, whatever `keep` is.
pub(crate) async fn create_quote(
    api: Api,
    ctx: Ctx,
    request: pb::CalculatePriceRequest,
) -> Result<Answer<pb::CalculatePriceResponse>> {
    // CalculatePrice is public, so a missing key is refused here, before the request is decoded.
    ctx.allow(Operation::QuoteCreate)?;
    let is_single = request.lines.is_empty();
    let quote = api.app.quotes.keep(&ctx, &basket(request)?).await;
    let quote = by_single_fields(is_single, quote)?;
    Ok(Answer { id: Some(quote.id.to_string()), ..Answer::new(price(&quote, true)) })
}

pub(crate) async fn get_quote(
    api: Api,
    ctx: Ctx,
    request: pb::GetQuoteRequest,
) -> Result<Answer<pb::GetQuoteResponse>> {
    let quote = api.app.quotes.get(&ctx, QuoteId::parse("quote_id", &request.quote_id)?).await?;
    Ok(Answer::of(encode_quote(&quote), |quote| pb::GetQuoteResponse { quote }))
}

pub(crate) async fn create_rule(
    api: Api,
    ctx: Ctx,
    request: pb::CreatePricingRuleRequest,
) -> Result<Answer<pb::CreatePricingRuleResponse>> {
    let rule = api.app.pricing_rules.create(&ctx, command(request)?).await?;
    Ok(Answer::of(encode(rule), |rule| pb::CreatePricingRuleResponse { rule }))
}

pub(crate) async fn get_rule(
    api: Api,
    ctx: Ctx,
    request: pb::GetPricingRuleRequest,
) -> Result<Answer<pb::GetPricingRuleResponse>> {
    let rule = api.app.pricing_rules.get(&ctx, rule_id(&request.rule_id)?).await?;
    Ok(Answer::of(encode(rule), |rule| pb::GetPricingRuleResponse { rule }))
}

pub(crate) async fn list_rules(
    api: Api,
    ctx: Ctx,
    request: pb::ListPricingRulesRequest,
) -> Result<Answer<pb::ListPricingRulesResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::PricingRuleList);
    let page = api.app.pricing_rules.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (rules, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::ListPricingRulesResponse { rules, next_page_token }))
}

pub(crate) async fn rules_of_event(
    api: Api,
    ctx: Ctx,
    request: pb::GetPricingRulesRequest,
) -> Result<Answer<pb::GetPricingRulesResponse>> {
    let event = EventId::parse("event_id", &request.event_id)?;
    let rules = api.app.pricing_rules.of_event(&ctx, event).await?;
    Ok(Answer::new(pb::GetPricingRulesResponse { rules: rules.into_iter().map(encode).collect() }))
}

pub(crate) async fn update_rule(
    api: Api,
    ctx: Ctx,
    request: pb::UpdatePricingRuleRequest,
) -> Result<Answer<pb::UpdatePricingRuleResponse>> {
    let (id, ctx) = (rule_id(&request.rule_id)?, at_version(ctx, &request.etag));
    let rule = api.app.pricing_rules.update(&ctx, id, change(request)?).await?;
    Ok(Answer::of(encode(rule), |rule| pb::UpdatePricingRuleResponse { rule }))
}

pub(crate) async fn delete_rule(
    api: Api,
    ctx: Ctx,
    request: pb::DeletePricingRuleRequest,
) -> Result<Answer<pb::DeletePricingRuleResponse>> {
    let (id, ctx) = (rule_id(&request.rule_id)?, at_version(ctx, &request.etag));
    api.app.pricing_rules.delete(&ctx, id).await?;
    Ok(Answer::new(pb::DeletePricingRuleResponse {}))
}

pub(crate) async fn test_rule(
    api: Api,
    ctx: Ctx,
    request: pb::TestPricingRuleRequest,
) -> Result<Answer<pb::TestPricingRuleResponse>> {
    let rule = request.rule.ok_or_else(|| Error::invalid("rule", "must be given"))?;
    let basket_of = request.basket.ok_or_else(|| Error::invalid("basket", "must be given"))?;
    if basket_of.keep {
        return Err(Error::invalid("basket.keep", "must be false: nothing is stored"));
    }
    let is_single = basket_of.lines.is_empty();
    let attributes = command(rule).map_err(|error| within("rule", error))?;
    let basket = basket(basket_of).map_err(|error| within("basket", error))?;
    let id = RuleId::generate();
    let rule = PricingRule { id, attributes, created_at: ctx.now, updated_at: ctx.now, version: 1 };
    let quote = by_single_fields(is_single, api.app.quotes.try_rule(&ctx, rule, &basket).await);
    let of_basket = |field: &str| (!field.starts_with("rule.")).then(|| format!("basket.{field}"));
    let quote = quote.map_err(|error| error.renamed(of_basket))?;
    Ok(Answer::new(pb::TestPricingRuleResponse { price: Some(price(&quote, false)) }))
}

/// Names the faults of a part of a request.
fn within(part: &str, error: Error) -> Error {
    error.renamed(|field| Some(format!("{part}.{field}")))
}
