//! Validations: they accept or refuse a change before it is stored.

use crate::{Change, Context, Verdict};

pub use crate::bindings::validation::exports::tessera::plugin::validation::Request;

/// Accepts or refuses changes.
pub trait Validation {
    /// Judges a change before it is stored.
    fn validate(context: &Context, request: &Request) -> Verdict;
}

impl Request {
    /// Whether something is made.
    #[must_use]
    pub fn is_create(&self) -> bool {
        self.operation == "create"
    }

    /// Whether something is changed.
    #[must_use]
    pub fn is_update(&self) -> bool {
        self.operation == "update"
    }

    /// Whether something is removed.
    #[must_use]
    pub fn is_delete(&self) -> bool {
        self.operation == "delete"
    }

    /// What becomes of a field, if it changes.
    #[must_use]
    pub fn change(&self, field: &str) -> Option<&Change> {
        self.changes.iter().find(|change| change.field == field)
    }
}
