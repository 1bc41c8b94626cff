//! Users, in version 1.

use tessera_core::access::Operation;
use tessera_core::id::UserId;
use tessera_core::tracker::user::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::user::v1 as pb;

use crate::grpc::call::{Grpc, Listing, at};
use crate::grpc::convert::user::{change_v1, create_v1, user_v1};

pub(super) async fn create(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CreateUserRequest,
) -> Result<pb::CreateUserResponse> {
    let user = grpc.app.users.create(&ctx, create_v1(ask)).await?;
    Ok(pb::CreateUserResponse { user: Some(user_v1(user)) })
}

pub(super) async fn get(grpc: &Grpc, ctx: Ctx, ask: pb::GetUserRequest) -> Result<pb::GetUserResponse> {
    let id = UserId::parse("user_id", &ask.user_id)?;
    let user = grpc.app.users.get(&ctx, id).await?;
    Ok(pb::GetUserResponse { user: Some(user_v1(user)) })
}

pub(super) async fn update(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UpdateUserRequest,
) -> Result<pb::UpdateUserResponse> {
    let (id, ctx) = (UserId::parse("user_id", &ask.user_id)?, at(ctx, &ask.etag));
    let user = grpc.app.users.update(&ctx, id, change_v1(ask)?).await?;
    Ok(pb::UpdateUserResponse { user: Some(user_v1(user)) })
}

pub(super) async fn delete(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::DeleteUserRequest,
) -> Result<pb::DeleteUserResponse> {
    let (id, ctx) = (UserId::parse("user_id", &ask.user_id)?, at(ctx, &ask.etag));
    let user = grpc.app.users.delete(&ctx, id).await?;
    Ok(pb::DeleteUserResponse { user: Some(user_v1(user)) })
}

pub(super) async fn list(grpc: &Grpc, ctx: Ctx, ask: pb::ListUsersRequest) -> Result<pb::ListUsersResponse> {
    let listing =
        Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: &ask.order_by };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::UserList);
    let page = grpc.app.users.list(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::ListUsersResponse { users: page.items.into_iter().map(user_v1).collect(), next_page_token })
}
