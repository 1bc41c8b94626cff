//! Checks of text that clients send.

use std::fmt;

use crate::error::{MAX_VIOLATIONS, Violation};
use crate::input::FieldMask;

/// Collects the faults of a request, so that a client gets all of them at once.
#[derive(Default, Debug)]
pub struct Faults(Vec<Violation>);

impl Faults {
    /// Adds a fault, unless there are as many as an error may have.
    pub fn add(&mut self, field: &str, message: impl fmt::Display) {
        if self.0.len() < MAX_VIOLATIONS {
            self.0.push(Violation::new(field, message));
        }
    }

    /// Checks that a text has `min` to `max` characters, and no control characters.
    pub fn text(&mut self, field: &str, text: &str, min: usize, max: usize) {
        let length = text.chars().count();
        if length < min && min == 1 {
            self.add(field, format_args!("must not be empty; 1 to {max} characters"));
        } else if length < min || length > max {
            self.add(field, format_args!("has {length} characters; {min} to {max} are allowed"));
        }
        if text.chars().any(is_forbidden) {
            self.add(field, "has control characters; only line breaks and tabs are allowed");
        }
    }

    /// Returns the value, or adds the faults of the error.
    pub fn take<T>(&mut self, result: crate::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.0.extend_from_slice(error.faults());
                None
            }
        }
    }

    /// Drops the faults of fields that an update does not change. A fault within a field, as `pools[0]`, counts as
    /// the field's.
    pub fn retain(&mut self, mask: &FieldMask) {
        self.0.retain(|fault| mask.contains(fault.field.split(['.', '[']).next().unwrap_or_default()));
    }

    /// Returns all faults as one error, if there are any.
    pub fn into_result(self) -> crate::Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(crate::Error::violations(self.0)) }
    }
}

fn is_forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

/// Returns text for comparisons that ignore case.
#[must_use]
pub fn folded(text: &str) -> String {
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> usize {
        let mut faults = Faults::default();
        faults.text("name", text, 1, 5);
        faults.0.len()
    }

    #[test]
    fn faults_of_fields_outside_the_mask_are_dropped() {
        let mut faults = Faults::default();
        for field in ["name", "pools[0]", "metadata.a", "price.amount"] {
            faults.add(field, "is wrong");
        }
        faults.retain(&FieldMask::Only(vec!["pools".into(), "price".into()]));
        let fields: Vec<_> = faults.0.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["pools[0]", "price.amount"]);
    }

    #[test]
    fn length_counts_characters_and_control_characters_are_refused() {
        assert_eq!(faults("ééééé"), 0);
        assert_eq!(faults("éééééé"), 1);
        assert_eq!(faults(""), 1);
        assert_eq!(faults("a\n\t"), 0);
        assert_eq!(faults("a\0"), 1);
        assert_eq!(faults("a\u{7f}\u{1b}xy"), 1);
    }
}
