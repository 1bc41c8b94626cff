//! Timers of installations.

use tessera_core::access::Operation;
use tessera_core::id::InstallationId;
use tessera_core::plugin::timer::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::plugin::v1 as pb;

use crate::grpc::call::{Grpc, at};
use crate::grpc::convert::given;
use crate::grpc::convert::timer::timer;
use crate::request::AskedPage;
use crate::rest::dto::timer::retry as decoded;
use crate::tokens::PageQuery;

fn id(text: &str) -> Result<InstallationId> {
    InstallationId::parse("installation_id", text)
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListInstallationTimersRequest,
) -> Result<pb::ListInstallationTimersResponse> {
    let id = id(&ask.installation_id)?;
    let named = id.to_string();
    let (operation, scope) = (Operation::TimerList, [named.as_str()]);
    let query = PageQuery { operation, filter: &ask.filter, order_by: &ask.order_by, scope: &scope };
    let (spec, max) = (&SPEC, MAX_PAGE);
    let asked = AskedPage { spec, max, size: ask.page_size.into(), token: &ask.page_token, query };
    let page = grpc.app.timers.list(&ctx, id, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    let timers = page.items.into_iter().map(timer).collect();
    Ok(pb::ListInstallationTimersResponse { timers, next_page_token })
}

pub(super) async fn retry(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::RetryInstallationTimersRequest,
) -> Result<pb::RetryInstallationTimersResponse> {
    let (id, ctx) = (id(&ask.installation_id)?, at(ctx, &ask.etag));
    let command = decoded(given(ask.issue_id), given(ask.name))?;
    let retried = grpc.app.timers.retry(&ctx, id, command).await?;
    Ok(pb::RetryInstallationTimersResponse { timers: retried.into_iter().map(timer).collect() })
}
