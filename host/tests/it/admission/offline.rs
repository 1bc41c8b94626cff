//! Offline scanners: reports arrive late, in any order and repeatedly, with the same outcome.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::{Sold, check_in, sold, ticket};
use crate::harness::{Kind, Rest};
use crate::tracker::{all_pages, done, on, on_every_store};

on_every_store! {
    order_of_reports_does_not_change_the_outcome
    each_scan_has_its_own_verdict
    nonce_of_another_scan_is_refused
    malformed_report_is_refused_as_a_whole
    check_ins_are_counted_by_gate_and_minute
}

/// Returns the start of the next minute: later than the issue of the tickets, and within the five minutes by which
/// clocks may be ahead.
fn evening() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_second(0).unwrap().replace_nanosecond(0).unwrap() + Duration::MINUTE
}

/// Formats the time `seconds` after `begin`.
fn after(begin: OffsetDateTime, seconds: i64) -> String {
    (begin + Duration::seconds(seconds)).format(&Rfc3339).unwrap()
}

/// Reports the scans of a device.
async fn report(rest: &Rest, event: &str, device: &str, scans: &[Value]) -> Vec<Value> {
    let body = json!({"device_id": device, "scans": scans});
    let answer = rest.post(&format!("/v1/events/{event}/check-ins:batch"), body).await;
    done(&answer)["results"].as_array().unwrap().clone()
}

/// One scan of a ticket.
fn scan(of: &Sold, place: usize, (nonce, at): (&str, &str), (direction, gate): (&str, &str)) -> Value {
    json!({"nonce": nonce, "at": at, "qr_code": of.code(place), "direction": direction, "gate": gate})
}

/// Scans of two tickets by the devices north and south.
fn device_scans(of: &Sold, begin: OffsetDateTime) -> [Vec<Value>; 2] {
    let scan =
        |of, place, (nonce, seconds): (&str, i64), how| scan(of, place, (nonce, &after(begin, seconds)), how);
    let north = vec![
        scan(of, 0, ("n-1", 0), ("in", "North")),
        scan(of, 0, ("n-2", 30), ("out", "North")),
        scan(of, 1, ("n-3", 10), ("in", "North")),
        scan(of, 0, ("n-4", 60), ("out", "North")),
    ];
    let south = vec![
        scan(of, 0, ("s-1", 5), ("in", "South")),
        scan(of, 0, ("s-2", 45), ("in", "South")),
        // Scans of the same moment are ordered by device name.
        scan(of, 1, ("s-3", 10), ("in", "South")),
    ];
    [north, south]
}

/// An event's check-ins, statistics and tickets, without generated values.
async fn end(rest: &Rest, of: &Sold, begin: OffsetDateTime) -> (Vec<Value>, Value, Vec<Value>) {
    let path = format!("/v1/events/{}/check-ins", of.event);
    let records = all_pages(rest, &path, "records", 3).await;
    let place = |record: &Value| (0..of.tickets.len()).find(|place| record["ticket_id"] == of.id(*place));
    let fields = ["nonce", "device_id", "gate", "at", "direction", "verdict", "serial"];
    let records = records.iter().map(|record| {
        let mut values: Vec<_> = fields.iter().map(|name| record[name].clone()).collect();
        values.push(json!(place(record)));
        json!(values)
    });
    let mut records: Vec<_> = records.collect();
    records.sort_by_key(Value::to_string);
    let stats = rest.get(&format!("{path}/stats?since={}", after(begin, 0))).await;
    let mut tickets = Vec::new();
    for place in 0..of.tickets.len() {
        let ticket = ticket(rest, of.id(place)).await;
        tickets.push(json!([ticket["entries"], ticket["inside"], ticket["last_at"], ticket["last_gate"]]));
    }
    (records, done(&stats)["stats"].clone(), tickets)
}

async fn order_of_reports_does_not_change_the_outcome(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let one = sold(&rest, 2, json!({"reentry": true})).await;
    let other = sold(&rest, 2, json!({"reentry": true})).await;
    let begin = evening();
    let [north, south] = device_scans(&one, begin);
    report(&rest, &one.event, "north", &north).await;
    report(&rest, &one.event, "south", &south).await;
    let expected = end(&rest, &one, begin).await;
    let [north, south] = device_scans(&other, begin);
    report(&rest, &other.event, "south", &south).await;
    for scan in north.iter().rev() {
        report(&rest, &other.event, "north", std::slice::from_ref(scan)).await;
    }
    assert_eq!(end(&rest, &other, begin).await, expected);
    let verdicts: Vec<_> = expected.0.iter().map(|record| (record[0].clone(), record[5].clone())).collect();
    for (nonce, verdict) in [
        ("n-1", "accepted"),
        ("s-1", "duplicate"),
        ("n-2", "accepted"),
        ("s-2", "accepted"),
        ("n-4", "accepted"),
        ("n-3", "accepted"),
        ("s-3", "duplicate"),
    ] {
        assert!(verdicts.contains(&(json!(nonce), json!(verdict))), "{nonce}: {verdicts:?}");
    }
    assert_eq!(expected.2[0], json!([2, false, after(begin, 60), "North"]));
    // A repeated report changes nothing.
    let [north, south] = device_scans(&one, begin);
    let again = report(&rest, &one.event, "north", &north).await;
    assert!(again.iter().all(|result| result["record"]["verdict"] == "accepted"), "{again:#?}");
    report(&rest, &one.event, "south", &south).await;
    assert_eq!(end(&rest, &one, begin).await, expected);
}

async fn each_scan_has_its_own_verdict(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 1, json!({})).await;
    let begin = evening();
    let first = after(begin, 0);
    let good = |nonce: &str| scan(&sold, 0, (nonce, &first), ("in", "North"));
    let with = |nonce: &str, field: &str, value: Value| {
        let mut scan = good(nonce);
        scan[field] = value;
        scan
    };
    let scans = [
        with("future", "at", json!(after(begin, 3_600))),
        with("past", "at", json!("1970-01-01T00:00:00Z")),
        with("before", "at", json!(after(begin, -420))),
        with("timeless", "at", json!("")),
        with("gateless", "gate", json!("")),
        with("sideways", "direction", json!("up")),
        with("rubbish", "qr_code", json!("rubbish")),
        with("forged", "qr_code", json!(super::codes::altered(sold.code(0), 100))),
        with("unknown", "ticket_id", json!("seven")),
        with("", "gate", json!("North")),
        good("good"),
        with("late", "at", json!(after(begin, 60))),
    ];
    let results = report(&rest, &sold.event, "d1", &scans).await;
    let outcomes: Vec<_> = results
        .iter()
        .map(|result| {
            let verdict = &result["record"]["verdict"];
            let outcome = if verdict.is_null() { &result["reason"] } else { verdict };
            (result["nonce"].as_str().unwrap(), outcome.as_str().unwrap())
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            ("future", "INVALID_ARGUMENT"),
            ("past", "INVALID_ARGUMENT"),
            ("before", "INVALID_ARGUMENT"),
            ("timeless", "INVALID_ARGUMENT"),
            ("gateless", "INVALID_ARGUMENT"),
            ("sideways", "INVALID_ARGUMENT"),
            ("rubbish", "INVALID_ARGUMENT"),
            ("forged", "CODE_NOT_AUTHENTIC"),
            ("unknown", "INVALID_ARGUMENT"),
            ("", "INVALID_ARGUMENT"),
            ("good", "accepted"),
            ("late", "duplicate"),
        ]
    );
    let message = |place: usize| results[place]["message"].as_str().unwrap().to_owned();
    assert!(message(0).starts_with("at ") && message(0).contains("in the future"), "{}", message(0));
    for place in [1, 2] {
        let message = message(place);
        assert!(message.starts_with("at ") && message.ends_with("; set the device's clock"), "{message}");
    }
    assert!(message(3).starts_with("at ") && message(8).starts_with("ticket_id "), "{results:#?}");
    assert_eq!((message(10).as_str(), message(11).as_str()), ("admitted", "the ticket had been used before"));
    // Refused scans are not recorded.
    let listed = rest.get(&format!("/v1/events/{}/check-ins", sold.event)).await;
    assert_eq!(done(&listed)["records"].as_array().unwrap().len(), 2);
    let path = format!("/v1/events/{}/check-ins:batch", sold.event);
    let many: Vec<_> = (0..501).map(|n| good(&n.to_string())).collect();
    for scans in [json!([]), json!(many)] {
        let refused = rest.post(&path, json!({"device_id": "d1", "scans": scans})).await;
        assert_eq!(refused.expect(422)["violations"][0]["field"], "scans");
    }
    // An online check-in comes after the reported scans, whatever the clock of the device.
    let live = check_in(&rest, &sold.event, "South", json!({"qr_code": sold.code(0)})).await;
    assert_eq!(live.code(409), "ALREADY_CHECKED_IN");
    assert!(live.body["detail"].as_str().unwrap().contains(&first), "{:#}", live.body);
}

async fn nonce_of_another_scan_is_refused(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 2, json!({"reentry": true})).await;
    let begin = evening();
    let (at, later) = (after(begin, 0), after(begin, 60));
    let first = scan(&sold, 0, ("n", &at), ("in", "North"));
    let mut by_id = scan(&sold, 1, ("n", &at), ("in", "North"));
    by_id["qr_code"] = json!("");
    by_id["ticket_id"] = json!(sold.id(1));
    let scans = [
        first.clone(),
        scan(&sold, 1, ("n", &at), ("in", "North")),
        by_id,
        scan(&sold, 0, ("n", &at), ("out", "North")),
        scan(&sold, 0, ("n", &later), ("in", "North")),
        first,
    ];
    let results = report(&rest, &sold.event, "d1", &scans).await;
    for (place, differs) in [(1, "ticket;"), (2, "ticket and code;"), (3, "direction;"), (4, "time;")] {
        let result = &results[place];
        assert_eq!((&result["reason"], &result["record"]), (&json!("NONCE_REUSED"), &Value::Null));
        let expected = format!("the nonce was used for a scan with another {differs}");
        assert!(result["message"].as_str().unwrap().starts_with(&expected), "{result:#}");
    }
    assert_eq!(results[0]["record"]["verdict"], "accepted");
    assert_eq!(results[5]["record"], results[0]["record"], "the same scan is a repeat");
    assert_eq!(ticket(&rest, sold.id(1)).await["entries"], 0);
    // The nonce of another device is another nonce.
    let other = report(&rest, &sold.event, "d2", &scans[1..2]).await;
    assert_eq!(other[0]["record"]["verdict"], "accepted");
}

async fn malformed_report_is_refused_as_a_whole(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 1, json!({})).await;
    let unread =
        |count: usize| json!({"device_id": "d1", "scans": vec![json!({"nonce": "n", "at": "soon"}); count]});
    let path = |event: &str| format!("/v1/events/{event}/check-ins:batch");
    for count in [0, 501, 6_000] {
        let refused = rest.post(&path(&sold.event), unread(count)).await;
        let fault = &refused.expect(422)["violations"][0];
        assert_eq!(fault["field"], "scans");
        assert_eq!(fault["message"], format!("has {count} entries; 1 to 500 are allowed"));
    }
    let nowhere = rest.post(&path(sold.id(0)), unread(2)).await;
    assert_eq!(nowhere.code(404), "EVENT_NOT_FOUND");
    let results = report(&rest, &sold.event, "d1", &vec![json!({"nonce": "n", "at": "soon"}); 500]).await;
    assert!(results.len() == 500 && results.iter().all(|result| result["reason"] == "INVALID_ARGUMENT"));
}

async fn check_ins_are_counted_by_gate_and_minute(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 4, json!({"reentry": true})).await;
    let begin = evening();
    let scan =
        |of, place, (nonce, seconds): (&str, i64), how| scan(of, place, (nonce, &after(begin, seconds)), how);
    let scans = [
        scan(&sold, 0, ("1", 5), ("in", "North")),
        scan(&sold, 1, ("2", 55), ("in", "North")),
        scan(&sold, 2, ("3", 30), ("in", "South")),
        scan(&sold, 0, ("4", 59), ("in", "South")),
        scan(&sold, 0, ("5", 60), ("out", "North")),
    ];
    report(&rest, &sold.event, "d1", &scans).await;
    done(&rest.post(&format!("/v1/tickets/{}:cancel", sold.id(3)), json!({})).await);
    let stats = async |query: &str| {
        let path = format!("/v1/events/{}/check-ins/stats{query}", sold.event);
        done(&rest.get(&path).await)["stats"].clone()
    };
    let counts = stats(&format!("?since={}", after(begin, 0))).await;
    let gate = |gate: &str, entries: u64, exits: u64, refused: u64| json!({"gate": gate, "entries": entries, "exits": exits, "refused": refused});
    let minute = |seconds: i64, mut gate: Value| {
        gate["minute"] = json!(after(begin, seconds));
        gate
    };
    let expected = json!({
        "valid": 3, "cancelled": 1, "admitted": 3, "inside": 2,
        "gates": [gate("North", 2, 1, 0), gate("South", 1, 0, 1)],
        "minutes": [
            minute(0, gate("North", 2, 0, 0)),
            minute(0, gate("South", 1, 0, 1)),
            minute(60, gate("North", 0, 1, 0)),
        ],
    });
    assert_eq!(counts, expected);
    let later = stats(&format!("?since={}", after(begin, 60))).await;
    assert_eq!(later["minutes"].as_array().unwrap().len(), 1);
    assert_eq!(later["gates"], expected["gates"]);
    let earlier = stats(&format!("?since={}", after(begin, -86_400))).await;
    assert_eq!(earlier["minutes"], json!([]), "minutes are kept for a day");
    let bad = rest.get(&format!("/v1/events/{}/check-ins/stats?since=soon", sold.event)).await;
    assert_eq!(bad.expect(422)["violations"][0]["field"], "since");
}
