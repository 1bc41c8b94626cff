//! The font Arimo, which has the metrics of Helvetica: its characters, their widths, and subsets to embed.
//!
//! It covers Latin, Greek and Cyrillic. Another character is decomposed if the font has its parts; otherwise (Chinese,
//! Arabic, emoji) it becomes a question mark.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use subsetter::GlyphRemapper;
use tessera_core::error::{Error, Result};
use ttf_parser::GlyphId;
use unicode_normalization::UnicodeNormalization as _;

/// Limit of characters of one text, above the limits of all fields.
const MAX_CHARACTERS: usize = 1_000;

/// Marks truncated text.
pub(super) const ELLIPSIS: char = '…';

/// Replaces characters that the fonts do not have.
const REPLACEMENT: char = '?';

/// The font files; `fonts/README.md` describes how they are built.
static FILES: [&[u8]; 2] =
    [include_bytes!("../../fonts/Arimo-Regular.ttf"), include_bytes!("../../fonts/Arimo-Bold.ttf")];

static FACES: LazyLock<[Option<ttf_parser::Face<'static>>; 2]> =
    LazyLock::new(|| FILES.map(|file| ttf_parser::Face::parse(file, 0).ok()));

/// The weight of the letters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Face {
    /// Regular.
    Regular,
    /// Bold.
    Bold,
}

/// A subset of a font, with renumbered glyphs.
pub(super) struct Subset {
    /// The glyph number of each character.
    pub(super) glyphs: BTreeMap<char, u16>,
    /// The width of each glyph by its number, in thousandths of the font size.
    pub(super) widths: Vec<u16>,
    /// The font file with only these glyphs.
    pub(super) file: Vec<u8>,
    /// The bounding box of all letters: left, bottom, right and top, in thousandths of the font size.
    pub(super) bounds: [i16; 4],
    /// The height of capitals, in thousandths of the font size.
    pub(super) capital_height: i16,
}

impl Face {
    /// All faces.
    pub(super) const ALL: [Self; 2] = [Self::Regular, Self::Bold];

    /// Returns the name of the face.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Regular => "Arimo",
            Self::Bold => "Arimo-Bold",
        }
    }

    fn font(self) -> Option<&'static ttf_parser::Face<'static>> {
        FACES[self as usize].as_ref()
    }

    fn glyph(self, c: char) -> Option<GlyphId> {
        self.font()?.glyph_index(c)
    }

    fn advance(self, glyph: GlyphId) -> u16 {
        let font = self.font();
        let units = font.and_then(|font| Some((font.glyph_hor_advance(glyph)?, font.units_per_em())));
        // Rounded up, so that no line is wider than computed.
        units.map_or(0, |(advance, per_em)| {
            saturating_u16((u32::from(advance) * 1_000).div_ceil(u32::from(per_em)))
        })
    }

    /// Returns the width of `text`, in thousandths of the font size.
    pub(super) fn width(self, text: &[char]) -> u32 {
        let glyphs = text.iter().filter_map(|c| self.glyph(*c));
        glyphs.map(|glyph| u32::from(self.advance(glyph))).sum()
    }

    /// Returns the subset of the font with these characters.
    pub(super) fn subset(self, characters: impl Iterator<Item = char>) -> Result<Subset> {
        let font = self.font().ok_or_else(|| Error::internal(std::io::Error::other(self.name())))?;
        let (mut numbers, mut glyphs) = (GlyphRemapper::new(), BTreeMap::new());
        let mut widths = vec![self.advance(GlyphId(0))];
        for c in characters {
            if let Some(glyph) = self.glyph(c).filter(|_| !glyphs.contains_key(&c)) {
                let number = numbers.remap(glyph.0);
                glyphs.insert(c, number);
                if usize::from(number) == widths.len() {
                    widths.push(self.advance(glyph));
                }
            }
        }
        let file = subsetter::subset(FILES[self as usize], 0, &numbers).map_err(Error::internal)?;
        let per_em = i32::from(font.units_per_em());
        let scaled = |units: i16| i16::try_from(i32::from(units) * 1_000 / per_em).unwrap_or_default();
        let bounding_box = font.global_bounding_box();
        let bounds =
            [bounding_box.x_min, bounding_box.y_min, bounding_box.x_max, bounding_box.y_max].map(scaled);
        let capital_height = font.capital_height().map_or(716, scaled);
        Ok(Subset { glyphs, widths, file, bounds, capital_height })
    }
}

fn saturating_u16(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// Returns the characters to draw for a text: letters are composed with their marks, control characters become spaces,
/// and invisible characters are removed.
pub(super) fn drawable(text: &str) -> Vec<char> {
    text.nfc().filter(|c| !is_invisible(*c)).flat_map(substitute).take(MAX_CHARACTERS).collect()
}

/// Whether a character is not drawn itself: soft hyphens, marks that were not composed, joiners, directions, variants.
fn is_invisible(c: char) -> bool {
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

/// Replaces a character that the fonts do not have.
fn substitute(c: char) -> Vec<char> {
    let has = |c: &char| Face::ALL.into_iter().all(|face| face.glyph(*c).is_some());
    if c.is_control() || (c.is_whitespace() && c != '\u{a0}') {
        return vec![' '];
    }
    if has(&c) {
        return vec![c];
    }
    let parts: Vec<_> = std::iter::once(c).nfkd().filter(|part| !is_invisible(*part)).collect();
    if !parts.is_empty() && parts.iter().all(has) { parts } else { vec![REPLACEMENT] }
}
