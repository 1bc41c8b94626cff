//! Helvetica as every reader of PDF has it: which byte stands for a character, and how wide it is.
//!
//! No font is embedded, so there are only the characters of Windows-1252. Of others the letter without its
//! marks is shown if there is one; what has none becomes a question mark.

/// The most characters that are taken of one text; no field comes near.
const MAX_CHARACTERS: usize = 1_000;

/// The omission's three dots.
pub(super) const ELLIPSIS: u8 = 0x85;

/// The characters of the bytes 0x80 to 0x9f; those of the NULs have none.
const WINDOWS: &str = "€\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\0‘’“”•–—˜™š›œ\0žŸ";

/// What is shown instead of characters that look much like it.
const PLAIN: [(&str, u8); 42] = [
    ("ĀĂĄ", b'A'),
    ("āăą", b'a'),
    ("ĆĈĊČ", b'C'),
    ("ćĉċč", b'c'),
    ("ĎĐ", b'D'),
    ("ďđ", b'd'),
    ("ĒĔĖĘĚ", b'E'),
    ("ēĕėęě", b'e'),
    ("ĜĞĠĢ", b'G'),
    ("ĝğġģ", b'g'),
    ("ĤĦ", b'H'),
    ("ĥħ", b'h'),
    ("ĨĪĬĮİ", b'I'),
    ("ĩīĭįı", b'i'),
    ("Ĵ", b'J'),
    ("ĵ", b'j'),
    ("Ķ", b'K'),
    ("ķĸ", b'k'),
    ("ĹĻĽĿŁ", b'L'),
    ("ĺļľŀł", b'l'),
    ("ŃŅŇŊ", b'N'),
    ("ńņňŉŋ", b'n'),
    ("ŌŎŐ", b'O'),
    ("ōŏő", b'o'),
    ("ŔŖŘ", b'R'),
    ("ŕŗř", b'r'),
    ("ŚŜŞȘ", b'S'),
    ("śŝşș", b's'),
    ("ŢŤŦȚ", b'T'),
    ("ţťŧț", b't'),
    ("ŨŪŬŮŰŲ", b'U'),
    ("ũūŭůűų", b'u'),
    ("Ŵ", b'W'),
    ("ŵ", b'w'),
    ("Ŷ", b'Y'),
    ("ŷ", b'y'),
    ("ŹŻ", b'Z'),
    ("źż", b'z'),
    ("ẞ", 0xdf),
    ("\u{2010}\u{2011}\u{2212}", b'-'),
    ("\u{2032}", b'\''),
    ("\u{2033}", b'"'),
];

/// How heavy the letters are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Face {
    /// Helvetica.
    Regular,
    /// Helvetica-Bold.
    Bold,
}

impl Face {
    /// How wide `text` is, in thousandths of the font's size.
    pub(super) fn width(self, text: &[u8]) -> u32 {
        let widths = match self {
            Self::Regular => &REGULAR,
            Self::Bold => &BOLD,
        };
        let known = text.iter().filter_map(|byte| widths.get(usize::from(byte.checked_sub(b' ')?)));
        known.copied().map(u32::from).sum()
    }
}

/// The bytes of a text. Line breaks and other controls become spaces, what nobody sees goes.
pub(super) fn encode(text: &str) -> Vec<u8> {
    text.chars().filter(|c| !unseen(*c)).take(MAX_CHARACTERS).map(byte).collect()
}

/// Whether it only changes its neighbours: soft hyphens, combining marks, joiners, directions, variants.
fn unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{300}'..='\u{36f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
    )
}

/// A character's byte.
fn byte(c: char) -> u8 {
    match c {
        ' '..='~' | '\u{a0}'..='ÿ' => u8::try_from(c).unwrap_or(b'?'),
        _ if c.is_control() || c.is_whitespace() => b' ',
        _ => windows(c).or_else(|| plain(c)).unwrap_or(b'?'),
    }
}

/// Where Windows-1252 has the character between ASCII and Latin-1.
fn windows(c: char) -> Option<u8> {
    (0x80..=0x9f).zip(WINDOWS.chars()).find(|(_, known)| *known == c).map(|(byte, _)| byte)
}

/// What is shown instead of the character.
fn plain(c: char) -> Option<u8> {
    PLAIN.iter().find(|(marked, _)| marked.contains(c)).map(|(_, letter)| *letter)
}

/// Helvetica's widths from the space on, after Adobe's font metrics. Where the encoding has no character,
/// its bullet stands.
#[rustfmt::skip]
const REGULAR: [u16; 224] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584, 350,
    556, 350, 222, 556, 333, 1000, 556, 556, 333, 1000, 667, 333, 1000, 350, 611, 350,
    350, 222, 222, 333, 333, 350, 556, 1000, 333, 1000, 500, 333, 944, 350, 500, 667,
    278, 333, 556, 556, 556, 556, 260, 556, 333, 737, 370, 556, 584, 333, 737, 333,
    400, 584, 333, 333, 333, 556, 537, 278, 333, 333, 365, 556, 834, 834, 834, 611,
    667, 667, 667, 667, 667, 667, 1000, 722, 667, 667, 667, 667, 278, 278, 278, 278,
    722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667, 611,
    556, 556, 556, 556, 556, 556, 889, 500, 556, 556, 556, 556, 278, 278, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 584, 611, 556, 556, 556, 556, 500, 556, 500,
];

/// Helvetica-Bold's.
#[rustfmt::skip]
const BOLD: [u16; 224] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611,
    975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556,
    333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611,
    611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584, 350,
    556, 350, 278, 556, 500, 1000, 556, 556, 333, 1000, 667, 333, 1000, 350, 611, 350,
    350, 278, 278, 500, 500, 350, 556, 1000, 333, 1000, 556, 333, 944, 350, 500, 667,
    278, 333, 556, 556, 556, 556, 280, 556, 333, 737, 370, 556, 584, 333, 737, 333,
    400, 584, 333, 333, 333, 611, 556, 278, 333, 333, 365, 556, 834, 834, 834, 611,
    722, 722, 722, 722, 722, 722, 1000, 722, 667, 667, 667, 667, 278, 278, 278, 278,
    722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667, 611,
    556, 556, 556, 556, 556, 556, 889, 556, 556, 556, 556, 556, 278, 278, 278, 278,
    611, 611, 611, 611, 611, 611, 611, 584, 611, 611, 611, 611, 611, 556, 611, 556,
];
