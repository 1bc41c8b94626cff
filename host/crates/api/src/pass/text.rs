//! Texts in lines: where they break, and how many there may be.

use super::font::{ELLIPSIS, Face};

/// How a text looks; sizes are tenths of points, as all lengths of the sheet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) face: Face,
    pub(super) size: u16,
    /// From black, 0, to white, 100.
    pub(super) shade: u8,
}

impl Style {
    /// How wide a line of `text` is.
    pub(super) fn width(self, text: &[u8]) -> u32 {
        (self.face.width(text) * u32::from(self.size)).div_ceil(1_000)
    }

    /// How high capitals stand over their line.
    pub(super) fn rise(self) -> u16 {
        self.size * 72 / 100
    }

    /// How deep letters hang under their line.
    pub(super) fn fall(self) -> u16 {
        self.size * 22 / 100
    }

    /// From one line to the next.
    pub(super) fn leading(self) -> u16 {
        self.size * 125 / 100
    }

    /// Whether a line of `text` is no wider than `measure`.
    fn fits(self, text: &[u8], measure: u16) -> bool {
        self.width(text) <= u32::from(measure)
    }

    /// The text in lines no wider than `measure`, if no more than `most` are needed and no word is broken.
    pub(super) fn whole(self, text: &[u8], measure: u16, most: usize) -> Option<Vec<Vec<u8>>> {
        let lines = self.wrap(text, measure);
        (lines.len() <= most && words(text).all(|word| self.fits(word, measure))).then_some(lines)
    }

    /// The text in at most that many lines; what does not fit is left out, and dots say so.
    pub(super) fn cut(self, text: &[u8], measure: u16, most: usize) -> Vec<Vec<u8>> {
        let mut lines = self.wrap(text, measure);
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                self.shorten(last, measure);
            }
        }
        lines
    }

    /// Puts dots at the end of a line, instead of as much of it as they need.
    fn shorten(self, line: &mut Vec<u8>, measure: u16) {
        let fits = |line: &[u8]| self.fits(&[line, &[ELLIPSIS]].concat(), measure);
        while !line.is_empty() && (line.ends_with(b" ") || !fits(line)) {
            line.pop();
        }
        line.push(ELLIPSIS);
    }

    /// Breaks a text between its words.
    fn wrap(self, text: &[u8], measure: u16) -> Vec<Vec<u8>> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for word in words(text) {
            let longer = lines.last().map(|line| [line, &b" "[..], word].concat());
            match (lines.last_mut(), longer) {
                (Some(line), Some(longer)) if self.fits(&longer, measure) => *line = longer,
                _ => lines.extend(self.pieces(word, measure)),
            }
        }
        lines
    }

    /// A word in pieces that fit: one, unless it is wider than the measure. A piece has at least one letter.
    fn pieces(self, word: &[u8], measure: u16) -> Vec<Vec<u8>> {
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        for byte in word {
            match pieces.last_mut() {
                Some(piece) if self.fits(&[piece, &[*byte][..]].concat(), measure) => piece.push(*byte),
                _ => pieces.push(vec![*byte]),
            }
        }
        pieces
    }
}

/// The words of a text, however many spaces are between them.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style { face: Face::Regular, size: 100, shade: 0 };

    fn read(lines: Vec<Vec<u8>>) -> Vec<String> {
        lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn lines_break_between_words_and_within_one_only_if_it_is_too_wide() {
        // A digit is 5.56 points wide at this size, a space 2.78.
        let measure = 310;
        assert_eq!(read(STYLE.cut(b" 11  22 333 4 ", measure, 9)), ["11 22", "333 4"]);
        assert_eq!(read(STYLE.cut(b"1 1234567 8", measure, 9)), ["1", "12345", "67 8"]);
        assert_eq!(read(STYLE.cut(b"12", 1, 9)), ["1", "2"]);
        assert_eq!(read(STYLE.cut(b"  ", measure, 9)), Vec::<String>::new());
    }

    #[test]
    fn a_text_of_too_many_lines_ends_in_dots_within_the_measure() {
        let lines = STYLE.cut(b"11111 22222 33333", 310, 2);
        assert_eq!(lines, [&b"11111"[..], b"222\x85"]);
        assert!(STYLE.width(&lines[1]) <= 310);
        assert_eq!(STYLE.cut(b"111 1 22222", 310, 1), [b"111\x85"]);
        assert_eq!(STYLE.cut(b"11111 22222", 310, 2), [b"11111", b"22222"]);
    }

    #[test]
    fn a_text_is_whole_only_without_broken_words() {
        assert!(STYLE.whole(b"11111 22222", 310, 2).is_some());
        assert!(STYLE.whole(b"11111 22222", 310, 1).is_none());
        assert!(STYLE.whole(b"123456", 310, 2).is_none());
    }
}
