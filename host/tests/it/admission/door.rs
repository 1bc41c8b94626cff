//! Online check-ins: single entry, re-entry, gates, undo, and validation by plugins.

use reqwest::Method;
use serde_json::{Value, json};

use super::{check_in, sold, ticket, validate};
use crate::harness::Kind;
use crate::plugins::install;
use crate::tracker::{done, memory, on, on_every_store};

on_every_store! {
    concurrent_check_ins_of_one_ticket_admit_once
    reentry_is_allowed_where_the_event_permits_it
    undone_check_in_has_no_effect
    a_repeat_of_a_check_in_gets_the_first_answer
}

const SCANNERS: usize = 10;
const ROUNDS: usize = 5;

async fn concurrent_check_ins_of_one_ticket_admit_once(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let sold = sold(&rest, u32::try_from(ROUNDS).unwrap(), json!({})).await;
    for round in 0..ROUNDS {
        let tasks: Vec<_> = (0..SCANNERS)
            .map(|scanner| {
                let (rest, event, code) = (host.rest(), sold.event.clone(), sold.code(round).to_owned());
                tokio::spawn(async move {
                    check_in(&rest, &event, &format!("Gate {scanner}"), json!({"qr_code": code})).await
                })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        let (admitted, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status.is_success());
        assert_eq!(admitted.len(), 1, "round {round}: {admitted:#?}");
        let record = &admitted[0].body["record"];
        assert_eq!((&record["verdict"], &record["direction"]), (&json!("accepted"), &json!("in")));
        assert_eq!(admitted[0].body["message"], "admitted");
        // The refusal names the time and the gate of the entry.
        for answer in refused {
            assert_eq!(answer.code(409), "ALREADY_CHECKED_IN");
            let detail = answer.body["detail"].as_str().unwrap();
            let (at, gate) = (record["at"].as_str().unwrap(), record["gate"].as_str().unwrap());
            assert!(detail.contains(at) && detail.contains(gate), "{detail}");
        }
        let ticket = ticket(&rest, sold.id(round)).await;
        assert_eq!((&ticket["entries"], &ticket["inside"]), (&json!(1), &json!(true)));
        assert_eq!((&ticket["last_at"], &ticket["last_gate"]), (&record["at"], &record["gate"]));
        let answer = rest.get(&format!("/v1/check-ins/{}", record["id"].as_str().unwrap())).await;
        assert_eq!(&done(&answer)["record"], record);
    }
    let stats = rest.get(&format!("/v1/events/{}/check-ins/stats", sold.event)).await;
    let stats = &done(&stats)["stats"];
    assert_eq!((&stats["admitted"], &stats["inside"]), (&json!(ROUNDS), &json!(ROUNDS)));
}

async fn reentry_is_allowed_where_the_event_permits_it(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let open = sold(&rest, 1, json!({"reentry": true})).await;
    let go = async |event: &str, id: &str, direction: &str| {
        check_in(&rest, event, "North", json!({"ticket_id": id, "direction": direction})).await
    };
    let (event, id) = (open.event.as_str(), open.id(0));
    assert_eq!(go(event, id, "out").await.code(409), "NOT_INSIDE");
    done(&go(event, id, "in").await);
    assert_eq!(go(event, id, "in").await.code(409), "ALREADY_CHECKED_IN");
    assert_eq!(done(&go(event, id, "out").await)["message"], "let out");
    assert!(!ticket(&rest, id).await["inside"].as_bool().unwrap());
    assert_eq!(go(event, id, "out").await.code(409), "NOT_INSIDE");
    done(&go(event, id, "in").await);
    let ticket = ticket(&rest, id).await;
    assert_eq!((&ticket["entries"], &ticket["inside"]), (&json!(2), &json!(true)));
    let once = sold(&rest, 1, json!({})).await;
    let (event, id) = (once.event.as_str(), once.id(0));
    done(&go(event, id, "in").await);
    assert_eq!(go(event, id, "out").await.code(409), "REENTRY_NOT_ALLOWED");
    assert_eq!(go(event, id, "in").await.code(409), "ALREADY_CHECKED_IN");
}

async fn undone_check_in_has_no_effect(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 1, json!({})).await;
    let gate = rest.with_key(Some(&rest.new_key(&["gate"], None).await));
    let scan = json!({"qr_code": sold.code(0), "device_id": "d1", "staff_id": "s1"});
    let first = check_in(&gate, &sold.event, "North", scan.clone()).await;
    let first = done(&first)["record"].clone();
    assert_eq!((&first["device_id"], &first["staff_id"]), (&json!("d1"), &json!("s1")));
    let undo = format!("/v1/check-ins/{}:undo", first["id"].as_str().unwrap());
    assert_eq!(gate.post(&undo, json!({})).await.code(403), "PERMISSION_DENIED");
    let undone = rest.send(rest.request(Method::POST, &undo)).await;
    let undone = done(&undone)["record"].clone();
    assert!(undone["undone_at"].is_string() && undone["undone_by"].as_str().unwrap().starts_with("key:"));
    let ticket = ticket(&rest, sold.id(0)).await;
    assert_eq!(
        (&ticket["entries"], &ticket["inside"], &ticket["last_at"]),
        (&json!(0), &json!(false), &Value::Null)
    );
    let again = rest.send(rest.request(Method::POST, &undo)).await;
    assert_eq!(done(&again)["record"], undone);
    let verdict = validate(&gate, &sold.event, json!({"qr_code": sold.code(0)})).await;
    assert_eq!(verdict, (true, String::new()));
    done(&check_in(&gate, &sold.event, "South", scan).await);
    let path = format!("/v1/events/{}/check-ins", sold.event);
    let standing = gate.get(&format!("{path}?filter=undone:false")).await;
    assert_eq!(done(&standing)["records"].as_array().unwrap().len(), 1);
    assert_eq!(standing.body["records"][0]["gate"], "South");
    let stats = gate.get(&format!("{path}/stats")).await;
    assert_eq!(done(&stats)["stats"]["gates"].as_array().unwrap().len(), 1);
}

async fn a_repeat_of_a_check_in_gets_the_first_answer(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 1, json!({})).await;
    let path = format!("/v1/events/{}/check-ins", sold.event);
    let check_in_at = |gate: &str| {
        let request = rest.request(Method::POST, &path).header("idempotency-key", "k-1");
        rest.send(request.json(&json!({"ticket_id": sold.id(0), "gate": gate})))
    };
    let (first, again) = (check_in_at("North").await, check_in_at("North").await);
    assert_eq!(done(&first), done(&again));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(check_in_at("South").await.code(422), "IDEMPOTENCY_KEY_REUSED");
    let listed = rest.get(&path).await;
    assert_eq!(done(&listed)["records"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_in_faults_name_their_field() {
    let (_home, _host, rest) = memory().await;
    let (sold, other) = (sold(&rest, 2, json!({})).await, sold(&rest, 1, json!({})).await);
    let cases = [
        (json!({"gate": "North"}), 422, "ticket_id"),
        (json!({"gate": "", "ticket_id": sold.id(0)}), 422, "gate"),
        (json!({"gate": "North", "ticket_id": "seven"}), 400, "ticket_id"),
        (json!({"gate": "North", "ticket_id": sold.id(0), "direction": "up"}), 422, "direction"),
        (json!({"gate": "North", "qr_code": "rubbish"}), 400, "qr_code"),
        (json!({"gate": "North", "qr_code": sold.code(0), "ticket_id": sold.id(1)}), 422, "ticket_id"),
        (json!({"gate": "North", "ticket_id": sold.id(0), "staff_id": "s".repeat(101)}), 422, "staff_id"),
        (json!({"gate": "North", "ticket_id": sold.id(0), "device_id": "\u{7}"}), 422, "device_id"),
    ];
    let path = format!("/v1/events/{}/check-ins", sold.event);
    for (body, status, field) in cases {
        let answer = rest.post(&path, body).await;
        assert_eq!(answer.expect(status)["violations"][0]["field"], field, "{:#}", answer.body);
    }
    let foreign = check_in(&rest, &sold.event, "North", json!({"ticket_id": other.id(0)})).await;
    assert_eq!(foreign.code(409), "OTHER_EVENT");
    let unknown = check_in(&rest, &sold.event, "North", json!({"ticket_id": sold.event})).await;
    assert_eq!(unknown.code(404), "TICKET_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_validate_check_ins() {
    let (_home, _host, rest) = memory().await;
    let sold = sold(&rest, 1, json!({})).await;
    let rules = json!({"settings": {"rules": [{"fields": ["staff"], "kinds": ["ticket"]}]}});
    install(&rest, "required-fields", rules).await;
    let refused = check_in(&rest, &sold.event, "North", json!({"qr_code": sold.code(0)})).await;
    assert_eq!(refused.code(422), "FIELD_REQUIRED");
    assert_eq!(refused.body["violations"][0]["plugin"], "required-fields");
    assert_eq!(ticket(&rest, sold.id(0)).await["entries"], 0);
    done(&check_in(&rest, &sold.event, "North", json!({"qr_code": sold.code(0), "staff_id": "s1"})).await);
}
