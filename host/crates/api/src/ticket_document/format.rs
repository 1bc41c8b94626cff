//! The formats of ticket documents, and the texts of a page.

use jiff::tz::TimeZone;
use tessera_core::catalog::{Event, Venue};
use tessera_core::id::TicketId;
use tessera_core::money::exponent;
use tessera_core::value::Money;
use tessera_core::{App, Ctx, Error, Result, Timestamp};

use crate::ticket_document::{Pass, pdf, png, svg};

/// The time zone of an event without one.
const UTC: &str = "UTC";

/// The name of the JSON form, which is not a document.
const JSON: &str = "json";

/// The format of a ticket document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// The code as a bitmap image.
    Png,
    /// The code as a vector image.
    Svg,
    /// A page to print.
    Pdf,
}

impl Format {
    const ALL: [Self; 3] = [Self::Png, Self::Svg, Self::Pdf];

    /// Returns the name of the format.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Pdf => "pdf",
        }
    }

    /// Returns the media type of the format.
    #[must_use]
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Svg => "image/svg+xml",
            Self::Pdf => "application/pdf",
        }
    }

    /// Parses a format; PDF if the text is empty.
    pub(crate) fn parse(field: &str, text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::Pdf);
        }
        let format = Self::from_name(text);
        format.ok_or_else(|| Error::invalid(field, format!("is {text:?}; png, svg or pdf is expected")))
    }

    /// Parses a format or `json`, which gives `None`.
    pub(crate) fn parse_or_json(field: &str, text: &str) -> Result<Option<Self>> {
        let format = if text == JSON { Some(None) } else { Self::from_name(text).map(Some) };
        format.ok_or_else(|| Error::invalid(field, format!("is {text:?}; json, png, svg or pdf is expected")))
    }

    fn from_name(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == text)
    }

    /// Returns the format that `Accept` headers prefer; `None` for JSON and for unknown types.
    pub(crate) fn accepted<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut best = (0, None);
        for range in headers.flat_map(|header| header.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let Some(format) = Self::from_media_range(media) else { continue };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, parse_weight);
            // Of equal weights, the first wins.
            if weight > best.0 {
                best = (weight, format);
            }
        }
        best.1
    }

    /// Returns the format of a media range, or `Some(None)` for JSON; `None` if the range is unknown.
    fn from_media_range(media: &str) -> Option<Option<Self>> {
        let is = |name: &str| name.eq_ignore_ascii_case(media);
        if ["application/json", "application/*", "*/*"].into_iter().any(is) {
            return Some(None);
        }
        if is("image/*") {
            return Some(Some(Self::Png));
        }
        Self::ALL.into_iter().find(|format| is(format.media_type())).map(Some)
    }
}

/// Parses a weight from 0 to 1 with at most three decimals, in thousandths; a malformed weight is 0.
fn parse_weight(text: &str) -> u32 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{decimals:0<3}");
    if decimals.len() > 3 {
        0
    } else {
        digits.parse().ok().filter(|weight| *weight <= 1_000).unwrap_or_default()
    }
}

/// Renders a ticket in a format.
pub(crate) async fn render(app: &App, ctx: &Ctx, id: TicketId, format: Format) -> Result<Vec<u8>> {
    let (ticket, code) = app.tickets.printed(ctx, id).await?;
    let code = code.0;
    match format {
        Format::Png => png(&code),
        Format::Svg => svg(&code).map(String::into_bytes),
        Format::Pdf => {
            let event = app.events.get(ctx, ticket.event).await?;
            let (ticket_type, _) = app.ticket_types.get(ctx, ticket.ticket_type, "").await?;
            let venue = match event.attributes.venue {
                Some(venue) => Some(venue_line(&app.venues.get(ctx, venue).await?)),
                None => None,
            };
            pdf(&Pass {
                code: &code,
                event: &event.attributes.title,
                venue: venue.as_deref(),
                when: &local_start(&event)?,
                ticket_type: &ticket_type.attributes.name,
                seat: ticket.seat.as_ref().map(|seat| seat.label.as_str()),
                holder: &ticket.holder,
                price: &format_price(&ticket.price),
                id: &ticket.id.to_string(),
            })
        }
    }
}

fn venue_line(venue: &Venue) -> String {
    let attributes = &venue.attributes;
    [attributes.name.as_str(), &attributes.address, &attributes.city].join(", ")
}

/// Formats the start of an event in its time zone.
fn local_start(event: &Event) -> Result<String> {
    local_time(event.attributes.starts_at, event.attributes.time_zone.as_deref().unwrap_or(UTC))
}

fn local_time(at: Timestamp, zone: &str) -> Result<String> {
    let time_zone = TimeZone::get(zone).map_err(Error::internal)?;
    let at = jiff::Timestamp::from_microsecond(at.micros()).map_err(Error::internal)?;
    Ok(format!("{} ({zone})", at.to_zoned(time_zone).strftime("%A %-d %B %Y, %H:%M")))
}

/// Formats an amount: 1250 minor units are 12.50 EUR.
fn format_price(money: &Money) -> String {
    let decimals = usize::from(exponent(&money.currency).unwrap_or_default());
    let sign = if money.amount < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", money.amount.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let point = if decimals > 0 { "." } else { "" };
    format!("{sign}{whole}{point}{fraction} {}", money.currency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_header_selects_the_preferred_format() {
        let accepted = |header: &'static str| Format::accepted([header].into_iter());
        assert_eq!(accepted("image/png"), Some(Format::Png));
        assert_eq!(accepted("image/*"), Some(Format::Png));
        assert_eq!(accepted("text/html, Application/PDF;q=0.9, */*;q=0.8"), Some(Format::Pdf));
        assert_eq!(accepted("image/png;q=0.5, image/svg+xml;q=0.75"), Some(Format::Svg));
        for json in ["", "*/*", "application/json, image/png", "image/png;q=0", "image/png;q=2", "text/html"]
        {
            assert_eq!(accepted(json), None, "{json}");
        }
        assert_eq!(Format::accepted(["text/html", "image/png"].into_iter()), Some(Format::Png));
    }

    #[test]
    fn formats_are_parsed_by_name() {
        for format in Format::ALL {
            assert_eq!(Format::parse("format", format.name()).unwrap(), format);
        }
        assert_eq!(Format::parse("format", "").unwrap(), Format::Pdf);
        for (refused, allowed) in [
            (Format::parse("format", "json").unwrap_err(), "; png, svg or pdf is expected"),
            (Format::parse_or_json("format", "gif").unwrap_err(), "; json, png, svg or pdf is expected"),
        ] {
            let fault = &refused.faults()[0];
            assert!(fault.field == "format" && fault.message.ends_with(allowed), "{fault:?}");
        }
        assert_eq!(Format::parse_or_json("format", "json").unwrap(), None);
        assert_eq!(Format::parse_or_json("format", "svg").unwrap(), Some(Format::Svg));
    }

    #[test]
    fn local_time_uses_the_time_zone() {
        let at = Timestamp::parse("t", "2026-12-12T19:00:00Z").unwrap();
        assert_eq!(
            local_time(at, "Europe/Berlin").unwrap(),
            "Saturday 12 December 2026, 20:00 (Europe/Berlin)"
        );
        assert_eq!(local_time(at, UTC).unwrap(), "Saturday 12 December 2026, 19:00 (UTC)");
        let summer = Timestamp::parse("t", "2026-07-01T23:30:00Z").unwrap();
        assert_eq!(local_time(summer, "Asia/Kolkata").unwrap(), "Thursday 2 July 2026, 05:00 (Asia/Kolkata)");
    }

    #[test]
    fn prices_have_the_decimals_of_their_currencies() {
        let text = |amount, currency: &str| format_price(&Money { amount, currency: currency.to_owned() });
        for (amount, currency, expected) in [
            (1_250, "EUR", "12.50 EUR"),
            (5, "EUR", "0.05 EUR"),
            (0, "EUR", "0.00 EUR"),
            (-1_250, "EUR", "-12.50 EUR"),
            (1_250, "JPY", "1250 JPY"),
            (1_250, "KWD", "1.250 KWD"),
        ] {
            assert_eq!(text(amount, currency), expected);
        }
    }
}
