//! Arimo, drawn to Helvetica's measures: which characters it has, how wide they are, and as much of it as a sheet needs.
//!
//! It has the letters of Latin, Greek and Cyrillic with their marks. Of other characters what they are made of is shown,
//! if the fonts have that; what has none (Chinese, Arabic, emoji) becomes a question mark.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use subsetter::GlyphRemapper;
use tessera_core::error::{Error, Result};
use ttf_parser::GlyphId;
use unicode_normalization::UnicodeNormalization as _;

/// The most characters that are taken of one text; no field comes near.
const MAX_CHARACTERS: usize = 1_000;

/// What stands for what was left out.
pub(super) const ELLIPSIS: char = '…';

/// What stands for what the fonts lack.
const LACKING: char = '?';

/// The fonts with the characters that they are used for; `fonts/README.md` says how they were made.
static FILES: [&[u8]; 2] =
    [include_bytes!("../../fonts/Arimo-Regular.ttf"), include_bytes!("../../fonts/Arimo-Bold.ttf")];

static READ: LazyLock<[Option<ttf_parser::Face<'static>>; 2]> =
    LazyLock::new(|| FILES.map(|file| ttf_parser::Face::parse(file, 0).ok()));

/// How heavy the letters are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Face {
    /// As usual.
    Regular,
    /// Bold.
    Bold,
}

/// Some of a font's glyphs, numbered anew.
pub(super) struct Part {
    /// The numbers of its characters.
    pub(super) glyphs: BTreeMap<char, u16>,
    /// How wide each glyph is, by its number, in thousandths of the font's size.
    pub(super) widths: Vec<u16>,
    /// The font that has these alone.
    pub(super) file: Vec<u8>,
    /// How far letters reach: to the left, below, to the right and above, in thousandths.
    pub(super) bounds: [i16; 4],
    /// How high a capital is, in thousandths.
    pub(super) capital: i16,
}

impl Face {
    /// Both of them.
    pub(super) const ALL: [Self; 2] = [Self::Regular, Self::Bold];

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Regular => "Arimo",
            Self::Bold => "Arimo-Bold",
        }
    }

    fn read(self) -> Option<&'static ttf_parser::Face<'static>> {
        READ[self as usize].as_ref()
    }

    fn glyph(self, c: char) -> Option<GlyphId> {
        self.read()?.glyph_index(c)
    }

    fn advance(self, glyph: GlyphId) -> u16 {
        let font = self.read();
        let units = font.and_then(|font| Some((font.glyph_hor_advance(glyph)?, font.units_per_em())));
        // Upwards: no line is wider than it was taken for.
        units.map_or(0, |(advance, per_em)| narrow((u32::from(advance) * 1_000).div_ceil(u32::from(per_em))))
    }

    /// How wide `text` is, in thousandths of the font's size.
    pub(super) fn width(self, text: &[char]) -> u32 {
        let glyphs = text.iter().filter_map(|c| self.glyph(*c));
        glyphs.map(|glyph| u32::from(self.advance(glyph))).sum()
    }

    /// As much of the font as these characters need.
    pub(super) fn part(self, characters: impl Iterator<Item = char>) -> Result<Part> {
        let font = self.read().ok_or_else(|| Error::internal(std::io::Error::other(self.name())))?;
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
        let all = font.global_bounding_box();
        let bounds = [all.x_min, all.y_min, all.x_max, all.y_max].map(scaled);
        let capital = font.capital_height().map_or(716, scaled);
        Ok(Part { glyphs, widths, file, bounds, capital })
    }
}

fn narrow(wide: u32) -> u16 {
    u16::try_from(wide).unwrap_or(u16::MAX)
}

/// The characters of a text that are drawn. Line breaks and other controls become spaces, what nobody sees goes, and a
/// letter with its marks is one character.
pub(super) fn drawn(text: &str) -> Vec<char> {
    text.nfc().filter(|c| !unseen(*c)).flat_map(shapes).take(MAX_CHARACTERS).collect()
}

/// Whether it only changes its neighbours: soft hyphens, marks that no letter took, joiners, directions, variants.
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

/// What is drawn of a character.
fn shapes(c: char) -> Vec<char> {
    let has = |c: &char| Face::ALL.into_iter().all(|face| face.glyph(*c).is_some());
    if c.is_control() || (c.is_whitespace() && c != '\u{a0}') {
        return vec![' '];
    }
    if has(&c) {
        return vec![c];
    }
    let parts: Vec<_> = std::iter::once(c).nfkd().filter(|part| !unseen(*part)).collect();
    if !parts.is_empty() && parts.iter().all(has) { parts } else { vec![LACKING] }
}
