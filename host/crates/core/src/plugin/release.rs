//! Releases: what was uploaded, by its digest, and what it says of itself.

use std::fmt;

use crate::error::{Error, Result};
use crate::filter::{Kind, Spec};
use crate::id::UserId;
use crate::time::Timestamp;
use crate::value::Field;

/// What releases can be listed by.
pub const SPEC: Spec = Spec { fields: &[("plugin", Kind::Text)], orders: &["created"] };

/// The most releases that a tenant keeps.
pub const MAX_RELEASES: u64 = 500;

/// The largest page of releases.
pub const MAX_PAGE: u32 = 100;

/// The sha-256 of a component: the name of a release.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Reads a digest that a client sent in `field`: 64 hex digits, with or without `sha256:` before them.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let wrong = || Error::malformed(field, "is not a release's digest; 64 hex digits are expected");
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let pair = digits.get(at..at + 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
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

/// Where plugins are called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Hook {
    /// Adjusts a price.
    Pricing,
    /// Accepts or refuses a change.
    Validation,
    /// Owns or follows the life of an issue.
    Workflow,
}

impl Hook {
    /// All hooks.
    pub const ALL: [Self; 3] = [Self::Pricing, Self::Validation, Self::Workflow];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pricing => "pricing",
            Self::Validation => "validation",
            Self::Workflow => "workflow",
        }
    }

    /// The hook with that name.
    pub fn parse(field: &str, name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|hook| hook.name() == name).ok_or_else(|| {
            Error::invalid(field, "is not a hook; pricing, validation or workflow is expected")
        })
    }
}

/// What a plugin says of itself.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Manifest {
    /// Unique within the tenant.
    pub name: String,
    /// A semantic version.
    pub version: String,
    /// In a line.
    pub summary: String,
    /// A JSON Schema that an installation's settings must pass; empty: no settings.
    pub settings_schema: String,
    /// The kinds of entity that its hooks want to see; empty: all.
    pub kinds: Vec<String>,
    /// What its effects may do, as `issue:update`.
    pub needs: Vec<String>,
    /// What else it says.
    pub attributes: Vec<Field>,
}

/// How much of the sandbox's pool one instance takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Footprint {
    /// Core instances.
    pub instances: u32,
    /// Linear memories.
    pub memories: u32,
    /// Tables.
    pub tables: u32,
}

/// What the check of an uploaded component found.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AdmittedComponent {
    /// The component's name.
    pub digest: Digest,
    /// The version of the contract that it was built for: `0.1`.
    pub contract: String,
    /// What it can be called for.
    pub hooks: Vec<Hook>,
    /// What it says of itself.
    pub manifest: Manifest,
    /// What an instance takes.
    pub footprint: Footprint,
}

/// A release as clients name it.
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
    /// What the check found.
    pub admitted: AdmittedComponent,
    /// The component's size in bytes.
    pub size: u64,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// By whom, where the key stood for a user.
    pub uploaded_by: Option<UserId>,
}

impl Release {
    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.admitted.digest
    }

    /// Whether it can be called for a hook.
    #[must_use]
    pub fn has(&self, hook: Hook) -> bool {
        self.admitted.hooks.contains(&hook)
    }
}
