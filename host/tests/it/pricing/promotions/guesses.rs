//! The limit of codes that are not accepted: it stops guessing, and leaves other buyers alone.

use serde_json::{Value, json};

use super::apply_discount::apply;
use super::{Show, coded, percent_off, promotion, reserve_coded};
use crate::harness::{Answer, Rest};
use crate::plugins::install;
use crate::pricing::{basket, price, show, total, with};
use crate::reservations::create;
use crate::tracker::{done, memory};

/// The most codes of a client in a minute that are not accepted.
const GUESSES: usize = 10;

/// Starts a sale with the code `SECRET` for half the price.
async fn sale(rest: &Rest) -> Show {
    promotion(rest, percent_off("50", &["SECRET"], json!({}))).await;
    show(rest, 1_000).await
}

/// Checks that a request is refused for some seconds because the client entered too many wrong codes.
#[track_caller]
fn check_limited(answer: &Answer) {
    assert_eq!(answer.code(429), "TOO_MANY_CODES");
    let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
}

/// Guesses as often as a client may, one code at a time.
async fn guess(rest: &Rest, show: &Show, client: Value) {
    for number in 0..GUESSES {
        let code = format!("GUESS-{number}");
        let answer = apply(rest, &show.0, (&code, 1_000), client.clone()).await;
        assert_eq!(done(&answer)["is_valid"], false);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_of_a_buyer_are_limited_in_every_operation() {
    let (_home, _host, rest) = memory().await;
    let show = sale(&rest).await;
    guess(&rest, &show, json!({"buyer_id": "eve"})).await;
    let eve = ("eve", 1);
    // The right code is refused as well, or a guess that is right could be told from one that is wrong.
    for code in ["GUESS-X", "SECRET"] {
        check_limited(&apply(&rest, &show.0, (code, 1_000), json!({"buyer_id": "eve"})).await);
        check_limited(&rest.post("/v1/prices:calculate", coded(&show, eve, &[code])).await);
        check_limited(&rest.post("/v1/quotes", coded(&show, eve, &[code])).await);
        check_limited(&reserve_coded(&rest, &show, eve, &[code]).await);
    }
    // Without a code, eve buys as everybody does; with one, another buyer of the same key does.
    assert_eq!(total(&price(&rest, coded(&show, eve, &[])).await), 1_000);
    reserve_coded(&rest, &show, eve, &[]).await.expect(201);
    let reserved = reserve_coded(&rest, &show, ("ann", 1), &["SECRET"]).await;
    assert_eq!(reserved.expect(201)["reservation"]["total"]["amount"], 500);
    // A buyer of the same name is another client of another key.
    let agent = rest.with_key(Some(&rest.new_key(&["agent"], None).await));
    assert_eq!(total(&price(&agent, coded(&show, eve, &["SECRET"])).await), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_of_one_basket_are_as_many_guesses() {
    let (_home, _host, rest) = memory().await;
    let show = sale(&rest).await;
    let guesses: Vec<_> = (0..GUESSES).map(|number| format!("GUESS-{number}")).collect();
    let body = with(basket(&show.0, &[(&show.1, 1)]), json!({"buyer_id": "eve", "codes": guesses}));
    let priced = price(&rest, body).await;
    assert_eq!(priced["refused_codes"].as_array().unwrap().len(), GUESSES);
    check_limited(&rest.post("/v1/prices:calculate", coded(&show, ("eve", 1), &["SECRET"])).await);
    // Accepted codes are no guesses.
    for _ in 0..=GUESSES {
        assert_eq!(total(&price(&rest, coded(&show, ("ann", 1), &["SECRET"])).await), 500);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_a_key_are_limited_by_address() {
    let (_home, _host, rest) = memory().await;
    let show = sale(&rest).await;
    let stranger = rest.with_key(None);
    guess(&stranger, &show, json!({})).await;
    // The name of a buyer is not checked without a key, so another one makes no difference.
    for buyer in ["", "ann", "ben"] {
        check_limited(&stranger.post("/v1/prices:calculate", coded(&show, (buyer, 1), &["SECRET"])).await);
    }
    check_limited(&stranger.get(&format!("/v1/tickets/types?event_id={}&access_code=SECRET", show.0)).await);
    assert_eq!(total(&price(&stranger, coded(&show, ("", 1), &[])).await), 1_000);
    // Callers with a key are not from there.
    assert_eq!(total(&price(&rest, coded(&show, ("ann", 1), &["SECRET"])).await), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn limit_does_not_tell_hidden_ticket_types_from_unknown_ones() {
    let (_home, _host, rest) = memory().await;
    let (event, _) = sale(&rest).await;
    let body = json!({"name": "Crew", "price": {"amount": 1_000, "currency": "EUR"}, "hidden": true});
    let hidden = create(&rest, &format!("/v1/events/{event}/tickets"), body, "ticket_type").await;
    let stranger = rest.with_key(None);
    let apply_to =
        async |id: &str| apply(&stranger, &event, ("GUESS", 1_000), json!({"ticket_type_id": id})).await;
    // The event's id is that of no ticket type.
    for _ in 0..GUESSES / 2 {
        for id in [&hidden, &event] {
            assert_eq!(apply_to(id).await.code(404), "TICKET_TYPE_NOT_FOUND");
        }
    }
    for id in [&hidden, &event] {
        check_limited(&apply_to(id).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_not_counted_when_a_plugin_fails() {
    let (_home, _host, rest) = memory().await;
    let show = sale(&rest).await;
    install(&rest, "hostile", json!({"settings": {"act": "trap"}})).await;
    let codes: Vec<_> = (0..GUESSES).map(|number| format!("GUESS-{number}")).collect();
    let body = with(basket(&show.0, &[(&show.1, 1)]), json!({"buyer_id": "eve", "codes": codes}));
    for path in ["/v1/prices:calculate", "/v1/quotes"] {
        assert_eq!(rest.post(path, body.clone()).await.code(424), "PLUGIN_TRAPPED", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_code_is_refused_like_an_unknown_one() {
    let (_home, _host, rest) = memory().await;
    let show = sale(&rest).await;
    promotion(&rest, percent_off("10", &["OFF"], json!({"enabled": false}))).await;
    let refusals = async |codes: [&str; 2]| {
        let priced = price(&rest, coded(&show, ("", 1), &codes)).await;
        let refused = priced["refused_codes"].as_array().unwrap().clone();
        let text = |refused: &Value, name: &str| refused[name].as_str().unwrap().to_owned();
        refused.iter().map(|refused| (text(refused, "code"), text(refused, "reason"))).collect::<Vec<_>>()
    };
    let check = async |reason: &str| {
        for codes in [["OFF", "ZZZ"], ["ZZZ", "OFF"]] {
            let expected = codes.map(|code| (code.to_owned(), reason.to_owned()));
            assert_eq!(refusals(codes).await, expected);
        }
    };
    check("the code is not valid").await;
    // A plugin that refuses all codes with its own text is given both.
    let refuses = json!({"act": "adjust", "refused_codes": ["ZZZ", "OFF"]});
    install(&rest, "hostile", json!({"settings": refuses})).await;
    check("not today").await;
}
