//! Tickets as documents: PNG and SVG images of the code, and a PDF page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;

use super::{buy, sold};
use crate::harness::Rest;
use crate::operations::rpc;
use crate::reservations::create;
use crate::tracker::{done, memory};

/// Fetches a document: its media type, its other headers as text, and its bytes.
async fn document(rest: &Rest, path: &str, accept: Option<&str>) -> (String, String, Vec<u8>) {
    let mut request = rest.request(Method::GET, path);
    if let Some(accept) = accept {
        request = request.header("accept", accept);
    }
    let response = request.send().await.unwrap();
    let headers = response.headers().clone();
    assert_eq!(response.status().as_u16(), 200, "{path}");
    let header =
        |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let rest = format!("{}; {}", header("cache-control"), header("content-disposition"));
    (header("content-type"), rest, response.bytes().await.unwrap().to_vec())
}

fn looks_like(format: &str, bytes: &[u8]) -> bool {
    match format {
        "png" => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
        "pdf" => bytes.starts_with(b"%PDF-") && bytes.trim_ascii_end().ends_with(b"%%EOF"),
        _ => std::str::from_utf8(bytes).is_ok_and(|text| text.contains("<svg") && text.contains("</svg>")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ticket_is_printed_in_the_requested_format() {
    let (_home, host, rest) = memory().await;
    let sold = sold(&rest, 1, json!({})).await;
    let (path, grpc) = (format!("/v1/tickets/{}", sold.id(0)), host.grpc().await);
    for (format, media) in [("png", "image/png"), ("svg", "image/svg+xml"), ("pdf", "application/pdf")] {
        let named = document(&rest, &format!("{path}?format={format}"), None).await;
        assert_eq!(named.0, media);
        let headers = format!("private, no-store; inline; filename=\"ticket-{}.{format}\"", sold.id(0));
        assert_eq!(named.1, headers);
        assert!(looks_like(format, &named.2), "{format}");
        assert_eq!(document(&rest, &path, Some(&format!("text/html, {media};q=0.9"))).await, named);
        assert_eq!(document(&rest, &format!("{path}:print?format={format}"), None).await, named);
        // `format` overrides the Accept header.
        assert_eq!(document(&rest, &format!("{path}?format=json"), Some(media)).await.0, "application/json");
        let request = json!({"ticket_id": sold.id(0), "format": format});
        let answer = rpc::call(&grpc, "ticket.v1.TicketService/PrintTicket", &request).await.unwrap();
        assert_eq!(answer["content_type"], media);
        assert_eq!(STANDARD.decode(answer["content"].as_str().unwrap()).unwrap(), named.2);
    }
    assert_eq!(document(&rest, &format!("{path}:print"), None).await.0, "application/pdf");
    assert_eq!(document(&rest, &path, Some("*/*")).await.0, "application/json");
    for (path, allowed) in [
        (format!("{path}?format=gif"), "is \"gif\"; json, png, svg or pdf is expected"),
        (format!("{path}:print?format=json"), "is \"json\"; png, svg or pdf is expected"),
    ] {
        let fault = rest.get(&path).await.expect(422)["violations"][0].clone();
        assert_eq!((&fault["field"], &fault["message"]), (&json!("format"), &json!(allowed)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_sellers_print_and_only_valid_tickets() {
    let (_home, _host, rest) = memory().await;
    let sold = sold(&rest, 1, json!({})).await;
    let path = format!("/v1/tickets/{}", sold.id(0));
    let viewer = rest.with_key(Some(&rest.new_key(&["viewer"], None).await));
    for path in [format!("{path}?format=png"), format!("{path}:print")] {
        assert_eq!(viewer.get(&path).await.code(403), "PERMISSION_DENIED", "{path}");
    }
    done(&rest.post(&format!("{path}:cancel"), json!({})).await);
    assert_eq!(rest.get(&format!("{path}?format=svg")).await.code(409), "TICKET_CANCELLED");
}

#[tokio::test(flavor = "multi_thread")]
async fn document_renders_any_text() {
    let (_home, _host, rest) = memory().await;
    let venue = json!({
        "name": "Große Halle (\\)", "address": "Straße 1", "city": "Kraków", "country": "Polska",
        "time_zone": "Europe/Warsaw",
    });
    let venue = create(&rest, "/v1/venues", venue, "venue").await;
    let event = json!({
        "title": "<script>alert(1)</script> 夜の音楽 — “Ночь” 🎵", "category": "music", "status": "active",
        "venue_id": venue, "start_date": "2126-03-01T19:00:00Z", "end_date": "2126-03-01T22:00:00Z",
    });
    let event = create(&rest, "/v1/events", event, "event").await;
    let ticket_type =
        json!({"name": "Parkett \u{202e}(", "price": {"amount": 1250, "currency": "JPY"}, "quantity": 5});
    let ticket_type = create(&rest, &format!("/v1/events/{event}/tickets"), ticket_type, "ticket_type").await;
    let sold = buy(&rest, &(event, ticket_type), &"Ann ✓ ".repeat(40), 1).await;
    for format in ["png", "svg", "pdf"] {
        let (_, _, bytes) =
            document(&rest, &format!("/v1/tickets/{}?format={format}", sold.id(0)), None).await;
        assert!(looks_like(format, &bytes), "{format}");
    }
}
