//! Renders tickets: the code as an image, and a page to print.
//!
//! Authorization and the content of codes are decided elsewhere; this module receives texts as they are shown and
//! returns documents. The same ticket always gives the same bytes.

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

/// The width of the quiet zone around a code, in modules; scanners require it.
const QUIET_ZONE: u16 = 4;
/// The side of a module, in pixels. Eight pixels of one bit are one byte, so a module is one byte.
const MODULE_PIXELS: u16 = 8;

/// The texts of a printed ticket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass<'a> {
    /// The signed code, which the entrance scans.
    pub(crate) code: &'a str,
    /// The event's title.
    pub(crate) event: &'a str,
    /// Name, address and city of the venue.
    pub(crate) venue: Option<&'a str>,
    /// The start of the event, in local time.
    pub(crate) when: &'a str,
    /// The name of the ticket type.
    pub(crate) ticket_type: &'a str,
    /// The label of the seat; `None` without a seat.
    pub(crate) seat: Option<&'a str>,
    /// The holder.
    pub(crate) holder: &'a str,
    /// The price, with the currency.
    pub(crate) price: &'a str,
    /// The ticket's id.
    pub(crate) id: &'a str,
}

/// Renders the code as a black and white PNG image.
pub(crate) fn png(code: &str) -> Result<Vec<u8>> {
    let symbol = Symbol::of(code)?;
    let side = u32::from((symbol.side() + 2 * QUIET_ZONE) * MODULE_PIXELS);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().map_err(Error::internal)?;
    writer.write_image_data(&pixels(&symbol)).map_err(Error::internal)?;
    writer.finish().map_err(Error::internal)?;
    Ok(bytes)
}

/// Returns the pixels of a symbol, one bit each, with the quiet zone.
fn pixels(symbol: &Symbol) -> Vec<u8> {
    let (pixels, quiet) = (usize::from(MODULE_PIXELS), usize::from(QUIET_ZONE));
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

/// Renders the code as an SVG image; a module is one unit wide.
pub(crate) fn svg(code: &str) -> Result<String> {
    let symbol = Symbol::of(code)?;
    let side = symbol.side() + 2 * QUIET_ZONE;
    let mut path = String::new();
    for run in symbol.runs() {
        let (x, y, length) = (run.x + QUIET_ZONE, run.y + QUIET_ZONE, run.length);
        write!(path, "M{x} {y}h{length}v1h-{length}z").map_err(Error::internal)?;
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\" role=\"img\"><title>QR code of an admission ticket</title>\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>"
    ))
}

/// Renders the ticket as a PDF page of size A4.
pub(crate) fn pdf(pass: &Pass<'_>) -> Result<Vec<u8>> {
    let symbol = Symbol::of(pass.code)?;
    page::write(&page::lay_out(pass, &symbol), pass.event)
}
