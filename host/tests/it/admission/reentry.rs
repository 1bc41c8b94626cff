//! Changes of `reentry` while the doors are open: each scan follows the rule of its own time.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Sold, check_in, sold, ticket};
use crate::harness::{Kind, Rest};
use crate::tracker::{all_pages, done, memory, on, on_every_store};

on_every_store! {
    admitted_tickets_stay_admitted_when_reentry_is_disabled
    refused_scans_stay_refused_when_reentry_is_enabled
}

fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap()
}

async fn switch(rest: &Rest, of: &Sold, reentry: bool) {
    done(&rest.patch(&format!("/v1/events/{}", of.event), json!({"reentry": reentry})).await);
}

/// Reports an offline scan of the first ticket; returns its verdict.
async fn report_scan(rest: &Rest, of: &Sold, (nonce, at): (&str, &str), direction: &str) -> String {
    let scan =
        json!({"nonce": nonce, "at": at, "qr_code": of.code(0), "direction": direction, "gate": "South"});
    let body = json!({"device_id": "d1", "scans": [scan]});
    let answer = rest.post(&format!("/v1/events/{}/check-ins:batch", of.event), body).await;
    done(&answer)["results"][0]["record"]["verdict"].as_str().unwrap().to_owned()
}

/// Checks the first ticket in or out online; returns the error code, or an empty text.
async fn pass(rest: &Rest, of: &Sold, direction: &str) -> String {
    let scan = json!({"ticket_id": of.id(0), "direction": direction});
    let answer = check_in(rest, &of.event, "North", scan).await;
    answer.body["code"].as_str().unwrap_or_default().to_owned()
}

/// Lists direction and verdict of all scans, oldest first.
async fn verdicts(rest: &Rest, of: &Sold) -> Vec<(String, String)> {
    let path = format!("/v1/events/{}/check-ins", of.event);
    let mut records = all_pages(rest, &path, "records", 50).await;
    records.sort_by_key(|record| record["at"].as_str().unwrap().to_owned());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    records.iter().map(|record| (text(&record["direction"]), text(&record["verdict"]))).collect()
}

async fn admitted_tickets_stay_admitted_when_reentry_is_disabled(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 1, json!({"reentry": true})).await;
    for direction in ["in", "out", "in"] {
        assert_eq!(pass(&rest, &sold, direction).await, "");
    }
    let open = now();
    switch(&rest, &sold, false).await;
    let before = verdicts(&rest, &sold).await;
    // Each report evaluates all scans of the ticket again.
    assert_eq!(report_scan(&rest, &sold, ("late", &now()), "out").await, "stray");
    assert_eq!(report_scan(&rest, &sold, ("again", &now()), "in").await, "duplicate");
    assert_eq!(pass(&rest, &sold, "out").await, "REENTRY_NOT_ALLOWED");
    let state = ticket(&rest, sold.id(0)).await;
    assert_eq!((&state["entries"], &state["inside"]), (&json!(2), &json!(true)));
    assert_eq!(verdicts(&rest, &sold).await[..3], before);
    // An exit from before the switch is still accepted when it is reported late.
    assert_eq!(report_scan(&rest, &sold, ("then", &open), "out").await, "accepted");
    let state = ticket(&rest, sold.id(0)).await;
    assert_eq!((&state["entries"], &state["inside"]), (&json!(2), &json!(false)));
    assert_eq!(pass(&rest, &sold, "in").await, "ALREADY_CHECKED_IN");
}

async fn refused_scans_stay_refused_when_reentry_is_enabled(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 1, json!({})).await;
    assert_eq!(pass(&rest, &sold, "in").await, "");
    assert_eq!(report_scan(&rest, &sold, ("1", &now()), "out").await, "stray");
    assert_eq!(report_scan(&rest, &sold, ("2", &now()), "in").await, "duplicate");
    let closed = now();
    switch(&rest, &sold, true).await;
    let before = verdicts(&rest, &sold).await;
    assert_eq!(report_scan(&rest, &sold, ("3", &closed), "out").await, "stray", "it was before the switch");
    assert_eq!(verdicts(&rest, &sold).await[..3], before);
    for direction in ["out", "in"] {
        assert_eq!(pass(&rest, &sold, direction).await, "");
    }
    let state = ticket(&rest, sold.id(0)).await;
    assert_eq!((&state["entries"], &state["inside"]), (&json!(2), &json!(true)));
    assert_eq!(verdicts(&rest, &sold).await[..3], before);
}

#[tokio::test(flavor = "multi_thread")]
async fn reentry_rule_changes_are_limited() {
    let (_home, _host, rest) = memory().await;
    let sold = sold(&rest, 1, json!({})).await;
    let path = format!("/v1/events/{}", sold.event);
    for turn in 0..100 {
        done(&rest.patch(&path, json!({"reentry": turn % 2 == 0})).await);
        // Setting the same value is no switch.
        done(&rest.patch(&path, json!({"reentry": turn % 2 == 0})).await);
    }
    assert_eq!(rest.patch(&path, json!({"reentry": true})).await.code(413), "TOO_LARGE");
    done(&rest.patch(&path, json!({"featured": true})).await);
}
