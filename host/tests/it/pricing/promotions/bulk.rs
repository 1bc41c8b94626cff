//! Many codes at once, and their export.

use std::collections::BTreeSet;

use serde_json::json;

use super::{coded, percent_off, promotion, read, refusal, reserve_coded};
use crate::harness::{Kind, Rest};
use crate::pricing::show;
use crate::reservations::id;
use crate::tracker::{all_pages, done, faults, memory, on, on_every_store, until};

on_every_store! {
    ten_thousand_codes_are_created_and_exported
}

const CODES: usize = 10_000;

/// Exports the codes of a promotion; returns each code with its uses.
async fn export(rest: &Rest, promotion: &str) -> Vec<(String, String)> {
    let answer = rest.get(&format!("/v1/promotions/{promotion}/codes.csv")).await;
    let text = done(&answer).as_str().unwrap();
    let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
    assert!(header("content-type").starts_with("text/csv"), "{}", header("content-type"));
    assert!(header("content-disposition").starts_with("attachment"), "{}", header("content-disposition"));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("code,uses,kept_ticket_type_id,kept_units,created_at"));
    let row = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        assert_eq!((fields.len(), fields[2], fields[3]), (5, "", ""), "{line}");
        assert!(fields[4].ends_with('Z'), "{line}");
        (fields[0].to_owned(), fields[1].to_owned())
    };
    lines.map(row).collect()
}

async fn ten_thousand_codes_are_created_and_exported(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 1_000).await;
    let promotion = promotion(&rest, percent_off("10", &[], json!({"max_uses_per_code": 1}))).await;
    let path = format!("/v1/promotions/{promotion}/codes");
    let created = rest.post(&path, json!({"count": CODES, "prefix": "fest-"})).await;
    let created = done(&created);
    assert_eq!((&created["created"], &created["promotion"]["code_count"]), (&json!(CODES), &json!(CODES)));
    let exported = export(&rest, &promotion).await;
    assert_eq!(exported.len(), CODES);
    let codes: BTreeSet<_> = exported.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes.len(), CODES, "a code was created twice");
    for code in &codes {
        // Ten characters that cannot be mistaken for each other.
        let random = code.strip_prefix("FEST-").unwrap();
        let fits =
            |byte: u8| (byte.is_ascii_uppercase() || byte.is_ascii_digit()) && !b"01OIL".contains(&byte);
        assert!(random.len() == 10 && random.bytes().all(fits), "{code}");
    }
    // Each is good for one reservation.
    let tried: Vec<_> = codes.iter().step_by(CODES / 20).copied().collect();
    for (number, code) in tried.iter().copied().enumerate() {
        let (first, second) = (format!("first {number}"), format!("second {number}"));
        id(&reserve_coded(&rest, &show, (&first, 1), &[code]).await);
        let basket = coded(&show, (&second, 1), &[code]);
        assert_eq!(refusal(&rest, basket).await.0, "the code has been used up");
    }
    for (code, uses) in export(&rest, &promotion).await {
        assert_eq!(uses, if tried.contains(&code.as_str()) { "1" } else { "0" }, "{code}");
    }
    assert_eq!(read(&rest, &promotion).await["uses"], tried.len());
    // The fact says how many there are, and none of them.
    let facts = "/v1/audit?filter=type:promotion.codes_created";
    let facts =
        until(&rest, facts, |answer| answer.expect(200)["facts"].as_array().unwrap().len() == 1).await;
    let fact = facts.body["facts"][0].to_string();
    assert!(fact.contains(&CODES.to_string()) && !codes.iter().any(|code| fact.contains(code)), "{fact}");
    // The list has the same codes in the same order.
    let page = rest.get(&format!("{path}?page_size=1000")).await;
    let listed: Vec<_> = done(&page)["codes"].as_array().unwrap().iter().map(|code| &code["code"]).collect();
    let first: Vec<_> = exported.iter().take(1_000).map(|(code, _)| json!(code)).collect();
    assert_eq!(listed, first.iter().collect::<Vec<_>>());
    done(&rest.delete(&format!("/v1/promotions/{promotion}")).await);
    assert_eq!(refusal(&rest, coded(&show, ("last", 1), &[tried[0]])).await.0, "the code is not valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_codes_name_their_field_and_none_is_created() {
    let (_home, _host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_000).await;
    let promotion = promotion(&rest, percent_off("10", &["TAKEN"], json!({}))).await;
    let path = format!("/v1/promotions/{promotion}/codes");
    let many: Vec<_> = (0..=CODES).map(|number| format!("C{number}")).collect();
    for (body, field) in [
        (json!({"count": CODES + 1}), "count"),
        (json!({"count": -1}), "count"),
        (json!({"count": 1, "prefix": "P".repeat(21)}), "prefix"),
        (json!({"count": 1, "prefix": "a b"}), "prefix"),
        (json!({"codes": many}), "codes"),
        (json!({"codes": ["FINE", "Ö"]}), "codes[1]"),
        (json!({"codes": ["FINE"], "kept_units": 1}), "kept_"),
        (json!({"codes": ["FINE"], "kept_ticket_type_id": seat}), "kept_units"),
        (json!({"codes": ["FINE"], "kept_ticket_type_id": seat, "kept_units": 1_001}), "kept_units"),
        (json!({"codes": ["FINE"], "kept_ticket_type_id": event, "kept_units": 1}), "kept_ticket_type_id"),
    ] {
        let refused = rest.post(&path, body).await;
        let violations =
            refused.body["violations"].as_array().unwrap_or_else(|| panic!("{:#}", refused.body));
        assert!(matches!(refused.status.as_u16(), 404 | 422), "{field}: {:#}", refused.body);
        let names: Vec<_> = violations.iter().map(|fault| fault["field"].as_str().unwrap()).collect();
        assert!(names.iter().any(|name| name.starts_with(field)), "{field}: {names:?}");
    }
    // Either named codes or a number.
    for body in [json!({}), json!({"codes": ["FINE"], "count": 1})] {
        assert!(!faults(&rest.post(&path, body).await).is_empty());
    }
    let taken = rest.post(&path, json!({"codes": ["FINE", "taken"]})).await;
    assert!(
        taken.expect(409)["detail"].as_str().unwrap().to_uppercase().contains("TAKEN"),
        "{:#}",
        taken.body
    );
    let codes = all_pages(&rest, &path, "codes", 50).await;
    assert_eq!((codes.len(), &codes[0]["code"]), (1, &json!("TAKEN")));
    assert_eq!(read(&rest, &promotion).await["code_count"], 1);
}
