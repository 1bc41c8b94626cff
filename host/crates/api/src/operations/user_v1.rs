//! Users, in version 1.

use tessera_core::access::Operation;
use tessera_core::id::UserId;
use tessera_core::tracker::user::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::user::v1 as pb;

use crate::convert::user::{change_v1, create_v1, user_v1};
use crate::operations::{Answer, Api, at_version, listing};

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreateUserRequest,
) -> Result<Answer<pb::CreateUserResponse>> {
    let user = api.app.users.create(&ctx, create_v1(request)).await?;
    Ok(Answer::of(user_v1(user), |user| pb::CreateUserResponse { user }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetUserRequest,
) -> Result<Answer<pb::GetUserResponse>> {
    let id = UserId::parse("user_id", &request.user_id)?;
    let user = api.app.users.get(&ctx, id).await?;
    Ok(Answer::of(user_v1(user), |user| pb::GetUserResponse { user }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateUserRequest,
) -> Result<Answer<pb::UpdateUserResponse>> {
    let (id, ctx) = (UserId::parse("user_id", &request.user_id)?, at_version(ctx, &request.etag));
    let user = api.app.users.update(&ctx, id, change_v1(request)?).await?;
    Ok(Answer::of(user_v1(user), |user| pb::UpdateUserResponse { user }))
}

pub(crate) async fn delete(
    api: Api,
    ctx: Ctx,
    request: pb::DeleteUserRequest,
) -> Result<Answer<pb::DeleteUserResponse>> {
    let (id, ctx) = (UserId::parse("user_id", &request.user_id)?, at_version(ctx, &request.etag));
    let user = api.app.users.delete(&ctx, id).await?;
    Ok(Answer::of(user_v1(user), |user| pb::DeleteUserResponse { user }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListUsersRequest,
) -> Result<Answer<pb::ListUsersResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::UserList);
    let page = api.app.users.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (users, next_page_token) = api.encode_page(&ctx, &page_args, page, user_v1);
    Ok(Answer::new(pb::ListUsersResponse { users, next_page_token }))
}
