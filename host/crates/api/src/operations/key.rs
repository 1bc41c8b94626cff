//! API keys, and the identity of the caller.

use tessera_core::access::Operation;
use tessera_core::id::KeyId;
use tessera_core::tenancy::key::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Principal, Result};
use tessera_proto::tenancy::v1 as pb;

use crate::convert::names::WireEnum as _;
use crate::convert::tenancy::{create_key, key as encode};
use crate::convert::text;
use crate::operations::{Answer, Api, listing};
use crate::state::reject_nul;

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreateKeyRequest,
) -> Result<Answer<pb::CreateKeyResponse>> {
    reject_nul("tenant", &request.tenant)?;
    let new = api.app.keys.create(&ctx, create_key(request)?).await?;
    let secret = new.text.unwrap_or_default();
    Ok(Answer::of(encode(new.key), |key| pb::CreateKeyResponse { key, secret }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetKeyRequest,
) -> Result<Answer<pb::GetKeyResponse>> {
    let id = KeyId::parse("key_id", &request.key_id)?;
    let key = api.app.keys.get(&ctx, &id).await?;
    Ok(Answer::of(encode(key), |key| pb::GetKeyResponse { key }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListKeysRequest,
) -> Result<Answer<pb::ListKeysResponse>> {
    let page_args = listing!(request, &request.filter, "").of(&SPEC, MAX_PAGE, Operation::KeyList);
    let page = api.app.keys.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (keys, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::ListKeysResponse { keys, next_page_token }))
}

pub(crate) async fn revoke(
    api: Api,
    ctx: Ctx,
    request: pb::RevokeKeyRequest,
) -> Result<Answer<pb::RevokeKeyResponse>> {
    let id = KeyId::parse("key_id", &request.key_id)?;
    let key = api.app.keys.revoke(&ctx, &id).await?;
    Ok(Answer::of(encode(key), |key| pb::RevokeKeyResponse { key }))
}

pub(crate) async fn who_am_i(api: Api, ctx: Ctx, _: pb::WhoAmIRequest) -> Result<Answer<pb::WhoAmIResponse>> {
    ctx.allow(Operation::WhoAmI)?;
    let tenant = api.app.tenants.get(&ctx, &ctx.tenant.to_string()).await?;
    let (key_id, roles) = match &ctx.principal {
        Principal::Key { id, roles, .. } => {
            (id.to_string(), roles.iter().map(|role| role.number()).collect())
        }
        Principal::System | Principal::Anonymous => (String::new(), Vec::new()),
    };
    Ok(Answer::new(pb::WhoAmIResponse {
        tenant_id: tenant.id.to_string(),
        tenant_slug: tenant.slug,
        key_id,
        user_id: text(ctx.user()),
        roles,
    }))
}
