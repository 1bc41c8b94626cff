//! The layout of the printed page, and the PDF file.
//!
//! Lengths are tenths of points, from the upper left corner; they are converted when the file is written.

use std::collections::BTreeSet;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use tessera_core::error::Result;

use super::font::{Face, Subset, drawable};
use super::symbol::Symbol;
use super::text::Style;
use super::{Pass, QUIET_ZONE};

/// The width of A4.
pub(super) const WIDTH: u16 = 5_953;
/// The height of A4.
pub(super) const HEIGHT: u16 = 8_419;
/// The margin on each side: 20 mm, more than any printer needs.
pub(super) const MARGIN: u16 = 567;

/// The largest side of the code: 60 mm, rounded down to a whole number of tenths per module.
const CODE: u16 = 1_701;
/// The distance between columns; not less than the quiet zone of the smallest symbol.
const GUTTER: u16 = 340;
/// The distance between a rule and the text above or below it.
const RULE_DISTANCE: u16 = 200;
/// The distance between rows of fields.
const ROW_DISTANCE: u16 = 160;
/// The thickness of a rule.
const RULE_HEIGHT: u16 = 5;

/// The style of labels and secondary text.
const LABEL: Style = Style { face: Face::Regular, size: 85, shade: 45 };
/// The style of values.
const VALUE: Style = Style { face: Face::Regular, size: 120, shade: 0 };
/// The style of the date.
const DATE: Style = Style { face: Face::Bold, size: 120, shade: 0 };

/// The font sizes of the title, each with its limit of lines. The first at which the title fits is used.
const TITLES: [(u16, usize); 3] = [(240, 3), (180, 5), (140, 10)];

/// A line of text; `y` is its baseline.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) x: u16,
    pub(super) y: u16,
    pub(super) style: Style,
    pub(super) text: Vec<char>,
}

/// A filled rectangle, from its upper left corner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) x: u16,
    pub(super) y: u16,
    pub(super) width: u16,
    pub(super) height: u16,
}

/// The laid out page.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) code: Vec<Area>,
    pub(super) rules: Vec<Area>,
    pub(super) lines: Vec<Line>,
}

/// A column that is filled from the top.
struct Column {
    x: u16,
    width: u16,
    /// Where the next element begins.
    top: u16,
}

/// Lays out the page: the event and the code at the top, the fields of the ticket below a rule, and its id at the end.
pub(super) fn lay_out(pass: &Pass<'_>, symbol: &Symbol) -> Sheet {
    let mut sheet = Sheet::default();
    let module = CODE / symbol.side();
    let side = module * symbol.side();
    let x = WIDTH - MARGIN - side;
    sheet.code(symbol, x, module);

    let mut left = Column { x: MARGIN, width: x - GUTTER - MARGIN, top: MARGIN };
    // The rule keeps its distance, or the quiet zone if that is larger.
    let quiet = (QUIET_ZONE * module).saturating_sub(RULE_DISTANCE);
    let mut right = Column { x, width: side, top: MARGIN + side + quiet };
    sheet.event(pass, &mut left);

    sheet.rule(&mut left, &mut right);
    let fields = [
        Some(("Holder", pass.holder)),
        Some(("Ticket type", pass.ticket_type)),
        pass.seat.map(|seat| ("Seat", seat)),
        Some(("Price", pass.price)),
    ];
    let fields: Vec<_> = fields.into_iter().flatten().collect();
    let mut top = left.top;
    for row in fields.chunks(2) {
        (left.top, right.top) = (top, top);
        for (column, (label, value)) in [&mut left, &mut right].into_iter().zip(row) {
            sheet.field(column, label, value);
        }
        top = left.top.max(right.top) + ROW_DISTANCE;
    }

    sheet.rule(&mut left, &mut right);
    sheet.text(&mut left, LABEL, &format!("Ticket {}", pass.id), 2);
    sheet.text(&mut right, LABEL, "Show the code at the entrance.", 2);
    sheet
}

impl Sheet {
    /// Draws the symbol at the top margin.
    fn code(&mut self, symbol: &Symbol, x: u16, module: u16) {
        self.code.extend(symbol.runs().into_iter().map(|run| Area {
            x: x + run.x * module,
            y: MARGIN + run.y * module,
            width: run.length * module,
            height: module,
        }));
    }

    /// Draws the title, the date and the venue.
    fn event(&mut self, pass: &Pass<'_>, column: &mut Column) {
        self.text(column, LABEL, "Admission ticket", 1);
        column.top += 110;
        self.title(column, pass.event);
        column.top += 150;
        self.text(column, DATE, pass.when, 3);
        if let Some(venue) = pass.venue {
            column.top += 90;
            self.text(column, VALUE, venue, 4);
        }
    }

    /// Draws the title at the largest size at which it fits; truncates it if it never fits.
    fn title(&mut self, column: &mut Column, title: &str) {
        let text = drawable(title);
        let sizes = TITLES.map(|(size, max_lines)| (Style { face: Face::Bold, size, shade: 0 }, max_lines));
        let whole = sizes.iter().find_map(|(style, max_lines)| {
            Some((*style, style.wrap_whole(&text, column.width, *max_lines)?))
        });
        let [.., (style, max_lines)] = sizes;
        let (style, lines) =
            whole.unwrap_or_else(|| (style, style.wrap_truncated(&text, column.width, max_lines)));
        self.lines(column, style, lines);
    }

    /// Draws a value below its label.
    fn field(&mut self, column: &mut Column, label: &str, value: &str) {
        self.text(column, LABEL, label, 1);
        column.top += 50;
        self.text(column, VALUE, value, 3);
    }

    /// Draws a text in at most `max_lines`.
    fn text(&mut self, column: &mut Column, style: Style, text: &str, max_lines: usize) {
        let lines = style.wrap_truncated(&drawable(text), column.width, max_lines);
        self.lines(column, style, lines);
    }

    /// Draws lines; the capitals of the first line touch the top of the column.
    fn lines(&mut self, column: &mut Column, style: Style, lines: Vec<Vec<char>>) {
        let mut y = column.top + style.ascent();
        for text in lines {
            self.lines.push(Line { x: column.x, y, style, text });
            column.top = y + style.descent();
            y += style.leading();
        }
    }

    /// Draws a rule across both columns, below their content.
    fn rule(&mut self, left: &mut Column, right: &mut Column) {
        let y = left.top.max(right.top) + RULE_DISTANCE;
        self.rules.push(Area { x: MARGIN, y, width: WIDTH - 2 * MARGIN, height: RULE_HEIGHT });
        (left.top, right.top) = (y + RULE_DISTANCE, y + RULE_DISTANCE);
    }
}

/// The file's objects.
const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const PAGE: Ref = Ref::new(3);
const CONTENT: Ref = Ref::new(4);
const INFO: Ref = Ref::new(5);
/// The name of each face on the page, and the first object of its font.
const FONTS: [(Face, Name<'static>, i32); 2] =
    [(Face::Regular, Name(b"F1"), 6), (Face::Bold, Name(b"F2"), 6 + FONT_OBJECTS)];
/// The number of objects of a font.
const FONT_OBJECTS: i32 = 5;
/// The character collection: characters are numbered by their glyphs.
const IDENTITY: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// Writes a PDF file of one page with this title.
pub(super) fn write(sheet: &Sheet, title: &str) -> Result<Vec<u8>> {
    let mut subsets = Vec::new();
    for (face, ..) in FONTS {
        let lines = sheet.lines.iter().filter(|line| line.style.face == face);
        subsets.push(face.subset(lines.flat_map(|line| line.text.iter().copied()))?);
    }
    let mut pdf = Pdf::new();
    let mut catalog = pdf.catalog(CATALOG);
    catalog.pages(PAGES);
    catalog.viewer_preferences().display_doc_title(true);
    catalog.finish();
    // In a title, an escape character would begin a language code.
    let title: String = title.chars().filter(|c| !c.is_control()).collect();
    pdf.document_info(INFO).title(TextStr(&title)).creator(TextStr("Tessera"));
    pdf.pages(PAGES).kids([PAGE]).count(1);

    let mut page = pdf.page(PAGE);
    page.parent(PAGES).contents(CONTENT);
    page.media_box(Rect::new(0.0, 0.0, points(WIDTH), points(HEIGHT)));
    page.resources().fonts().pairs(FONTS.map(|(_, name, first)| (name, Ref::new(first))));
    page.finish();
    for ((face, _, first), subset) in FONTS.into_iter().zip(&subsets) {
        embed(&mut pdf, (face, first), subset);
    }
    pdf.stream(CONTENT, &draw(sheet, &subsets).finish());
    Ok(pdf.finish())
}

/// Embeds a subset of a font, with a map from glyphs to characters, so that the text can be searched and copied.
fn embed(pdf: &mut Pdf, (face, first): (Face, i32), subset: &Subset) {
    let [font, glyphs, descriptor, to_unicode, file] = [0, 1, 2, 3, 4].map(|index| Ref::new(first + index));
    let name = subset_name(face, &subset.file);
    let name = Name(name.as_bytes());
    let mut type0 = pdf.type0_font(font);
    type0.base_font(name).encoding_predefined(Name(b"Identity-H"));
    type0.descendant_font(glyphs).to_unicode(to_unicode);
    type0.finish();

    let mut cid_font = pdf.cid_font(glyphs);
    cid_font.subtype(CidFontType::Type2).base_font(name).system_info(IDENTITY).font_descriptor(descriptor);
    cid_font.default_width(0.0).cid_to_gid_map_predefined(Name(b"Identity"));
    cid_font.widths().consecutive(0, subset.widths.iter().copied().map(f32::from));
    cid_font.finish();

    let [left, bottom, right, top] = subset.bounds.map(f32::from);
    let mut font_descriptor = pdf.font_descriptor(descriptor);
    font_descriptor.name(name).flags(FontFlags::NON_SYMBOLIC).bbox(Rect::new(left, bottom, right, top));
    font_descriptor
        .italic_angle(0.0)
        .ascent(top)
        .descent(bottom)
        .cap_height(f32::from(subset.capital_height));
    font_descriptor.stem_v(if face == Face::Bold { 140.0 } else { 80.0 }).font_file2(file);
    font_descriptor.finish();

    let mut map = UnicodeCmap::new(Name(b"Custom"), IDENTITY);
    let mut mapped = BTreeSet::new();
    for (character, glyph) in &subset.glyphs {
        // Two characters can share a glyph; it maps to the first of them.
        if mapped.insert(*glyph) {
            map.pair(*glyph, *character);
        }
    }
    pdf.cmap(to_unicode, &map.finish());
    let length = i32::try_from(subset.file.len()).unwrap_or(i32::MAX);
    pdf.stream(file, &subset.file).pair(Name(b"Length1"), length);
}

/// Returns the name of a subset: six letters that identify it, and the name of the font.
fn subset_name(face: Face, file: &[u8]) -> String {
    let hash = blake3::hash(file);
    let letters = hash.as_bytes().iter().take(6).map(|byte| char::from(b'A' + byte % 26));
    format!("{}+{}", letters.collect::<String>(), face.name())
}

/// Writes the content of the page as PDF operators.
fn draw(sheet: &Sheet, subsets: &[Subset]) -> Content {
    let mut content = Content::new();
    // One path that is filled once: separately filled shapes show seams on screens.
    fill(&mut content, &sheet.code, 0);
    fill(&mut content, &sheet.rules, 70);
    for line in &sheet.lines {
        let mut fonts = FONTS.into_iter().zip(subsets);
        let Some(((_, font, _), subset)) = fonts.find(|((face, ..), _)| *face == line.style.face) else {
            continue;
        };
        let glyphs = line.text.iter().filter_map(|c| subset.glyphs.get(c));
        let text: Vec<u8> = glyphs.flat_map(|glyph| glyph.to_be_bytes()).collect();
        content.begin_text().set_fill_gray(shade(line.style.shade)).set_font(font, points(line.style.size));
        content.next_line(points(line.x), points(HEIGHT.saturating_sub(line.y)));
        content.show(Str(&text)).end_text();
    }
    content
}

/// Fills rectangles in one shade.
fn fill(content: &mut Content, areas: &[Area], percent: u8) {
    content.set_fill_gray(shade(percent));
    for area in areas {
        let bottom = HEIGHT.saturating_sub(area.y + area.height);
        content.rect(points(area.x), points(bottom), points(area.width), points(area.height));
    }
    content.fill_nonzero();
}

/// Converts tenths of points to points.
#[allow(clippy::float_arithmetic, reason = "PDF lengths are floats; the layout is computed in integers")]
fn points(tenths: u16) -> f32 {
    f32::from(tenths) / 10.0
}

/// Converts a percentage to the range from 0 to 1.
#[allow(clippy::float_arithmetic, reason = "PDF shades are floats")]
fn shade(percent: u8) -> f32 {
    f32::from(percent) / 100.0
}
