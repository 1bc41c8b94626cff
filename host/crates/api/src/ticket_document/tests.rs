//! The documents are decoded again, as a scanner or a PDF reader would.

use tessera_core::error::ErrorKind;

use super::page::{Area, HEIGHT, Line, MARGIN, Sheet, WIDTH};
use super::*;

/// A text with the length of codes: 136 characters.
const CODE: &str = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6DZPIZDGNBVGY3TQOJQMFRGGZDFMZTWQ2LKNNWG23TP\
    OBYXE43UOV3HO6DZPIZDGNBVGY3TQOJQMFRGGZDFMZTWQ2LKNNWG23TP";

const PASS: Pass<'static> = Pass {
    code: CODE,
    event: "An Evening of Chamber Music",
    venue: Some("Kleiner Saal, Hauptstrasse 5, Berlin"),
    when: "Saturday 12 December 2026, 20:00 (Europe/Berlin)",
    ticket_type: "Concession",
    seat: Some("Row 4, seat 17"),
    holder: "Ada Lovelace",
    price: "24.50 EUR",
    id: "0192f3a4-5b6c-7d8e-9f00-112233445566",
};

/// Decodes the only QR code in an image.
fn scan(width: usize, height: usize, pixel: impl FnMut(usize, usize) -> u8) -> String {
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, pixel);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    let (meta, code) = grids[0].decode().unwrap();
    assert_eq!(meta.ecc_level, 0, "level M is encoded as 0");
    code
}

/// Decodes the QR code that rectangles form.
fn scan_areas(width: usize, height: usize, areas: impl Iterator<Item = [usize; 4]>) -> String {
    let mut pixels = vec![u8::MAX; width * height];
    for [x, y, wide, high] in areas {
        for row in y..y + high {
            pixels[row * width + x..][..wide].fill(0);
        }
    }
    scan(width, height, |x, y| pixels[y * width + x])
}

fn sheet(pass: &Pass<'_>) -> Sheet {
    page::lay_out(pass, &Symbol::of(pass.code).unwrap())
}

/// Asserts that nothing is drawn on the margins, and that no text overlaps another or the quiet zone of the code.
fn check(sheet: &Sheet) {
    let areas = sheet.code.iter().chain(&sheet.rules).copied();
    let texts: Vec<Area> = sheet.lines.iter().map(area).collect();
    for area in areas.chain(texts.iter().copied()) {
        assert!(area.x >= MARGIN && area.x + area.width <= WIDTH - MARGIN, "{area:?}");
        assert!(area.y >= MARGIN && area.y + area.height <= HEIGHT - MARGIN, "{area:?}");
    }
    let first = sheet.code[0];
    let module = first.height;
    let bottom = sheet.code.iter().map(|area| area.y + area.height).max().unwrap();
    for (i, text) in texts.iter().enumerate() {
        assert!(texts[..i].iter().all(|other| apart(text, other)), "{text:?}");
        let beside = text.x + text.width + QUIET_ZONE * module <= first.x;
        assert!(beside || text.y >= bottom + QUIET_ZONE * module, "{text:?}");
    }
}

fn area(line: &Line) -> Area {
    let width = u16::try_from(line.style.width(&line.text)).unwrap();
    let (ascent, descent) = (line.style.ascent(), line.style.descent());
    Area { x: line.x, y: line.y - ascent, width, height: ascent + descent }
}

fn apart(a: &Area, b: &Area) -> bool {
    a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Extracts the lines of text of a file, through the current font and its map from glyphs to characters.
fn lines(pdf: &[u8]) -> Vec<String> {
    // Each byte becomes one character, so that binary parts do not matter.
    let file: String = pdf.iter().map(|byte| char::from(*byte)).collect();
    let between = |text: &str, begin: &str, end: &str| {
        let (_, rest) = text.split_once(begin)?;
        rest.split_once(end).map(|(inner, rest)| (inner.to_owned(), rest.to_owned()))
    };
    let (mut maps, mut rest) = (Vec::new(), file.clone());
    while let Some((map, after)) = between(&rest, "beginbfchar", "endbfchar\nendcmap") {
        let pairs = map.lines().filter_map(|line| between(line, "<", ">"));
        let pairs = pairs.filter_map(|(glyph, rest)| Some((glyph, between(&rest, "<", ">")?.0)));
        let character = |hex: &str| char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap();
        let pairs = pairs.map(|(glyph, hex)| (u16::from_str_radix(&glyph, 16).unwrap(), character(&hex)));
        maps.push(pairs.collect::<std::collections::BTreeMap<_, _>>());
        rest = after;
    }
    assert_eq!(maps.len(), 2);
    let (mut lines, mut rest) = (Vec::new(), file);
    while let Some((text, after)) = between(&rest, "BT\n", "\nET") {
        let font = usize::from(text.contains("/F2 "));
        let operand = text.lines().find_map(|line| line.strip_suffix(" Tj")).unwrap_or_default();
        let bytes = string(operand);
        let glyphs = bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        lines.push(glyphs.map(|glyph| maps[font][&glyph]).collect());
        rest = after;
    }
    lines
}

/// Decodes a string of a file.
fn string(encoded: &str) -> Vec<u8> {
    if let Some(hex) = encoded.strip_prefix('<').and_then(|hex| hex.strip_suffix('>')) {
        return (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
    }
    let inner = encoded.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap();
    let (mut bytes, mut rest) = (Vec::new(), inner.chars().map(|c| u8::try_from(u32::from(c)).unwrap()));
    while let Some(byte) = rest.next() {
        let escaped = (byte == b'\\').then(|| rest.next().unwrap());
        bytes.push(match escaped {
            None => byte,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(first @ b'0'..=b'7') => {
                let digits = [first, rest.next().unwrap(), rest.next().unwrap()];
                digits.into_iter().fold(0, |sum, digit| sum * 8 + (digit - b'0'))
            }
            Some(other) => other,
        });
    }
    bytes
}

#[test]
fn png_decodes_to_the_code() {
    let bytes = png(CODE).unwrap();
    let mut decoder = png::Decoder::new(std::io::Cursor::new(&bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    assert_eq!(reader.info().color_type, png::ColorType::Grayscale);
    assert_eq!(reader.info().bit_depth, png::BitDepth::One);
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();

    // Version 6 has 41 modules; the text fits only because it is alphanumeric.
    let side = (41 + 2 * 4) * 8;
    assert_eq!(reader.info().size(), (side, side));
    let side = usize::try_from(side).unwrap();
    assert_eq!(pixels.len(), side * side);
    assert_eq!(scan(side, side, |x, y| pixels[y * side + x]), CODE);
    let is_quiet = |at: usize| at < 32 || at >= side - 32;
    assert!((0..side * side).all(|i| pixels[i] == u8::MAX || !is_quiet(i % side) && !is_quiet(i / side)));
}

#[test]
fn svg_decodes_to_the_code() {
    let image = svg(CODE).unwrap();
    assert!(image.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 49 49\""));
    assert!(image.contains("<title>"));
    assert_eq!(image.matches("<path").count(), 1);
    let (_, path) = image.split_once("<path d=\"").unwrap();
    let (path, _) = path.split_once('"').unwrap();
    let scale = 8;
    let runs = path.split_terminator('z').map(|run| {
        let (x, rest) = run.strip_prefix('M').unwrap().split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        let (right, left) = rest.split_once("v1h-").unwrap();
        assert_eq!(right, left);
        let [x, y, length] = [x, y, right].map(|number| number.parse::<usize>().unwrap() * scale);
        [x, y, length, scale]
    });
    assert_eq!(scan_areas(49 * scale, 49 * scale, runs), CODE);
}

#[test]
fn sheet_decodes_to_the_code() {
    let sheet = sheet(&PASS);
    let scaled =
        |area: &Area| [area.x, area.y, area.width, area.height].map(|tenths| usize::from(tenths) / 10);
    let areas = sheet.code.iter().map(scaled).map(|[x, y, width, _]| [x, y, width + 1, 5]);
    assert_eq!(scan_areas(596, 842, areas), CODE);
    let width = sheet.code.iter().map(|area| area.x + area.width).max().unwrap() - sheet.code[0].x;
    assert!((1_660..=1_701).contains(&width), "{width} tenths of points are not about 60 mm");
}

#[test]
fn pdf_is_one_page_with_all_fields() {
    let bytes = pdf(&PASS).unwrap();
    assert!(bytes.starts_with(b"%PDF-1."));
    assert!(bytes.ends_with(b"%%EOF") || bytes.ends_with(b"%%EOF\n"));
    for text in [
        "/Count 1",
        "/MediaBox [0 0 595.3 841.9]",
        "/Title (An Evening of Chamber Music)",
        "/Length1 ",
        "+Arimo-Bold",
    ] {
        assert!(contains(&bytes, text), "{text}");
    }
    let lines = lines(&bytes);
    for text in [
        "Kleiner Saal, Hauptstrasse 5, Berlin",
        "Saturday 12 December 2026, 20:00",
        "(Europe/Berlin)",
        "Concession",
        "Row 4, seat 17",
        "Ada Lovelace",
        "24.50 EUR",
        "Ticket 0192f3a4-5b6c-7d8e-9f00-112233445566",
    ] {
        assert!(lines.iter().any(|line| line == text), "{text}: {lines:?}");
    }
    assert!(bytes.len() < 50_000, "{} bytes", bytes.len());
    check(&sheet(&PASS));
    assert_eq!(bytes, pdf(&PASS).unwrap());
}

#[test]
fn absent_fields_have_no_label() {
    let bytes = pdf(&Pass { venue: None, seat: None, ..PASS }).unwrap();
    let lines = lines(&bytes);
    assert!(!lines.contains(&"Seat".to_owned()) && lines.contains(&"Price".to_owned()), "{lines:?}");
    check(&sheet(&Pass { venue: None, seat: None, ..PASS }));
}

#[test]
fn texts_stay_on_the_sheet_and_do_not_overlap() {
    let texts = [
        "W".repeat(255),
        "a ".repeat(128),
        "Wanderungen durch die Mark ".repeat(10),
        "() \\ )( ((".repeat(26),
        "Ω東京🎟".repeat(64),
        "…—€ ".repeat(64),
        "W".repeat(100_000),
        "\n\t\u{1b}\u{ad}".into(),
        String::new(),
    ];
    for text in &texts {
        let event = text.as_str();
        check(&sheet(&Pass { event, ..PASS }));
        let pass = Pass {
            venue: Some(event),
            when: event,
            ticket_type: event,
            seat: Some(event),
            holder: event,
            price: event,
            id: event,
            event,
            ..PASS
        };
        check(&sheet(&pass));
        check(&sheet(&Pass { code: "A", ..pass }));
        check(&sheet(&Pass { code: &"A".repeat(3_000), ..pass }));
    }
}

#[test]
fn title_of_255_characters_is_not_truncated() {
    let event = "Wanderungen durch die Mark ".repeat(10)[..255].trim_end().to_owned();
    let mut lines = sheet(&Pass { event: &event, ..PASS }).lines.into_iter();
    assert!(lines.all(|line| !line.text.contains(&font::ELLIPSIS)));
}

#[test]
fn pdf_strings_are_escaped() {
    let bytes = pdf(&Pass { event: "a) \\ (b", ..PASS }).unwrap();
    assert!(contains(&bytes, "/Title (a\\) \\\\ \\(b)"));
    assert!(lines(&bytes).contains(&"a) \\ (b".to_owned()));
    // Strings that are not ASCII are hexadecimal; the title keeps characters that the fonts do not have.
    let bytes = pdf(&Pass { event: "Žižkov\u{1b} 東", ..PASS }).unwrap();
    assert!(contains(&bytes, "/Title <FEFF017D0069017E006B006F007600206771>"));
    assert!(lines(&bytes).contains(&"Žižkov ?".to_owned()));
}

#[test]
fn european_names_are_printed_unchanged() {
    let pass = Pass {
        event: "Večer komorní hudby",
        venue: Some("Філармонія, Київ"),
        ticket_type: "Μειωμένο",
        seat: Some("Ряд 4, место 17"),
        holder: "Łukasz Żółć, Łódź",
        price: "₴ 250",
        ..PASS
    };
    let lines = lines(&pdf(&pass).unwrap());
    for text in [pass.event, "Філармонія, Київ", pass.ticket_type, "Ряд 4, место 17", pass.holder, pass.price]
    {
        assert!(lines.iter().any(|line| line == text), "{text}: {lines:?}");
    }
    check(&sheet(&pass));
}

#[test]
fn missing_character_is_decomposed_or_replaced() {
    let drawable = |text: &str| font::drawable(text).into_iter().collect::<String>();
    for text in ["Az~ é\u{a0}ÿ", "€ „x“ – — … ™ Ž ž Ÿ", "Dvořák, Ţuţea, Győr, Nguyễn", "Ωώ Ёж ґ"]
    {
        assert_eq!(drawable(text), text);
    }
    // Letters are composed with their marks.
    assert_eq!(drawable("Lo\u{301}dz\u{301} \u{304}x\u{200b}y\u{ad}z"), "Lódź xyz");
    assert_eq!(drawable("a\r\n\tb\0\u{81}\u{2009}c"), "a   b   c");
    assert_eq!(drawable("ＡＢ① ﬃ"), "AB1 ffi");
    assert_eq!(drawable("東🎟ش"), "???");
}

#[test]
fn faces_have_the_same_characters() {
    let supported = |face: font::Face| {
        let all = ('\u{20}'..'\u{2600}').filter(move |c| face.width(&[*c]) > 0);
        all.collect::<Vec<_>>()
    };
    let [regular, bold] = font::Face::ALL.map(supported);
    assert!(regular.len() > 1_700, "{}", regular.len());
    assert_eq!(regular, bold);
}

#[test]
fn oversized_code_is_an_error() {
    // The largest symbol holds 3391 alphanumeric characters at this level.
    assert!(png(&"A".repeat(3_391)).is_ok());
    let code = "A".repeat(3_392);
    let errors =
        [png(&code).err(), svg(&code).err(), pdf(&Pass { code: &code, ..PASS }).err()].map(Option::unwrap);
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.cause().is_some());
    }
}
