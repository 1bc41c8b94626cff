//! Breaks texts into lines.

use super::font::{ELLIPSIS, Face};

/// The style of a text. Sizes are tenths of points, as all lengths of the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) face: Face,
    pub(super) size: u16,
    /// The shade, from 0 (black) to 100 (white).
    pub(super) shade: u8,
}

impl Style {
    /// Returns the width of a line of `text`.
    pub(super) fn width(self, text: &[char]) -> u32 {
        (self.face.width(text) * u32::from(self.size)).div_ceil(1_000)
    }

    /// Returns the height of capitals above the baseline.
    pub(super) fn ascent(self) -> u16 {
        self.size * 72 / 100
    }

    /// Returns the depth of letters below the baseline.
    pub(super) fn descent(self) -> u16 {
        self.size * 22 / 100
    }

    /// Returns the distance between two baselines.
    pub(super) fn leading(self) -> u16 {
        self.size * 125 / 100
    }

    /// Whether a line of `text` fits into `max_width`.
    fn fits(self, text: &[char], max_width: u16) -> bool {
        self.width(text) <= u32::from(max_width)
    }

    /// Wraps a text at `max_width`; `None` if it needs more than `max_lines` or a broken word.
    pub(super) fn wrap_whole(
        self,
        text: &[char],
        max_width: u16,
        max_lines: usize,
    ) -> Option<Vec<Vec<char>>> {
        let lines = self.wrap(text, max_width);
        (lines.len() <= max_lines && words(text).all(|word| self.fits(word, max_width))).then_some(lines)
    }

    /// Wraps a text at `max_width` and truncates it to `max_lines`, with an ellipsis.
    pub(super) fn wrap_truncated(self, text: &[char], max_width: u16, max_lines: usize) -> Vec<Vec<char>> {
        let mut lines = self.wrap(text, max_width);
        if lines.len() > max_lines {
            lines.truncate(max_lines);
            if let Some(last) = lines.last_mut() {
                self.shorten(last, max_width);
            }
        }
        lines
    }

    /// Ends a line with an ellipsis, and removes as many characters as that needs.
    fn shorten(self, line: &mut Vec<char>, max_width: u16) {
        let fits = |line: &[char]| self.fits(&[line, &[ELLIPSIS]].concat(), max_width);
        while !line.is_empty() && (line.ends_with(&[' ']) || !fits(line)) {
            line.pop();
        }
        line.push(ELLIPSIS);
    }

    /// Wraps a text at `max_width`.
    fn wrap(self, text: &[char], max_width: u16) -> Vec<Vec<char>> {
        let mut lines: Vec<Vec<char>> = Vec::new();
        for word in words(text) {
            let longer = lines.last().map(|line| [line, &[' '][..], word].concat());
            match (lines.last_mut(), longer) {
                (Some(line), Some(longer)) if self.fits(&longer, max_width) => *line = longer,
                _ => lines.extend(self.break_word(word, max_width)),
            }
        }
        lines
    }

    /// Breaks a word into pieces that fit into `max_width`. A piece has at least one letter.
    fn break_word(self, word: &[char], max_width: u16) -> Vec<Vec<char>> {
        let mut pieces: Vec<Vec<char>> = Vec::new();
        for letter in word {
            match pieces.last_mut() {
                Some(piece) if self.fits(&[piece, &[*letter][..]].concat(), max_width) => piece.push(*letter),
                _ => pieces.push(vec![*letter]),
            }
        }
        pieces
    }
}

/// Splits a text at spaces.
fn words(text: &[char]) -> impl Iterator<Item = &[char]> {
    text.split(|c| *c == ' ').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style { face: Face::Regular, size: 100, shade: 0 };

    fn strings(lines: &[Vec<char>]) -> Vec<String> {
        lines.iter().map(|line| line.iter().collect()).collect()
    }

    fn text(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn only_oversized_words_are_broken() {
        // A digit is 5.56 points wide at this size, a space 2.78.
        let max_width = 310;
        assert_eq!(strings(&STYLE.wrap_truncated(&text(" 11  22 333 4 "), max_width, 9)), ["11 22", "333 4"]);
        assert_eq!(
            strings(&STYLE.wrap_truncated(&text("1 1234567 8"), max_width, 9)),
            ["1", "12345", "67 8"]
        );
        assert_eq!(strings(&STYLE.wrap_truncated(&text("12"), 1, 9)), ["1", "2"]);
        assert_eq!(strings(&STYLE.wrap_truncated(&text("  "), max_width, 9)), Vec::<String>::new());
    }

    #[test]
    fn truncated_text_ends_with_an_ellipsis_within_the_width() {
        let lines = STYLE.wrap_truncated(&text("11111 22222 33333"), 310, 2);
        assert_eq!(strings(&lines), ["11111", "222…"]);
        assert!(STYLE.width(&lines[1]) <= 310);
        assert_eq!(strings(&STYLE.wrap_truncated(&text("111 1 22222"), 310, 1)), ["111…"]);
        assert_eq!(strings(&STYLE.wrap_truncated(&text("11111 22222"), 310, 2)), ["11111", "22222"]);
    }

    #[test]
    fn wrap_whole_rejects_broken_words() {
        assert!(STYLE.wrap_whole(&text("11111 22222"), 310, 2).is_some());
        assert!(STYLE.wrap_whole(&text("11111 22222"), 310, 1).is_none());
        assert!(STYLE.wrap_whole(&text("123456"), 310, 2).is_none());
    }
}
