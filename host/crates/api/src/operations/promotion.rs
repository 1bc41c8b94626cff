//! Promotions and their codes.

use tessera_core::access::Operation;
use tessera_core::id::PromotionId;
use tessera_core::pricing::promotion::SPEC;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::promotion::{change, code, create as command, new_codes, promotion as encode};
use crate::convert::to_i32;
use crate::operations::{Answer, Api, at_version, listing, plain_page};

/// The largest page of promotions.
const MAX_PAGE: u32 = 200;

/// The largest page of codes.
pub(crate) const MAX_CODES_PAGE: u32 = 1_000;

fn promotion_id(text: &str) -> Result<PromotionId> {
    PromotionId::parse("promotion_id", text)
}

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreatePromotionRequest,
) -> Result<Answer<pb::CreatePromotionResponse>> {
    let (attributes, codes) = command(request)?;
    let promotion = api.app.promotions.create(&ctx, attributes, codes).await?;
    Ok(Answer::of(encode(promotion), |promotion| pb::CreatePromotionResponse { promotion }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetPromotionRequest,
) -> Result<Answer<pb::GetPromotionResponse>> {
    let promotion = api.app.promotions.get(&ctx, promotion_id(&request.promotion_id)?).await?;
    Ok(Answer::of(encode(promotion), |promotion| pb::GetPromotionResponse { promotion }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListPromotionsRequest,
) -> Result<Answer<pb::ListPromotionsResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::PromotionList);
    let page = api.app.promotions.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (promotions, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::ListPromotionsResponse { promotions, next_page_token }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdatePromotionRequest,
) -> Result<Answer<pb::UpdatePromotionResponse>> {
    let (id, ctx) = (promotion_id(&request.promotion_id)?, at_version(ctx, &request.etag));
    let promotion = api.app.promotions.update(&ctx, id, change(request)?).await?;
    Ok(Answer::of(encode(promotion), |promotion| pb::UpdatePromotionResponse { promotion }))
}

pub(crate) async fn delete(
    api: Api,
    ctx: Ctx,
    request: pb::DeletePromotionRequest,
) -> Result<Answer<pb::DeletePromotionResponse>> {
    let (id, ctx) = (promotion_id(&request.promotion_id)?, at_version(ctx, &request.etag));
    api.app.promotions.delete(&ctx, id).await?;
    Ok(Answer::new(pb::DeletePromotionResponse {}))
}

pub(crate) async fn create_codes(
    api: Api,
    ctx: Ctx,
    request: pb::CreatePromotionCodesRequest,
) -> Result<Answer<pb::CreatePromotionCodesResponse>> {
    let id = promotion_id(&request.promotion_id)?;
    let (promotion, created) = api.app.promotions.create_codes(&ctx, id, new_codes(request)?).await?;
    let created = to_i32(created.into());
    Ok(Answer::of(encode(promotion), |promotion| pb::CreatePromotionCodesResponse { promotion, created }))
}

pub(crate) async fn list_codes(
    api: Api,
    ctx: Ctx,
    request: pb::ListPromotionCodesRequest,
) -> Result<Answer<pb::ListPromotionCodesResponse>> {
    let id = promotion_id(&request.promotion_id)?;
    let scope = [request.promotion_id.as_str()];
    let position = (request.page_size, request.page_token.as_str());
    let page_args = plain_page(position, MAX_CODES_PAGE, Operation::PromotionCodeList, &scope);
    let page = api.app.promotions.codes(&ctx, id, &api.page(&ctx, &page_args)?).await?;
    let (codes, next_page_token) = api.encode_page(&ctx, &page_args, page, code);
    Ok(Answer::new(pb::ListPromotionCodesResponse { codes, next_page_token }))
}

pub(crate) async fn delete_code(
    api: Api,
    ctx: Ctx,
    request: pb::DeletePromotionCodeRequest,
) -> Result<Answer<pb::DeletePromotionCodeResponse>> {
    let id = promotion_id(&request.promotion_id)?;
    api.app.promotions.delete_code(&ctx, id, &request.code).await?;
    Ok(Answer::new(pb::DeletePromotionCodeResponse {}))
}
