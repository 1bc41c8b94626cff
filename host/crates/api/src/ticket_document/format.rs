//! Tickets as documents: which one is asked for, and what stands on a page.

use jiff::tz::TimeZone;
use tessera_core::catalog::{Event, Venue};
use tessera_core::id::TicketId;
use tessera_core::money::exponent;
use tessera_core::value::Money;
use tessera_core::{App, Ctx, Error, Result, Timestamp};

use crate::ticket_document::{Pass, pdf, png, svg};

/// The time zone of an event that names none.
const UTC: &str = "UTC";

/// The name of what is no document.
const JSON: &str = "json";

/// As what a ticket is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// Its code as a picture of dots.
    Png,
    /// Its code as a picture of lines.
    Svg,
    /// A page with all that its holder needs.
    Pdf,
}

impl Format {
    const ALL: [Self; 3] = [Self::Png, Self::Svg, Self::Pdf];

    /// Its name.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Pdf => "pdf",
        }
    }

    /// Its media type.
    #[must_use]
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Svg => "image/svg+xml",
            Self::Pdf => "application/pdf",
        }
    }

    /// Reads what a client who prints sent in `field`; empty: a page.
    pub(crate) fn parse(field: &str, text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::Pdf);
        }
        let named = Self::named(text);
        named.ok_or_else(|| Error::invalid(field, format!("is {text:?}; png, svg or pdf is expected")))
    }

    /// Reads what a client who looks at a ticket sent in `field`; none: JSON.
    pub(crate) fn parse_or_json(field: &str, text: &str) -> Result<Option<Self>> {
        let named = if text == JSON { Some(None) } else { Self::named(text).map(Some) };
        named.ok_or_else(|| Error::invalid(field, format!("is {text:?}; json, png, svg or pdf is expected")))
    }

    fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == text)
    }

    /// The format that `Accept` headers prefer; `None` for JSON and for unknown types.
    pub(crate) fn accepted<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut best = (0, None);
        for range in headers.flat_map(|header| header.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let Some(format) = Self::of_range(media) else { continue };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, thousandths);
            // Of equals the first counts.
            if weight > best.0 {
                best = (weight, format);
            }
        }
        best.1
    }

    /// The format that a media range stands for, or JSON; none: neither.
    fn of_range(media: &str) -> Option<Option<Self>> {
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

/// A weight of 0 to 1 with at most three decimals, in thousandths; what is none counts nothing.
fn thousandths(text: &str) -> u32 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{decimals:0<3}");
    if decimals.len() > 3 {
        0
    } else {
        digits.parse().ok().filter(|weight| *weight <= 1_000).unwrap_or_default()
    }
}

/// A ticket's document.
pub(crate) async fn print(app: &App, ctx: &Ctx, id: TicketId, format: Format) -> Result<Vec<u8>> {
    let (ticket, code) = app.tickets.printed(ctx, id).await?;
    let code = code.0;
    match format {
        Format::Png => png(&code),
        Format::Svg => svg(&code).map(String::into_bytes),
        Format::Pdf => {
            let event = app.events.get(ctx, ticket.event).await?;
            let (ticket_type, _) = app.ticket_types.get(ctx, ticket.ticket_type).await?;
            let venue = match event.attributes.venue {
                Some(venue) => Some(place(&app.venues.get(ctx, venue).await?)),
                None => None,
            };
            pdf(&Pass {
                code: &code,
                event: &event.attributes.title,
                venue: venue.as_deref(),
                when: &begins(&event)?,
                ticket_type: &ticket_type.attributes.name,
                seat: ticket.seat.as_ref().map(|seat| seat.label.as_str()),
                holder: &ticket.holder,
                price: &price(&ticket.price),
                id: &ticket.id.to_string(),
            })
        }
    }
}

fn place(venue: &Venue) -> String {
    let text = &venue.attributes;
    [text.name.as_str(), &text.address, &text.city].join(", ")
}

/// When an event begins, by the clocks of the place.
fn begins(event: &Event) -> Result<String> {
    local(event.attributes.starts_at, event.attributes.time_zone.as_deref().unwrap_or(UTC))
}

fn local(at: Timestamp, zone: &str) -> Result<String> {
    let time_zone = TimeZone::get(zone).map_err(Error::internal)?;
    let at = jiff::Timestamp::from_microsecond(at.micros()).map_err(Error::internal)?;
    Ok(format!("{} ({zone})", at.to_zoned(time_zone).strftime("%A %-d %B %Y, %H:%M")))
}

/// An amount as people write it: 1250 minor units are 12.50 EUR.
fn price(money: &Money) -> String {
    let decimals = usize::from(exponent(&money.currency).unwrap_or_default());
    let sign = if money.amount < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", money.amount.unsigned_abs(), width = decimals + 1);
    let (whole, rest) = digits.split_at(digits.len() - decimals);
    let point = if decimals > 0 { "." } else { "" };
    format!("{sign}{whole}{point}{rest} {}", money.currency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_what_it_likes_best() {
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
    fn formats_are_known_by_name() {
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
    fn a_page_has_the_time_of_the_place() {
        let at = Timestamp::parse("t", "2026-12-12T19:00:00Z").unwrap();
        assert_eq!(local(at, "Europe/Berlin").unwrap(), "Saturday 12 December 2026, 20:00 (Europe/Berlin)");
        assert_eq!(local(at, UTC).unwrap(), "Saturday 12 December 2026, 19:00 (UTC)");
        let summer = Timestamp::parse("t", "2026-07-01T23:30:00Z").unwrap();
        assert_eq!(local(summer, "Asia/Kolkata").unwrap(), "Thursday 2 July 2026, 05:00 (Asia/Kolkata)");
    }

    #[test]
    fn prices_have_the_decimals_of_their_currencies() {
        let text = |amount, currency: &str| price(&Money { amount, currency: currency.to_owned() });
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
