//! Releases of plugins, and dry runs of them.

use tessera_core::plugin::{Digest, DryRun, DryRunResult, Footprint, Release, ReleaseName};
use tessera_core::{Error, Result};
use tessera_proto::plugin::v1 as pb;

use crate::convert::call::record;
use crate::convert::limits::read_limits;
use crate::convert::names::WireEnum as _;
use crate::convert::{non_empty, read_time, text, time, value};
use crate::plugin_json::{ReplyBody, dry_run_request, object_text, parse_object};

/// Encodes a release.
#[must_use]
pub(crate) fn release(release: Release) -> pb::Release {
    let digest = release.digest().to_string();
    let admitted = release.admitted;
    let Footprint { instances, memories, tables } = admitted.footprint;
    pb::Release {
        digest,
        plugin: admitted.manifest.name,
        version: admitted.manifest.version,
        summary: admitted.manifest.summary,
        contract: admitted.contract,
        hooks: admitted.hooks.iter().map(|hook| hook.number()).collect(),
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

/// Reads a digest.
pub(crate) fn digest(text: &str) -> Result<Digest> {
    Digest::parse("digest", text)
}

/// Reads the name of a release: its digest, or plugin and version.
fn release_name([digest, plugin, version]: [String; 3]) -> Result<ReleaseName> {
    match (digest.is_empty(), plugin.is_empty(), version.is_empty()) {
        (false, true, true) => Digest::parse("release.digest", &digest).map(ReleaseName::Digest),
        (true, false, false) => Ok(ReleaseName::Named { plugin, version }),
        (true, ..) | (false, ..) => {
            Err(Error::invalid("release", "must be named by its digest, or by plugin and version"))
        }
    }
}

/// Reads the name of a release, if there is one.
pub(crate) fn name(name: Option<pb::ReleaseName>) -> Result<Option<ReleaseName>> {
    let read = |name: pb::ReleaseName| release_name([name.digest, name.plugin, name.version]);
    name.map(read).transpose()
}

/// Reads a dry run.
pub(crate) fn dry_run(request: pb::TestReleaseRequest) -> Result<DryRun> {
    let now = request.now.map(|at| read_time("now", &at)).transpose()?;
    let input = parse_object("input_json", &request.input_json)?.unwrap_or_default();
    Ok(DryRun {
        request: dry_run_request::decode(&request.hook, &request.function, input)?,
        settings: object_text(parse_object("settings_json", &request.settings_json)?),
        limits: read_limits(request.limits),
        now,
        actor: non_empty(request.actor),
        roles: request.roles,
    })
}

/// Encodes the result of a dry run.
pub(crate) fn dry_run_result(result: DryRunResult) -> Result<pb::TestReleaseResponse> {
    let reply = result.reply.map(|reply| serde_json::to_string(&ReplyBody::from(reply)));
    let reply_json = reply.transpose().map_err(Error::internal)?.unwrap_or_default();
    Ok(pb::TestReleaseResponse { reply_json, record: Some(record(result.record)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(digest: &str, plugin: &str, version: &str) -> Result<ReleaseName> {
        release_name([digest, plugin, version].map(str::to_owned))
    }

    #[test]
    fn release_is_named_by_digest_or_by_plugin_and_version() {
        let digest = "ab".repeat(32);
        assert!(matches!(read(&digest, "", "").unwrap(), ReleaseName::Digest(_)));
        assert!(matches!(read("", "p", "1.0.0").unwrap(), ReleaseName::Named { .. }));
        for (digest, plugin, version, field) in [
            ("", "", "", "release"),
            ("", "p", "", "release"),
            ("", "", "1", "release"),
            (digest.as_str(), "p", "1", "release"),
            ("abc", "", "", "release.digest"),
        ] {
            assert_eq!(read(digest, plugin, version).unwrap_err().faults()[0].field, field);
        }
    }
}
