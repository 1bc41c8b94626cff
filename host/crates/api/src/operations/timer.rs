//! Timers of installations.

use tessera_core::access::Operation;
use tessera_core::id::InstallationId;
use tessera_core::plugin::timer::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::plugin::v1 as pb;

use crate::convert::non_empty;
use crate::convert::timer::{retry as read_retry, timer};
use crate::operations::{Answer, Api, at_version, listing};

fn id(text: &str) -> Result<InstallationId> {
    InstallationId::parse("installation_id", text)
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListInstallationTimersRequest,
) -> Result<Answer<pb::ListInstallationTimersResponse>> {
    let id = id(&request.installation_id)?;
    let installation_id = id.to_string();
    let scope = [installation_id.as_str()];
    let page_args = listing!(request).within(&SPEC, MAX_PAGE, Operation::TimerList, &scope);
    let page = api.app.timers.list(&ctx, id, &api.page(&ctx, &page_args)?).await?;
    let (timers, next_page_token) = api.encode_page(&ctx, &page_args, page, timer);
    Ok(Answer::new(pb::ListInstallationTimersResponse { timers, next_page_token }))
}

pub(crate) async fn retry(
    api: Api,
    ctx: Ctx,
    request: pb::RetryInstallationTimersRequest,
) -> Result<Answer<pb::RetryInstallationTimersResponse>> {
    let (id, ctx) = (id(&request.installation_id)?, at_version(ctx, &request.etag));
    let command = read_retry(non_empty(request.issue_id), non_empty(request.name))?;
    let timers = api.app.timers.retry(&ctx, id, command).await?;
    Ok(Answer::new(pb::RetryInstallationTimersResponse { timers: timers.into_iter().map(timer).collect() }))
}
