//! Users, in version 2: with activation, bulk creation and search.

use tessera_core::access::Operation;
use tessera_core::id::UserId;
use tessera_core::tracker::user::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::user::v2 as pb;

use crate::convert::user::{change_v2, create_v2, user_v2};
use crate::operations::{Answer, Api, at_version, listing, plain_page};

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreateUserRequest,
) -> Result<Answer<pb::CreateUserResponse>> {
    let user = api.app.users.create(&ctx, create_v2(request)).await?;
    Ok(Answer::of(user_v2(user), |user| pb::CreateUserResponse { user }))
}

pub(crate) async fn bulk_create(
    api: Api,
    ctx: Ctx,
    request: pb::BulkCreateUsersRequest,
) -> Result<Answer<pb::BulkCreateUsersResponse>> {
    let users = api.app.users.bulk_create(&ctx, request.users.into_iter().map(create_v2).collect()).await?;
    Ok(Answer::new(pb::BulkCreateUsersResponse { users: users.into_iter().map(user_v2).collect() }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetUserRequest,
) -> Result<Answer<pb::GetUserResponse>> {
    let id = UserId::parse("user_id", &request.user_id)?;
    let user = api.app.users.get(&ctx, id).await?;
    Ok(Answer::of(user_v2(user), |user| pb::GetUserResponse { user }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateUserRequest,
) -> Result<Answer<pb::UpdateUserResponse>> {
    let (id, ctx) = (UserId::parse("user_id", &request.user_id)?, at_version(ctx, &request.etag));
    let user = api.app.users.update(&ctx, id, change_v2(request)?).await?;
    Ok(Answer::of(user_v2(user), |user| pb::UpdateUserResponse { user }))
}

pub(crate) async fn delete(
    api: Api,
    ctx: Ctx,
    request: pb::DeleteUserRequest,
) -> Result<Answer<pb::DeleteUserResponse>> {
    let (id, ctx) = (UserId::parse("user_id", &request.user_id)?, at_version(ctx, &request.etag));
    let user = api.app.users.delete(&ctx, id).await?;
    Ok(Answer::of(user_v2(user), |user| pb::DeleteUserResponse { user }))
}

pub(crate) async fn deactivate(
    api: Api,
    ctx: Ctx,
    request: pb::DeactivateUserRequest,
) -> Result<Answer<pb::DeactivateUserResponse>> {
    let (id, ctx) = (UserId::parse("user_id", &request.user_id)?, at_version(ctx, &request.etag));
    let user = api.app.users.deactivate(&ctx, id).await?;
    Ok(Answer::of(user_v2(user), |user| pb::DeactivateUserResponse { user }))
}

pub(crate) async fn activate(
    api: Api,
    ctx: Ctx,
    request: pb::ActivateUserRequest,
) -> Result<Answer<pb::ActivateUserResponse>> {
    let (id, ctx) = (UserId::parse("user_id", &request.user_id)?, at_version(ctx, &request.etag));
    let user = api.app.users.activate(&ctx, id).await?;
    Ok(Answer::of(user_v2(user), |user| pb::ActivateUserResponse { user }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListUsersRequest,
) -> Result<Answer<pb::ListUsersResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::UserList);
    let page = api.app.users.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (users, next_page_token) = api.encode_page(&ctx, &page_args, page, user_v2);
    Ok(Answer::new(pb::ListUsersResponse { users, next_page_token }))
}

pub(crate) async fn search(
    api: Api,
    ctx: Ctx,
    request: pb::SearchUsersRequest,
) -> Result<Answer<pb::SearchUsersResponse>> {
    let scope = [request.query.as_str()];
    let page_args =
        plain_page((request.page_size, &request.page_token), MAX_PAGE, Operation::UserSearch, &scope);
    let page = api.app.users.search(&ctx, &request.query, &api.page(&ctx, &page_args)?).await?;
    let (users, next_page_token) = api.encode_page(&ctx, &page_args, page, user_v2);
    Ok(Answer::new(pb::SearchUsersResponse { users, next_page_token }))
}
