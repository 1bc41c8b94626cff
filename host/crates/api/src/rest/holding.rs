//! How long a tenant's reservations are held.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tessera_core::Ctx;
use tessera_core::inventory::TenantHoldRules;
use tessera_core::text::Faults;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::catalog::holds;
use crate::request::etag;
use crate::rest::Rest;
use crate::rest::extract::Sent;
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with(routes!(get, set))
}

/// How long a tenant's reservations are held where their event does not say.
#[derive(Debug, Serialize, ToSchema)]
struct HoldRulesBody {
    /// How many seconds when the client does not say; null: 600.
    hold_seconds: Option<u32>,
    /// The fewest seconds that a client may ask for; null: 30.
    hold_min_seconds: Option<u32>,
    /// The most seconds that a reservation is held, extensions included; null: 3,600.
    hold_max_seconds: Option<u32>,
    /// Names this version, for `If-Match`.
    etag: String,
}

/// The tenant's rules.
#[derive(Debug, Serialize, ToSchema)]
struct HoldRulesAnswer {
    /// The rules.
    rules: HoldRulesBody,
}

/// Other rules; what is absent is as Tessera has it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct SetHoldRulesBody {
    /// How many seconds when the client does not say, 1 to 604,800.
    hold_seconds: Option<i32>,
    /// The fewest seconds that a client may ask for.
    hold_min_seconds: Option<i32>,
    /// The most seconds that a reservation is held, extensions included.
    hold_max_seconds: Option<i32>,
}

fn shown(held: &TenantHoldRules) -> Reply<HoldRulesAnswer> {
    let tag = etag(held.version);
    let rules = HoldRulesBody {
        hold_seconds: held.rules.default,
        hold_min_seconds: held.rules.min,
        hold_max_seconds: held.rules.max,
        etag: tag.clone(),
    };
    Reply::ok(HoldRulesAnswer { rules }).tagged(&tag)
}

/// Shows how long the tenant's reservations are held where their event does not say.
#[utoipa::path(get, path = "/v1/hold-rules", operation_id = "hold_rules.get", tag = "inventory",
    responses((status = 200, description = "The rules", body = HoldRulesAnswer)))]
async fn get(ctx: Ctx, State(rest): State<Rest>) -> Answer<HoldRulesAnswer> {
    Ok(shown(&rest.app.hold_rules.get(&ctx).await?))
}

/// Says how long the tenant's reservations are held; it counts for what is reserved or extended from then on.
#[utoipa::path(put, path = "/v1/hold-rules", operation_id = "hold_rules.set", tag = "inventory",
    request_body = SetHoldRulesBody,
    responses((status = 200, description = "The rules from now on", body = HoldRulesAnswer)))]
async fn set(
    ctx: Ctx,
    State(rest): State<Rest>,
    Sent(body): Sent<SetHoldRulesBody>,
) -> Answer<HoldRulesAnswer> {
    let mut faults = Faults::default();
    let rules = holds([body.hold_seconds, body.hold_min_seconds, body.hold_max_seconds], &mut faults);
    faults.into_result()?;
    Ok(shown(&rest.app.hold_rules.set(&ctx, rules).await?))
}
