//! A ticket on paper and on a screen: its code as a picture, and the sheet that its holder prints.
//!
//! Nothing is decided here, neither who may have the documents nor what a code says: texts come in as they
//! are shown, documents go out. The same ticket always makes the same bytes.

mod font;
pub(crate) mod format;
mod page;
mod symbol;
#[cfg(test)]
mod tests;
mod text;

use std::fmt::Write as _;

use tessera_core::error::{Error, Result};

use self::symbol::Symbol;

/// How many light modules stand around a code; readers count on them.
const QUIET: u16 = 4;
/// The pixels of a module's side. Eight of one bit each fill a byte, so a module is a byte.
const PIXELS: u16 = 8;

/// What a printed ticket shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass<'a> {
    /// The signed text that the entrance reads.
    pub(crate) code: &'a str,
    /// The event's title.
    pub(crate) event: &'a str,
    /// Name, address and city in one line.
    pub(crate) venue: Option<&'a str>,
    /// The local time, in words.
    pub(crate) when: &'a str,
    /// The title of the ticket's type.
    pub(crate) ticket_type: &'a str,
    /// Where to sit; none: anywhere.
    pub(crate) seat: Option<&'a str>,
    /// Whom it admits.
    pub(crate) holder: &'a str,
    /// What was paid, with the currency.
    pub(crate) price: &'a str,
    /// The ticket's id.
    pub(crate) id: &'a str,
}

/// The code as a picture of black and white pixels.
pub(crate) fn png(code: &str) -> Result<Vec<u8>> {
    let symbol = Symbol::of(code)?;
    let side = u32::from((symbol.side() + 2 * QUIET) * PIXELS);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().map_err(Error::internal)?;
    writer.write_image_data(&pixels(&symbol)).map_err(Error::internal)?;
    writer.finish().map_err(Error::internal)?;
    Ok(bytes)
}

/// A symbol's pixels, a bit each, with the quiet zone around them.
fn pixels(symbol: &Symbol) -> Vec<u8> {
    let (pixels, quiet) = (usize::from(PIXELS), usize::from(QUIET));
    let width = usize::from(symbol.side()) + 2 * quiet;
    let margin = vec![u8::MAX; width * pixels * quiet];
    let mut image = margin.clone();
    for row in symbol.rows() {
        let mut line = vec![u8::MAX; quiet];
        line.extend(row.map(|dark| if dark { 0 } else { u8::MAX }));
        line.resize(width, u8::MAX);
        image.extend(line.repeat(pixels));
    }
    image.extend(margin);
    image
}

/// The code as a drawing, a module wide one unit.
pub(crate) fn svg(code: &str) -> Result<String> {
    let symbol = Symbol::of(code)?;
    let side = symbol.side() + 2 * QUIET;
    let mut path = String::new();
    for run in symbol.runs() {
        let (x, y, length) = (run.x + QUIET, run.y + QUIET, run.length);
        write!(path, "M{x} {y}h{length}v1h-{length}z").map_err(Error::internal)?;
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\" role=\"img\"><title>QR code of an admission ticket</title>\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>"
    ))
}

/// The ticket as a sheet of A4 to print.
pub(crate) fn pdf(pass: &Pass<'_>) -> Result<Vec<u8>> {
    let symbol = Symbol::of(pass.code)?;
    page::write(&page::lay_out(pass, &symbol), pass.event)
}
