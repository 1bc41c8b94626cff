//! Releases: uploaded components, named by their digests, with their manifests.

use std::fmt;

use crate::error::{Error, Result};
use crate::filter::{Kind, Spec};
use crate::id::UserId;
use crate::time::Timestamp;
use crate::value::Field;

/// The filters and orders of lists of releases.
pub const SPEC: Spec = Spec { fields: &[("plugin", Kind::Text)], orders: &["created"] };

/// The most releases of a tenant.
pub const MAX_RELEASES: u64 = 500;

/// The largest page of releases.
pub const MAX_PAGE: u32 = 100;

/// The SHA-256 digest of a component, which names a release.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Parses a digest that a client sent in `field`: 64 hex digits, optionally after `sha256:`.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let malformed = || Error::malformed(field, "is not a digest of a release; must be 64 hex digits");
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(malformed());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let pair = digits.get(at..at + 2).ok_or_else(malformed)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A hook where plugins are called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Hook {
    /// Adjusts a price.
    Pricing,
    /// Accepts or refuses a change.
    Validation,
    /// Owns the state machine of issues, or reacts to their changes.
    Workflow,
}

impl Hook {
    /// All hooks.
    pub const ALL: [Self; 3] = [Self::Pricing, Self::Validation, Self::Workflow];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pricing => "pricing",
            Self::Validation => "validation",
            Self::Workflow => "workflow",
        }
    }

    /// Returns the hook with that name.
    pub fn parse(field: &str, name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|hook| hook.name() == name)
            .ok_or_else(|| Error::invalid(field, "is not a hook; must be pricing, validation or workflow"))
    }
}

/// A plugin's description of itself.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Manifest {
    /// The plugin's name.
    pub name: String,
    /// The semantic version.
    pub version: String,
    /// A summary of one line.
    pub summary: String,
    /// A JSON Schema of an installation's settings; empty: no settings.
    pub settings_schema: String,
    /// The kinds of entity that its hooks are called for; empty: all.
    pub kinds: Vec<String>,
    /// The rights that its effects need, such as `issue:update`.
    pub needs: Vec<String>,
    /// Further attributes.
    pub attributes: Vec<Field>,
}

/// The share of the sandbox's pool that one instance uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Footprint {
    /// Core instances.
    pub instances: u32,
    /// Linear memories.
    pub memories: u32,
    /// Tables.
    pub tables: u32,
}

/// An uploaded component that passed the checks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AdmittedComponent {
    /// Its digest.
    pub digest: Digest,
    /// The version of the contract that it was built for, such as `1.0`.
    pub contract: String,
    /// Its hooks.
    pub hooks: Vec<Hook>,
    /// Its manifest.
    pub manifest: Manifest,
    /// The footprint of an instance.
    pub footprint: Footprint,
}

/// The name of a release in requests.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ReleaseName {
    /// By its digest.
    Digest(Digest),
    /// By the plugin and its version.
    Named {
        /// The plugin's name.
        plugin: String,
        /// The version.
        version: String,
    },
}

/// A release of a plugin.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Release {
    /// The component.
    pub admitted: AdmittedComponent,
    /// The component's size in bytes.
    pub size: u64,
    /// The time of the upload.
    pub uploaded_at: Timestamp,
    /// The user of the API key that uploaded it, if any.
    pub uploaded_by: Option<UserId>,
}

impl Release {
    /// Returns its digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.admitted.digest
    }

    /// Whether it has a hook.
    #[must_use]
    pub fn has(&self, hook: Hook) -> bool {
        self.admitted.hooks.contains(&hook)
    }
}
