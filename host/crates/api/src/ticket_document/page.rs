//! The printed sheet: where everything stands, and the file that says so.
//!
//! Lengths are tenths of points, counted from the upper left corner; they become PDF's own when written.

use std::collections::BTreeSet;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use tessera_core::error::Result;

use super::font::{Face, Part, drawn};
use super::symbol::Symbol;
use super::text::Style;
use super::{Pass, QUIET};

/// A4's width.
pub(super) const WIDTH: u16 = 5_953;
/// And its height.
pub(super) const HEIGHT: u16 = 8_419;
/// What stays free on each side: 20 mm, more than any printer needs.
pub(super) const MARGIN: u16 = 567;

/// The code's side: 60 mm, and what is missing to a whole number of tenths per module.
const CODE: u16 = 1_701;
/// Between columns; no less than the quiet zone of the smallest symbol.
const GUTTER: u16 = 340;
/// Between a rule and what stands over or under it.
const SPACE: u16 = 200;
/// Between a row of fields and the next.
const ROWS: u16 = 160;
/// How thick a rule is.
const RULE: u16 = 5;

/// Names of values, and what matters least.
const LABEL: Style = Style { face: Face::Regular, size: 85, shade: 45 };
/// What the ticket says.
const VALUE: Style = Style { face: Face::Regular, size: 120, shade: 0 };
/// What it says that must not be missed.
const WHEN: Style = Style { face: Face::Bold, size: 120, shade: 0 };

/// A title's sizes, each with the most lines that it may take: the first that shows it whole is taken.
const TITLES: [(u16, usize); 3] = [(240, 3), (180, 5), (140, 10)];

/// A line of text; `y` is the line that its letters stand on.
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

/// What is drawn.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) code: Vec<Area>,
    pub(super) rules: Vec<Area>,
    pub(super) lines: Vec<Line>,
}

/// A column to fill from the top.
struct Column {
    x: u16,
    width: u16,
    /// Where the next thing begins.
    top: u16,
}

/// Puts everything in its place: event and code on top, the ticket's own under a rule, its id at the end.
pub(super) fn lay_out(pass: &Pass<'_>, symbol: &Symbol) -> Sheet {
    let mut sheet = Sheet::default();
    let module = CODE / symbol.side();
    let side = module * symbol.side();
    let x = WIDTH - MARGIN - side;
    sheet.code(symbol, x, module);

    let mut left = Column { x: MARGIN, width: x - GUTTER - MARGIN, top: MARGIN };
    // The rule keeps its space, or the quiet zone if that is more.
    let quiet = (QUIET * module).saturating_sub(SPACE);
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
        top = left.top.max(right.top) + ROWS;
    }

    sheet.rule(&mut left, &mut right);
    sheet.text(&mut left, LABEL, &format!("Ticket {}", pass.id), 2);
    sheet.text(&mut right, LABEL, "Show the code at the entrance.", 2);
    sheet
}

impl Sheet {
    /// The symbol with its upper left corner at the top margin.
    fn code(&mut self, symbol: &Symbol, x: u16, module: u16) {
        self.code.extend(symbol.runs().into_iter().map(|run| Area {
            x: x + run.x * module,
            y: MARGIN + run.y * module,
            width: run.length * module,
            height: module,
        }));
    }

    /// What happens, when and where.
    fn event(&mut self, pass: &Pass<'_>, column: &mut Column) {
        self.text(column, LABEL, "Admission ticket", 1);
        column.top += 110;
        self.title(column, pass.event);
        column.top += 150;
        self.text(column, WHEN, pass.when, 3);
        if let Some(venue) = pass.venue {
            column.top += 90;
            self.text(column, VALUE, venue, 4);
        }
    }

    /// The title, as large as it can be whole; cut only if it never is.
    fn title(&mut self, column: &mut Column, title: &str) {
        let text = drawn(title);
        let sizes = TITLES.map(|(size, most)| (Style { face: Face::Bold, size, shade: 0 }, most));
        let whole =
            sizes.iter().find_map(|(style, most)| Some((*style, style.whole(&text, column.width, *most)?)));
        let [.., (style, most)] = sizes;
        let (style, lines) = whole.unwrap_or_else(|| (style, style.cut(&text, column.width, most)));
        self.lines(column, style, lines);
    }

    /// A value under its name.
    fn field(&mut self, column: &mut Column, label: &str, value: &str) {
        self.text(column, LABEL, label, 1);
        column.top += 50;
        self.text(column, VALUE, value, 3);
    }

    /// A text in at most that many lines.
    fn text(&mut self, column: &mut Column, style: Style, text: &str, most: usize) {
        let lines = style.cut(&drawn(text), column.width, most);
        self.lines(column, style, lines);
    }

    /// Lines one under the other; the capitals of the first reach up to the column's top.
    fn lines(&mut self, column: &mut Column, style: Style, lines: Vec<Vec<char>>) {
        let mut y = column.top + style.rise();
        for text in lines {
            self.lines.push(Line { x: column.x, y, style, text });
            column.top = y + style.fall();
            y += style.leading();
        }
    }

    /// A line across both columns, under what they hold.
    fn rule(&mut self, left: &mut Column, right: &mut Column) {
        let y = left.top.max(right.top) + SPACE;
        self.rules.push(Area { x: MARGIN, y, width: WIDTH - 2 * MARGIN, height: RULE });
        (left.top, right.top) = (y + SPACE, y + SPACE);
    }
}

/// The file's objects.
const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const PAGE: Ref = Ref::new(3);
const CONTENT: Ref = Ref::new(4);
const INFO: Ref = Ref::new(5);
/// What the page calls each face, and where the objects of its font begin.
const FONTS: [(Face, Name<'static>, i32); 2] =
    [(Face::Regular, Name(b"F1"), 6), (Face::Bold, Name(b"F2"), 6 + OF_FONT)];
/// How many objects a font has.
const OF_FONT: i32 = 5;
/// How characters are numbered in the file: by the glyphs that it has of a font.
const NUMBERING: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// The sheet as a file of one page, called `title`.
pub(super) fn write(sheet: &Sheet, title: &str) -> Result<Vec<u8>> {
    let mut parts = Vec::new();
    for (face, ..) in FONTS {
        let lines = sheet.lines.iter().filter(|line| line.style.face == face);
        parts.push(face.part(lines.flat_map(|line| line.text.iter().copied()))?);
    }
    let mut pdf = Pdf::new();
    let mut catalog = pdf.catalog(CATALOG);
    catalog.pages(PAGES);
    catalog.viewer_preferences().display_doc_title(true);
    catalog.finish();
    // An escape would begin the name of a language there.
    let title: String = title.chars().filter(|c| !c.is_control()).collect();
    pdf.document_info(INFO).title(TextStr(&title)).creator(TextStr("Tessera"));
    pdf.pages(PAGES).kids([PAGE]).count(1);

    let mut page = pdf.page(PAGE);
    page.parent(PAGES).contents(CONTENT);
    page.media_box(Rect::new(0.0, 0.0, points(WIDTH), points(HEIGHT)));
    page.resources().fonts().pairs(FONTS.map(|(_, name, first)| (name, Ref::new(first))));
    page.finish();
    for ((face, _, first), part) in FONTS.into_iter().zip(&parts) {
        embed(&mut pdf, (face, first), part);
    }
    pdf.stream(CONTENT, &draw(sheet, &parts).finish());
    Ok(pdf.finish())
}

/// Puts a part of a font into the file, and what its glyphs mean, so that the text can be searched and copied.
fn embed(pdf: &mut Pdf, (face, first): (Face, i32), part: &Part) {
    let [font, glyphs, descriptor, meanings, file] = [0, 1, 2, 3, 4].map(|place| Ref::new(first + place));
    let name = subset_name(face, &part.file);
    let name = Name(name.as_bytes());
    let mut written = pdf.type0_font(font);
    written.base_font(name).encoding_predefined(Name(b"Identity-H"));
    written.descendant_font(glyphs).to_unicode(meanings);
    written.finish();

    let mut written = pdf.cid_font(glyphs);
    written.subtype(CidFontType::Type2).base_font(name).system_info(NUMBERING).font_descriptor(descriptor);
    written.default_width(0.0).cid_to_gid_map_predefined(Name(b"Identity"));
    written.widths().consecutive(0, part.widths.iter().copied().map(f32::from));
    written.finish();

    let [left, below, right, above] = part.bounds.map(f32::from);
    let mut written = pdf.font_descriptor(descriptor);
    written.name(name).flags(FontFlags::NON_SYMBOLIC).bbox(Rect::new(left, below, right, above));
    written.italic_angle(0.0).ascent(above).descent(below).cap_height(f32::from(part.capital));
    written.stem_v(if face == Face::Bold { 140.0 } else { 80.0 }).font_file2(file);
    written.finish();

    let mut map = UnicodeCmap::new(Name(b"Custom"), NUMBERING);
    let mut named = BTreeSet::new();
    for (character, glyph) in &part.glyphs {
        // Two characters may look the same: the first is what is copied out of the page.
        if named.insert(*glyph) {
            map.pair(*glyph, *character);
        }
    }
    pdf.cmap(meanings, &map.finish());
    let length = i32::try_from(part.file.len()).unwrap_or(i32::MAX);
    pdf.stream(file, &part.file).pair(Name(b"Length1"), length);
}

/// What a part of a font is called: six letters that no other part has, and the font's name.
fn subset_name(face: Face, file: &[u8]) -> String {
    let hash = blake3::hash(file);
    let letters = hash.as_bytes().iter().take(6).map(|byte| char::from(b'A' + byte % 26));
    format!("{}+{}", letters.collect::<String>(), face.name())
}

/// What the page shows, in PDF's operators.
fn draw(sheet: &Sheet, parts: &[Part]) -> Content {
    let mut content = Content::new();
    // One path, filled once: between shapes filled one by one, screens show seams.
    fill(&mut content, &sheet.code, 0);
    fill(&mut content, &sheet.rules, 70);
    for line in &sheet.lines {
        let mut fonts = FONTS.into_iter().zip(parts);
        let Some(((_, font, _), part)) = fonts.find(|((face, ..), _)| *face == line.style.face) else {
            continue;
        };
        let glyphs = line.text.iter().filter_map(|c| part.glyphs.get(c));
        let text: Vec<u8> = glyphs.flat_map(|glyph| glyph.to_be_bytes()).collect();
        content.begin_text().set_fill_gray(shade(line.style.shade)).set_font(font, points(line.style.size));
        content.next_line(points(line.x), points(HEIGHT.saturating_sub(line.y)));
        content.show(Str(&text)).end_text();
    }
    content
}

/// Fills rectangles in one grey.
fn fill(content: &mut Content, areas: &[Area], grey: u8) {
    content.set_fill_gray(shade(grey));
    for area in areas {
        let bottom = HEIGHT.saturating_sub(area.y + area.height);
        content.rect(points(area.x), points(bottom), points(area.width), points(area.height));
    }
    content.fill_nonzero();
}

/// PDF's own unit.
#[allow(clippy::float_arithmetic, reason = "a file has points, and every place was found without")]
fn points(tenths: u16) -> f32 {
    f32::from(tenths) / 10.0
}

/// PDF's own measure of grey.
#[allow(clippy::float_arithmetic, reason = "a file has fractions of one")]
fn shade(percent: u8) -> f32 {
    f32::from(percent) / 100.0
}
