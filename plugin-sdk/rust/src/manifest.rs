//! Manifest of a plugin.

use crate::bindings::base::exports::tessera::plugin::manifest::Info;
use crate::{Field, Value};

/// A plugin. Implement [`Validation`](crate::Validation), [`Workflow`](crate::Workflow) or
/// [`Pricing`](crate::Pricing) as well.
pub trait Plugin {
    /// Returns the manifest. Called once, when the plugin is uploaded.
    fn manifest() -> Manifest;
}

/// Name, version, settings and rights of a plugin. [`crate::manifest!`] makes one from the crate's `Cargo.toml`.
#[derive(Clone, PartialEq, Debug)]
pub struct Manifest(Info);

impl Manifest {
    /// Makes a manifest without settings and rights, for all kinds of entity.
    #[must_use]
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        Self(Info {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            settings_schema: String::new(),
            kinds: Vec::new(),
            needs: Vec::new(),
            attributes: Vec::new(),
        })
    }

    /// Sets the JSON Schema of the settings.
    #[must_use]
    pub fn settings(mut self, schema: &str) -> Self {
        schema.clone_into(&mut self.0.settings_schema);
        self
    }

    /// Sets the kinds of entity that the hooks are called for. The default is all kinds.
    #[must_use]
    pub fn kinds<const N: usize>(mut self, kinds: [&str; N]) -> Self {
        self.0.kinds = kinds.map(str::to_owned).into();
        self
    }

    /// Sets the rights that the effects need: `issue:update`, `issue:transition`, `issue:create`, `issue:link`,
    /// `comment:create`, `notice:create`, `fact:emit`.
    #[must_use]
    pub fn needs<const N: usize>(mut self, needs: [&str; N]) -> Self {
        self.0.needs = needs.map(str::to_owned).into();
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.attributes.push(Field { name: name.to_owned(), value: value.into() });
        self
    }

    /// Returns the manifest as a type of the contract.
    #[doc(hidden)]
    #[must_use]
    pub fn into_info(self) -> Info {
        self.0
    }
}

/// Makes a manifest with the name, the version and the description of the calling crate.
#[macro_export]
macro_rules! manifest {
    () => {
        $crate::Manifest::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_DESCRIPTION"),
        )
    };
}
