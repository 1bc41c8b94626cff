//! Text of limited length.

use std::fmt;

/// Text with a limit of bytes. Text beyond the limit is replaced by `…`.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
