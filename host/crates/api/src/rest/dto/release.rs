//! Releases of plugins as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tessera_core::plugin::{Digest, Footprint, Release, ReleaseName};
use tessera_core::{Error, Result};
use utoipa::ToSchema;

use crate::rest::dto::text;
use crate::rest::plugin_json::{encode_fields, of_text};

/// A release of a plugin: one component that passed the check.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleaseBody {
    /// Its name: the sha-256 of the component, 64 hex digits.
    pub digest: String,
    /// The plugin's name.
    pub plugin: String,
    /// The version that its manifest says.
    pub version: String,
    /// What it does, in a line.
    pub summary: String,
    /// The version of the contract that it was built for: `0.1`.
    pub contract: String,
    /// What it can be called for: `pricing`, `validation`, `workflow`.
    pub hooks: Vec<&'static str>,
    /// The kinds of entity that its hooks want to see; empty: all.
    pub kinds: Vec<String>,
    /// What its effects may do, as `issue:update`; a tenant grants it or part of it.
    pub needs: Vec<String>,
    /// A JSON Schema that an installation's settings must pass; null: it takes none.
    pub settings_schema: Json,
    /// What else its manifest says.
    pub attributes: BTreeMap<String, Json>,
    /// What an instance takes of the sandbox's pool.
    pub footprint: FootprintBody,
    /// The component's size in bytes.
    pub size: u64,
    /// When it was uploaded.
    pub uploaded_at: String,
    /// The user whose key uploaded it, where the key stood for one.
    pub uploaded_by: Option<String>,
}

/// How much of the sandbox's pool one instance takes.
#[derive(Debug, Serialize, ToSchema)]
pub struct FootprintBody {
    /// Core instances.
    pub instances: u32,
    /// Linear memories.
    pub memories: u32,
    /// Tables.
    pub tables: u32,
}

/// The bytes of a component; a body that is only described here.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct ComponentBytes(pub Vec<u8>);

/// One release.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleaseAnswer {
    /// The release.
    pub release: ReleaseBody,
}

/// A page of releases.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleasesPage {
    /// The releases.
    pub releases: Vec<ReleaseBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// A release as a client names it: by its digest, or by the plugin and its version.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseNameBody {
    /// Its digest.
    #[serde(default)]
    pub digest: Option<String>,
    /// The plugin's name.
    #[serde(default)]
    pub plugin: Option<String>,
    /// The version.
    #[serde(default)]
    pub version: Option<String>,
}

impl ReleaseNameBody {
    /// The name.
    pub fn decode(self) -> Result<ReleaseName> {
        release_name([self.digest, self.plugin, self.version].map(Option::unwrap_or_default))
    }
}

/// The release that a client named by digest, or by plugin and version.
pub(crate) fn release_name([digest, plugin, version]: [String; 3]) -> Result<ReleaseName> {
    match (digest.is_empty(), plugin.is_empty(), version.is_empty()) {
        (false, true, true) => Digest::parse("release.digest", &digest).map(ReleaseName::Digest),
        (true, false, false) => Ok(ReleaseName::Named { plugin, version }),
        (true, ..) | (false, ..) => {
            Err(Error::invalid("release", "must be named by its digest, or by plugin and version"))
        }
    }
}

impl From<Release> for ReleaseBody {
    fn from(release: Release) -> Self {
        let digest = release.digest().to_string();
        let admitted = release.admitted;
        let Footprint { instances, memories, tables } = admitted.footprint;
        Self {
            digest,
            settings_schema: of_text(&admitted.manifest.settings_schema),
            attributes: encode_fields(&admitted.manifest.attributes),
            plugin: admitted.manifest.name,
            version: admitted.manifest.version,
            summary: admitted.manifest.summary,
            contract: admitted.contract,
            hooks: admitted.hooks.iter().map(|hook| hook.name()).collect(),
            kinds: admitted.manifest.kinds,
            needs: admitted.manifest.needs,
            footprint: FootprintBody { instances, memories, tables },
            size: release.size,
            uploaded_at: release.uploaded_at.to_string(),
            uploaded_by: text(release.uploaded_by),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(digest: &str, plugin: &str, version: &str) -> Result<ReleaseName> {
        release_name([digest, plugin, version].map(str::to_owned))
    }

    #[test]
    fn a_release_is_named_by_one_way_alone() {
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
