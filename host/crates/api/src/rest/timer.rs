//! Timers of installations.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::id::InstallationId;
use tessera_core::plugin::timer::{MAX_PAGE, SPEC};
use utoipa_axum::routes;

use crate::request::AskedPage;
use crate::rest::dto::timer::{RetriedTimersAnswer, RetryTimersBody, TimersPage};
use crate::rest::extract::{Ask, Id, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};
use crate::tokens::PageQuery;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with(routes!(list)).with(routes!(retry))
}

/// Lists the timers that an installation has set, parked ones among them.
///
/// Filters: `issue`, `name`, `parked`, `due`; order: `due`. At most 200 rows.
#[utoipa::path(get, path = "/v1/installations/{installation_id}/timers", operation_id = "timer.list", tag = "plugins",
    params(ListQuery), responses((status = 200, description = "A page of timers", body = TimersPage)))]
async fn list(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<InstallationId>,
    Ask(ask): Ask<ListQuery>,
) -> Answer<TimersPage> {
    let named = id.to_string();
    let (operation, scope) = (Operation::TimerList, [named.as_str()]);
    let query = PageQuery { operation, filter: &ask.filter, order_by: &ask.order_by, scope: &scope };
    let asked = AskedPage { spec: &SPEC, max: MAX_PAGE, size: ask.page_size, token: &ask.page_token, query };
    let page = rest.app.timers.list(&ctx, id, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(TimersPage { timers: page.items.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Has parked timers of an installation tried again, at most 100 at once.
#[utoipa::path(post, path = "/v1/installations/{installation_id}/timers:retry", operation_id = "timer.retry",
    tag = "plugins", request_body = RetryTimersBody,
    responses((status = 200, description = "The timers that are tried again", body = RetriedTimersAnswer)))]
async fn retry(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<InstallationId>,
    Sent(body): Sent<RetryTimersBody>,
) -> Answer<RetriedTimersAnswer> {
    let retried = rest.app.timers.retry(&ctx, id, body.command()?).await?;
    Ok(Reply::ok(RetriedTimersAnswer { timers: retried.into_iter().map(Into::into).collect() }))
}
