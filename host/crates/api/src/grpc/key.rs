//! API keys, and who is asking.

use tessera_core::access::Operation;
use tessera_core::id::KeyId;
use tessera_core::tenancy::key::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Principal, Result};
use tessera_proto::tenancy::v1 as pb;

use crate::grpc::call::{Grpc, Listing};
use crate::grpc::convert::tenancy::{create_key, key as shown, new_key};
use crate::grpc::convert::{names, text};
use crate::request::plain;

pub(super) async fn create(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CreateKeyRequest,
) -> Result<pb::CreateKeyResponse> {
    plain("tenant", &ask.tenant)?;
    Ok(new_key(grpc.app.keys.create(&ctx, create_key(ask)?).await?))
}

pub(super) async fn get(grpc: &Grpc, ctx: Ctx, ask: pb::GetKeyRequest) -> Result<pb::GetKeyResponse> {
    let id = KeyId::parse("key_id", &ask.key_id)?;
    let key = grpc.app.keys.get(&ctx, &id).await?;
    Ok(pb::GetKeyResponse { key: Some(shown(key)) })
}

pub(super) async fn list(grpc: &Grpc, ctx: Ctx, ask: pb::ListKeysRequest) -> Result<pb::ListKeysResponse> {
    let listing = Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: "" };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::KeyList);
    let page = grpc.app.keys.list(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::ListKeysResponse { keys: page.items.into_iter().map(shown).collect(), next_page_token })
}

pub(super) async fn revoke(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::RevokeKeyRequest,
) -> Result<pb::RevokeKeyResponse> {
    let id = KeyId::parse("key_id", &ask.key_id)?;
    let key = grpc.app.keys.revoke(&ctx, &id).await?;
    Ok(pb::RevokeKeyResponse { key: Some(shown(key)) })
}

pub(super) async fn who_am_i(grpc: &Grpc, ctx: Ctx, _: pb::WhoAmIRequest) -> Result<pb::WhoAmIResponse> {
    ctx.allow(Operation::WhoAmI)?;
    let tenant = grpc.app.tenants.get(&ctx, &ctx.tenant.to_string()).await?;
    let (key_id, roles) = match &ctx.principal {
        Principal::Key { id, roles, .. } => {
            (id.to_string(), roles.iter().map(|role| names::role(*role)).collect())
        }
        Principal::System | Principal::Anonymous => (String::new(), Vec::new()),
    };
    Ok(pb::WhoAmIResponse {
        tenant_id: tenant.id.to_string(),
        tenant_slug: tenant.slug,
        key_id,
        user_id: text(ctx.user()),
        roles,
    })
}
