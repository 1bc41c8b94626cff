//! The audit log.

use std::borrow::Borrow;

use axum::extract::State;
use serde::Deserialize;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::outbox::Fact;
use tessera_core::outbox::fact::{MAX_PAGE, SPEC};
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::request::{AskedPage, Gate};
use crate::rest::Rest;
use crate::rest::dto::fact::{FactBody, FactsPage};
use crate::rest::extract::Ask;
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::tokens::PageQuery;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with(routes!(audit))
}

/// Which part of the audit log is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct AuditQuery {
    /// How many rows; 0 or absent: 50; at most 200.
    #[param(minimum = 0)]
    page_size: i64,
    /// The `next_page_token` of the page before.
    page_token: String,
    /// Which facts: `type:issue.created kind:key actor:<key> user:me created>2026-01-01`.
    filter: String,
}

/// Facts as an answer shows them.
pub(super) fn facts_page(
    gate: &Gate,
    ctx: &Ctx,
    facts: &[impl Borrow<Fact>],
    next_page_token: String,
) -> FactsPage {
    let body = |fact: &Fact| {
        let cursor = fact.seq.map(|seq| gate.tokens.seal_cursor(ctx.tenant, seq));
        FactBody::new(fact, cursor.unwrap_or_default())
    };
    FactsPage { facts: facts.iter().map(|fact| body(fact.borrow())).collect(), next_page_token }
}

/// Lists all that happened in the tenant, newest first. Admins only.
///
/// Filters: `type`, `kind`, `object`, `project`, `event`, `actor`, `user`, `transport`, `created`.
#[utoipa::path(get, path = "/v1/audit", operation_id = "audit.list", tag = "facts",
    params(AuditQuery), responses((status = 200, description = "A page of facts", body = FactsPage)))]
async fn audit(ctx: Ctx, State(rest): State<Rest>, Ask(ask): Ask<AuditQuery>) -> Answer<FactsPage> {
    let query = PageQuery { operation: Operation::AuditList, filter: &ask.filter, order_by: "", scope: &[] };
    let asked = AskedPage { spec: &SPEC, max: MAX_PAGE, size: ask.page_size, token: &ask.page_token, query };
    let page = rest.app.facts.audit(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(facts_page(&rest, &ctx, &page.items, next)))
}
