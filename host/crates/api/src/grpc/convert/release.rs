//! Releases of plugins, and dry runs of them.

use tessera_core::plugin::{Digest, DryRun, DryRunResult, Footprint, Release, ReleaseName};
use tessera_core::{Error, Result};
use tessera_proto::plugin::v1 as pb;

use crate::grpc::convert::call::record;
use crate::grpc::convert::limits::read_limits;
use crate::grpc::convert::{given, names, read_time, text, time, value};
use crate::rest::dto::release::release_name;
use crate::rest::plugin_json::{ReplyBody, TrialBody, object};

/// A release.
#[must_use]
pub fn release(release: Release) -> pb::Release {
    let digest = release.digest().to_string();
    let admitted = release.admitted;
    let Footprint { instances, memories, tables } = admitted.footprint;
    pb::Release {
        digest,
        plugin: admitted.manifest.name,
        version: admitted.manifest.version,
        summary: admitted.manifest.summary,
        contract: admitted.contract,
        hooks: admitted.hooks.iter().map(|hook| names::hook(*hook)).collect(),
        kinds: admitted.manifest.kinds,
        needs: admitted.manifest.needs,
        settings_schema_json: admitted.manifest.settings_schema,
        attributes: value::encode_named(&admitted.manifest.attributes),
        footprint: Some(pb::Footprint { instances, memories, tables }),
        size: release.size,
        uploaded_at: time(release.uploaded_at),
        uploaded_by: text(release.uploaded_by),
    }
}

/// The digest that a client wrote.
pub fn digest(text: &str) -> Result<Digest> {
    Digest::parse("digest", text)
}

/// The release that a client named, if any.
pub fn name(name: Option<pb::ReleaseName>) -> Result<Option<ReleaseName>> {
    let read = |name: pb::ReleaseName| release_name([name.digest, name.plugin, name.version]);
    name.map(read).transpose()
}

/// A dry run: the same JSON as over REST, in parts.
pub fn trial(ask: pb::TestReleaseRequest) -> Result<DryRun> {
    let now = ask.now.map(|at| read_time("now", &at)).transpose()?;
    let body = TrialBody {
        hook: given(ask.hook),
        function: given(ask.function),
        settings: object("settings_json", &ask.settings_json)?,
        now: None,
        actor: given(ask.actor),
        roles: ask.roles,
        limits: read_limits(ask.limits).into(),
        input: object("input_json", &ask.input_json)?.unwrap_or_default(),
    };
    Ok(DryRun { now, ..body.try_into()? })
}

/// What a dry run came to.
pub fn tried(tried: DryRunResult) -> Result<pb::TestReleaseResponse> {
    let reply = tried.reply.map(|reply| serde_json::to_string(&ReplyBody::from(reply)));
    let reply_json = reply.transpose().map_err(Error::internal)?.unwrap_or_default();
    Ok(pb::TestReleaseResponse { reply_json, record: Some(record(tried.record)) })
}
