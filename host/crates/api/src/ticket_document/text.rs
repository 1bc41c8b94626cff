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
    pub(super) fn width(self, text: &[char]) -> u32 {
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
    fn fits(self, text: &[char], measure: u16) -> bool {
        self.width(text) <= u32::from(measure)
    }

    /// The text in lines no wider than `measure`, if no more than `most` are needed and no word is broken.
    pub(super) fn whole(self, text: &[char], measure: u16, most: usize) -> Option<Vec<Vec<char>>> {
        let lines = self.wrap(text, measure);
        (lines.len() <= most && words(text).all(|word| self.fits(word, measure))).then_some(lines)
    }

    /// The text in at most that many lines; what does not fit is left out, and dots say so.
    pub(super) fn cut(self, text: &[char], measure: u16, most: usize) -> Vec<Vec<char>> {
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
    fn shorten(self, line: &mut Vec<char>, measure: u16) {
        let fits = |line: &[char]| self.fits(&[line, &[ELLIPSIS]].concat(), measure);
        while !line.is_empty() && (line.ends_with(&[' ']) || !fits(line)) {
            line.pop();
        }
        line.push(ELLIPSIS);
    }

    /// Breaks a text between its words.
    fn wrap(self, text: &[char], measure: u16) -> Vec<Vec<char>> {
        let mut lines: Vec<Vec<char>> = Vec::new();
        for word in words(text) {
            let longer = lines.last().map(|line| [line, &[' '][..], word].concat());
            match (lines.last_mut(), longer) {
                (Some(line), Some(longer)) if self.fits(&longer, measure) => *line = longer,
                _ => lines.extend(self.pieces(word, measure)),
            }
        }
        lines
    }

    /// A word in pieces that fit: one, unless it is wider than the measure. A piece has at least one letter.
    fn pieces(self, word: &[char], measure: u16) -> Vec<Vec<char>> {
        let mut pieces: Vec<Vec<char>> = Vec::new();
        for letter in word {
            match pieces.last_mut() {
                Some(piece) if self.fits(&[piece, &[*letter][..]].concat(), measure) => piece.push(*letter),
                _ => pieces.push(vec![*letter]),
            }
        }
        pieces
    }
}

/// The words of a text, however many spaces are between them.
fn words(text: &[char]) -> impl Iterator<Item = &[char]> {
    text.split(|c| *c == ' ').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style { face: Face::Regular, size: 100, shade: 0 };

    fn read(lines: &[Vec<char>]) -> Vec<String> {
        lines.iter().map(|line| line.iter().collect()).collect()
    }

    fn text(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn lines_break_between_words_and_within_one_only_if_it_is_too_wide() {
        // A digit is 5.56 points wide at this size, a space 2.78.
        let measure = 310;
        assert_eq!(read(&STYLE.cut(&text(" 11  22 333 4 "), measure, 9)), ["11 22", "333 4"]);
        assert_eq!(read(&STYLE.cut(&text("1 1234567 8"), measure, 9)), ["1", "12345", "67 8"]);
        assert_eq!(read(&STYLE.cut(&text("12"), 1, 9)), ["1", "2"]);
        assert_eq!(read(&STYLE.cut(&text("  "), measure, 9)), Vec::<String>::new());
    }

    #[test]
    fn a_text_of_too_many_lines_ends_in_dots_within_the_measure() {
        let lines = STYLE.cut(&text("11111 22222 33333"), 310, 2);
        assert_eq!(read(&lines), ["11111", "222…"]);
        assert!(STYLE.width(&lines[1]) <= 310);
        assert_eq!(read(&STYLE.cut(&text("111 1 22222"), 310, 1)), ["111…"]);
        assert_eq!(read(&STYLE.cut(&text("11111 22222"), 310, 2)), ["11111", "22222"]);
    }

    #[test]
    fn a_text_is_whole_only_without_broken_words() {
        assert!(STYLE.whole(&text("11111 22222"), 310, 2).is_some());
        assert!(STYLE.whole(&text("11111 22222"), 310, 1).is_none());
        assert!(STYLE.whole(&text("123456"), 310, 2).is_none());
    }
}
