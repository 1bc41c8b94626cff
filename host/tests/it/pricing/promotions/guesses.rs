//! The limit of codes that are not accepted: it stops guessing, and leaves other buyers alone.

use serde_json::{Value, json};

use super::apply_discount::apply;
use super::{Show, coded, percent_off, promotion, reserve_coded};
use crate::harness::{Answer, Rest};
use crate::pricing::{basket, price, show, total, with};
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
