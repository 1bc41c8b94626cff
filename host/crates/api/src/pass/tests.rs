//! The documents are read back as an entrance or a printer would read them.

use tessera_core::error::ErrorKind;

use super::page::{Area, HEIGHT, Line, MARGIN, Sheet, WIDTH};
use super::*;

/// As long as codes are: 136 characters.
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

/// Reads the one code in a picture.
fn read(width: usize, height: usize, pixel: impl FnMut(usize, usize) -> u8) -> String {
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, pixel);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    let (meta, code) = grids[0].decode().unwrap();
    assert_eq!(meta.ecc_level, 0, "level M is written as nought");
    code
}

/// Reads the code that rectangles make.
fn read_areas(width: usize, height: usize, areas: impl Iterator<Item = [usize; 4]>) -> String {
    let mut pixels = vec![u8::MAX; width * height];
    for [x, y, wide, high] in areas {
        for row in y..y + high {
            pixels[row * width + x..][..wide].fill(0);
        }
    }
    read(width, height, |x, y| pixels[y * width + x])
}

fn sheet(pass: &Pass<'_>) -> Sheet {
    page::lay_out(pass, &Symbol::of(pass.code).unwrap())
}

/// Asserts that nothing is drawn on the margins, and no text on another or near the code.
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
        let beside = text.x + text.width + QUIET * module <= first.x;
        assert!(beside || text.y >= bottom + QUIET * module, "{text:?}");
    }
}

fn area(line: &Line) -> Area {
    let width = u16::try_from(line.style.width(&line.text)).unwrap();
    let (rise, fall) = (line.style.rise(), line.style.fall());
    Area { x: line.x, y: line.y - rise, width, height: rise + fall }
}

fn apart(a: &Area, b: &Area) -> bool {
    a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_picture_reads_back_as_the_code() {
    let bytes = png(CODE).unwrap();
    let mut decoder = png::Decoder::new(std::io::Cursor::new(&bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    assert_eq!(reader.info().color_type, png::ColorType::Grayscale);
    assert_eq!(reader.info().bit_depth, png::BitDepth::One);
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();

    // Version 6 has 41 modules; the text would not fit it if it were not alphanumeric.
    let side = (41 + 2 * 4) * 8;
    assert_eq!(reader.info().size(), (side, side));
    let side = usize::try_from(side).unwrap();
    assert_eq!(pixels.len(), side * side);
    assert_eq!(read(side, side, |x, y| pixels[y * side + x]), CODE);
    let quiet = |at: usize| at < 32 || at >= side - 32;
    assert!((0..side * side).all(|i| pixels[i] == u8::MAX || !quiet(i % side) && !quiet(i / side)));
}

#[test]
fn a_drawing_reads_back_as_the_code() {
    let drawing = svg(CODE).unwrap();
    assert!(drawing.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 49 49\""));
    assert!(drawing.contains("<title>"));
    assert_eq!(drawing.matches("<path").count(), 1);
    let (_, path) = drawing.split_once("<path d=\"").unwrap();
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
    assert_eq!(read_areas(49 * scale, 49 * scale, runs), CODE);
}

#[test]
fn a_sheet_reads_back_as_the_code() {
    let sheet = sheet(&PASS);
    let scaled =
        |area: &Area| [area.x, area.y, area.width, area.height].map(|tenths| usize::from(tenths) / 10);
    let areas = sheet.code.iter().map(scaled).map(|[x, y, width, _]| [x, y, width + 1, 5]);
    assert_eq!(read_areas(596, 842, areas), CODE);
    let width = sheet.code.iter().map(|area| area.x + area.width).max().unwrap() - sheet.code[0].x;
    assert!((1_660..=1_701).contains(&width), "{width} tenths of points are not about 60 mm");
}

#[test]
fn a_sheet_is_one_page_with_everything_on_it() {
    let bytes = pdf(&PASS).unwrap();
    assert!(bytes.starts_with(b"%PDF-1."));
    assert!(bytes.ends_with(b"%%EOF") || bytes.ends_with(b"%%EOF\n"));
    for text in [
        "/Count 1",
        "/MediaBox [0 0 595.3 841.9]",
        "/Title (An Evening of Chamber Music)",
        "(Kleiner Saal, Hauptstrasse 5, Berlin)",
        "(Saturday 12 December 2026, 20:00)",
        "((Europe/Berlin))",
        "(Concession)",
        "(Row 4, seat 17)",
        "(Ada Lovelace)",
        "(24.50 EUR)",
        "(Ticket 0192f3a4-5b6c-7d8e-9f00-112233445566)",
    ] {
        assert!(contains(&bytes, text), "{text}");
    }
    check(&sheet(&PASS));
    assert_eq!(bytes, pdf(&PASS).unwrap());
}

#[test]
fn what_a_ticket_lacks_leaves_no_name_behind() {
    let bytes = pdf(&Pass { venue: None, seat: None, ..PASS }).unwrap();
    assert!(!contains(&bytes, "(Seat)"));
    assert!(contains(&bytes, "(Price)"));
    check(&sheet(&Pass { venue: None, seat: None, ..PASS }));
}

#[test]
fn no_text_runs_off_the_sheet_or_into_another() {
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
fn an_ordinary_title_of_255_characters_is_shown_whole() {
    let event = "Wanderungen durch die Mark ".repeat(10)[..255].trim_end().to_owned();
    let bytes: Vec<u8> =
        sheet(&Pass { event: &event, ..PASS }).lines.into_iter().flat_map(|line| line.text).collect();
    assert!(!bytes.contains(&font::ELLIPSIS));
}

#[test]
fn what_would_end_a_string_of_the_file_is_escaped() {
    let bytes = pdf(&Pass { event: "a) \\ (b", ..PASS }).unwrap();
    assert!(contains(&bytes, "/Title (a\\) \\\\ \\(b)"));
    assert!(contains(&bytes, "\n(a\\) \\\\ \\(b) Tj"));
    // Beyond ASCII, strings are hexadecimal; a name of the file keeps what the fonts lack.
    let bytes = pdf(&Pass { event: "Žižkov\u{1b} 東", holder: "Łódź €5", ..PASS }).unwrap();
    assert!(contains(&bytes, "/Title <FEFF017D0069017E006B006F007600206771>"));
    assert!(contains(&bytes, "<8E699E6B6F76203F> Tj"));
    assert!(contains(&bytes, "<4CF3647A208035> Tj"));
}

#[test]
fn characters_that_the_fonts_lack_lose_their_marks_first() {
    assert_eq!(font::encode("Az~ é\u{a0}ÿ"), b"Az~ \xe9\xa0\xff");
    assert_eq!(font::encode("€ „x“ – — … ™ Ž ž Ÿ"), b"\x80 \x84x\x93 \x96 \x97 \x85 \x99 \x8e \x9e \x9f");
    assert_eq!(font::encode("Łukasz Żółć, Dvořák, Ţuţea, Győr"), b"Lukasz Z\xf3lc, Dvor\xe1k, Tutea, Gyor");
    assert_eq!(font::encode("e\u{301}x\u{200b}y\u{ad}z"), b"exyz");
    assert_eq!(font::encode("a\r\n\tb\0\u{81}\u{2009}c"), b"a   b   c");
    assert_eq!(font::encode("Ω東🎟\u{fffd}"), b"????");
}

#[test]
fn a_code_that_no_symbol_holds_is_an_error() {
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
