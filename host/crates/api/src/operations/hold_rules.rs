//! Hold rules of tenants.

use tessera_core::inventory::TenantHoldRules;
use tessera_core::text::Faults;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::hold_rules as read_rules;
use crate::operations::{Answer, Api, at_version};
use crate::state::etag;

fn encode(hold_rules: &TenantHoldRules) -> pb::HoldRules {
    let seconds = |seconds: Option<u32>| seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX));
    pb::HoldRules {
        hold_seconds: seconds(hold_rules.rules.default),
        hold_min_seconds: seconds(hold_rules.rules.min),
        hold_max_seconds: seconds(hold_rules.rules.max),
        etag: etag(hold_rules.version),
    }
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    _: pb::GetHoldRulesRequest,
) -> Result<Answer<pb::GetHoldRulesResponse>> {
    Ok(Answer::of(encode(&api.app.hold_rules.get(&ctx).await?), |rules| pb::GetHoldRulesResponse { rules }))
}

pub(crate) async fn set(
    api: Api,
    ctx: Ctx,
    request: pb::SetHoldRulesRequest,
) -> Result<Answer<pb::SetHoldRulesResponse>> {
    let mut faults = Faults::default();
    let rules =
        read_rules([request.hold_seconds, request.hold_min_seconds, request.hold_max_seconds], &mut faults);
    faults.into_result()?;
    let hold_rules = api.app.hold_rules.set(&at_version(ctx, &request.etag), rules).await?;
    Ok(Answer::of(encode(&hold_rules), |rules| pb::SetHoldRulesResponse { rules }))
}
