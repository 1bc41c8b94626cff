//! How long a tenant's reservations are held.

use tessera_core::inventory::TenantHoldRules;
use tessera_core::text::Faults;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::catalog::holds;
use crate::grpc::call::{Grpc, at};
use crate::request::etag;

fn shown(held: &TenantHoldRules) -> pb::HoldRules {
    let seconds = |seconds: Option<u32>| seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX));
    pb::HoldRules {
        hold_seconds: seconds(held.rules.default),
        hold_min_seconds: seconds(held.rules.min),
        hold_max_seconds: seconds(held.rules.max),
        etag: etag(held.version),
    }
}

pub(super) async fn get(
    grpc: &Grpc,
    ctx: Ctx,
    _: pb::GetHoldRulesRequest,
) -> Result<pb::GetHoldRulesResponse> {
    Ok(pb::GetHoldRulesResponse { rules: Some(shown(&grpc.app.hold_rules.get(&ctx).await?)) })
}

pub(super) async fn set(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::SetHoldRulesRequest,
) -> Result<pb::SetHoldRulesResponse> {
    let mut faults = Faults::default();
    let rules = holds([ask.hold_seconds, ask.hold_min_seconds, ask.hold_max_seconds], &mut faults);
    faults.into_result()?;
    let held = grpc.app.hold_rules.set(&at(ctx, &ask.etag), rules).await?;
    Ok(pb::SetHoldRulesResponse { rules: Some(shown(&held)) })
}
