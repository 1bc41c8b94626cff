//! Validation hook: accepts or refuses a change before it is stored.

use crate::{Change, Context, Verdict};

pub use crate::bindings::validation::exports::tessera::plugin::validation::Request;

/// Accepts or refuses changes.
pub trait Validation {
    /// Accepts a change, or refuses it with violations.
    fn validate(context: &Context, request: &Request) -> Verdict;
}

impl Request {
    /// Returns whether the subject is created.
    #[must_use]
    pub fn is_create(&self) -> bool {
        self.operation == "create"
    }

    /// Returns whether the subject is updated.
    #[must_use]
    pub fn is_update(&self) -> bool {
        self.operation == "update"
    }

    /// Returns whether the subject is deleted.
    #[must_use]
    pub fn is_delete(&self) -> bool {
        self.operation == "delete"
    }

    /// Returns the change of a field, or `None` if the field does not change.
    #[must_use]
    pub fn change(&self, field: &str) -> Option<&Change> {
        self.changes.iter().find(|change| change.field == field)
    }
}
