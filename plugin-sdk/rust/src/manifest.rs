//! What a plugin says of itself.

use crate::bindings::base::exports::tessera::plugin::manifest::Info;
use crate::{Field, Value};

/// Something that can be installed.
pub trait Plugin {
    /// What it is; asked once, when it is uploaded.
    fn manifest() -> Manifest;
}

/// What a plugin says of itself; [`crate::manifest!`] begins one from the crate's own `Cargo.toml`.
#[derive(Clone, PartialEq, Debug)]
pub struct Manifest(Info);

impl Manifest {
    /// A plugin of that name and version.
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

    /// The JSON Schema that its settings must pass.
    #[must_use]
    pub fn settings(mut self, schema: &str) -> Self {
        schema.clone_into(&mut self.0.settings_schema);
        self
    }

    /// The kinds of entity that it wants to see; without any, all.
    #[must_use]
    pub fn kinds<const N: usize>(mut self, kinds: [&str; N]) -> Self {
        self.0.kinds = kinds.map(str::to_owned).into();
        self
    }

    /// What its effects may do: `issue:update`, `issue:transition`, `issue:create`, `issue:link`,
    /// `comment:create`, `notice:create`, `fact:emit`.
    #[must_use]
    pub fn needs<const N: usize>(mut self, needs: [&str; N]) -> Self {
        self.0.needs = needs.map(str::to_owned).into();
        self
    }

    /// Anything else, by name.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.attributes.push(Field { name: name.to_owned(), value: value.into() });
        self
    }

    /// As the contract has it.
    #[doc(hidden)]
    #[must_use]
    pub fn into_info(self) -> Info {
        self.0
    }
}

/// A manifest with the name, the version and the description of the crate that calls it.
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
