//! Checks of text that clients send, and text of limited length.

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

/// Text of at most a number of bytes. What is written beyond them is left out, and `…` ends the text.
#[derive(Debug)]
pub struct BoundedText {
    text: String,
    max: usize,
    was_cut: bool,
}

impl BoundedText {
    /// Creates an empty text of at most `max` bytes.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { text: String::new(), max, was_cut: false }
    }

    /// Returns the text of a value.
    #[must_use]
    pub fn of(value: impl fmt::Display, max: usize) -> String {
        let mut text = Self::new(max);
        // The error only says that the rest was left out.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{value}"));
        text.into_string()
    }

    /// Returns the text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.text
    }
}

/// Fails once the text is full, so that a value that writes itself in parts stops.
impl fmt::Write for BoundedText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.was_cut {
            return Err(fmt::Error);
        }
        let room = self.max.saturating_sub(self.text.len());
        self.text.push_str(part.get(..part.floor_char_boundary(room)).unwrap_or_default());
        if part.len() <= room {
            return Ok(());
        }
        end_with_ellipsis(&mut self.text, self.max);
        self.was_cut = true;
        Err(fmt::Error)
    }
}

/// Cuts a text to at most `max` bytes; then `…` ends it.
pub fn cut(text: &mut String, max: usize) {
    if text.len() > max {
        end_with_ellipsis(text, max);
    }
}

fn end_with_ellipsis(text: &mut String, max: usize) {
    text.truncate(text.floor_char_boundary(max.saturating_sub('…'.len_utf8())));
    text.push('…');
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
    fn bounded_text_is_cut_at_a_character_and_stops_its_writer() {
        assert_eq!(BoundedText::of("abc", 3), "abc");
        assert_eq!(BoundedText::of("abcd", 3), "…");
        assert_eq!(BoundedText::of("ééééé", 8), "éé…");
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("endless ")?;
                }
            }
        }
        assert_eq!(BoundedText::of(Endless, 20), "endless endless e…");
        let mut text = "x".repeat(10);
        cut(&mut text, 10);
        assert_eq!(text.len(), 10);
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
