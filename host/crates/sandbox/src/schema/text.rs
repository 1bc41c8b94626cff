//! Texts that messages repeat.

/// The longest text that a message repeats, in bytes.
const MAX_TEXT: usize = 200;

/// Cuts a text that a message repeats.
pub(super) fn shorten(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MAX_TEXT);
    format!("{}…", text.get(..end).unwrap_or_default())
}
