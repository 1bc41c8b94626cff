//! Limits of uses: in all, of each buyer and of each code, and uses that come back.

use serde_json::{Value, json};

use super::{
    change, coded, confirm, keep_coded, percent_off, promotion, refusal, release, reserve_coded,
    reserve_quote, uses,
};
use crate::harness::{Answer, Kind, Rest};
use crate::pricing::show;
use crate::reservations::{counts, id};
use crate::tracker::{all_pages, done, faults, memory, on, on_every_store, until};

on_every_store! {
    uses_in_all_are_limited
    uses_of_each_buyer_are_limited
    uses_of_each_code_are_limited
    use_comes_back_when_the_hold_ends
}

const USED_UP: &str = "the code has been used up";

const BUYER_LIMIT: &str = "you have used this promotion as often as is allowed";

/// Checks that a reservation of a quote is refused because a limit of a code is reached.
#[track_caller]
fn check_used_up(answer: &Answer, code: &str) {
    assert_eq!(answer.code(409), "CODE_USED_UP");
    assert!(answer.body["detail"].as_str().unwrap().contains(code), "{:#}", answer.body);
}

/// Checks that the codes of a promotion were used so often, each and in all.
async fn check_uses(rest: &Rest, promotion: &str, of_codes: &[(&str, u64)]) {
    let listed = all_pages(rest, &format!("/v1/promotions/{promotion}/codes"), "codes", 2).await;
    let listed: Vec<_> =
        listed.iter().map(|code| (code["code"].as_str().unwrap(), code["uses"].as_u64().unwrap())).collect();
    assert_eq!(listed, of_codes);
    assert_eq!(uses(rest, promotion).await, of_codes.iter().map(|(_, uses)| uses).sum::<u64>());
}

async fn uses_in_all_are_limited(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 1_000).await;
    let promotion = promotion(&rest, percent_off("10", &["A", "B"], json!({"max_uses": 2}))).await;
    let mut quotes = Vec::new();
    for (buyer, code) in [("ann", "A"), ("ben", "B"), ("cem", "A")] {
        quotes.push(keep_coded(&rest, &show, (buyer, 2), &[code]).await);
    }
    // Neither prices nor kept quotes are uses; a reservation is one, whatever its units.
    assert_eq!(uses(&rest, &promotion).await, 0);
    let first = id(&reserve_quote(&rest, &quotes[0]).await);
    let second = id(&reserve_quote(&rest, &quotes[1]).await);
    check_uses(&rest, &promotion, &[("A", 1), ("B", 1)]).await;
    check_used_up(&reserve_quote(&rest, &quotes[2]).await, "A");
    assert_eq!(refusal(&rest, coded(&show, ("dan", 1), &["B"])).await, (USED_UP.to_owned(), json!([])));
    assert_eq!(faults(&reserve_coded(&rest, &show, ("dan", 1), &["B"]).await), ["codes"]);
    assert_eq!(counts(&rest, &show.0).await, [4, 0, 0]);
    // Part of a reservation is still a use, and a sale stays one.
    let tickets =
        done(&rest.get(&format!("/v1/reservations/{first}")).await)["reservation"]["tickets"].clone();
    release(&rest, &first, json!({"ticket_ids": [tickets[0]["id"]]})).await;
    confirm(&rest, &second).await;
    check_uses(&rest, &promotion, &[("A", 1), ("B", 1)]).await;
    check_used_up(&reserve_quote(&rest, &quotes[2]).await, "A");
    release(&rest, &first, json!({})).await;
    check_uses(&rest, &promotion, &[("A", 0), ("B", 1)]).await;
    let third = reserve_quote(&rest, &quotes[2]).await;
    assert_eq!(third.expect(201)["reservation"]["codes"], json!(["A"]));
    check_uses(&rest, &promotion, &[("A", 1), ("B", 1)]).await;
    // The limit can be lowered below the uses, and raised.
    change(&rest, &promotion, json!({"max_uses": 1})).await;
    assert_eq!(refusal(&rest, coded(&show, ("eve", 1), &["A"])).await.0, USED_UP);
    change(&rest, &promotion, json!({"max_uses": 3})).await;
    reserve_coded(&rest, &show, ("eve", 1), &["a"]).await.expect(201);
    assert_eq!(uses(&rest, &promotion).await, 3);
}

async fn uses_of_each_buyer_are_limited(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 1_000).await;
    let promotion = promotion(&rest, percent_off("10", &["A", "B"], json!({"max_uses_per_buyer": 1}))).await;
    let mut quotes = Vec::new();
    for buyer in ["ann", "ann", "ben"] {
        quotes.push(keep_coded(&rest, &show, (buyer, 1), &["A"]).await);
    }
    let first = id(&reserve_quote(&rest, &quotes[0]).await);
    check_used_up(&reserve_quote(&rest, &quotes[1]).await, "A");
    // All codes of the promotion count together.
    let refused = refusal(&rest, coded(&show, ("ann", 1), &["B"])).await;
    assert_eq!(refused, (BUYER_LIMIT.to_owned(), json!([])));
    assert_eq!(faults(&reserve_coded(&rest, &show, ("ann", 1), &["B"]).await), ["codes"]);
    reserve_quote(&rest, &quotes[2]).await.expect(201);
    check_uses(&rest, &promotion, &[("A", 2), ("B", 0)]).await;
    release(&rest, &first, json!({})).await;
    reserve_quote(&rest, &quotes[1]).await.expect(201);
    check_uses(&rest, &promotion, &[("A", 2), ("B", 0)]).await;
}

async fn uses_of_each_code_are_limited(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 1_000).await;
    let promotion = promotion(&rest, percent_off("10", &["A", "B"], json!({"max_uses_per_code": 1}))).await;
    let mut quotes = Vec::new();
    for (buyer, code) in [("ann", "A"), ("ben", "A"), ("ann", "B")] {
        quotes.push(keep_coded(&rest, &show, (buyer, 1), &[code]).await);
    }
    reserve_quote(&rest, &quotes[0]).await.expect(201);
    check_used_up(&reserve_quote(&rest, &quotes[1]).await, "A");
    assert_eq!(refusal(&rest, coded(&show, ("cem", 1), &["A"])).await, (USED_UP.to_owned(), json!([])));
    reserve_quote(&rest, &quotes[2]).await.expect(201);
    check_uses(&rest, &promotion, &[("A", 1), ("B", 1)]).await;
}

async fn use_comes_back_when_the_hold_ends(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let limits = json!({"max_uses": 1, "max_uses_per_buyer": 1, "max_uses_per_code": 1});
    let promotion = promotion(&rest, percent_off("10", &["ONCE"], limits)).await;
    let brief = json!({"hold_seconds": 1, "hold_min_seconds": 1});
    let show = crate::reservations::show(&rest, 10, brief).await;
    let path = format!("/v1/promotions/{promotion}");
    let is_unused = |answer: &Answer| done(answer)["promotion"]["uses"] == 0;
    let expired = id(&reserve_coded(&rest, &show, ("ann", 2), &["ONCE"]).await);
    until(&rest, &path, is_unused).await;
    let ended = rest.get(&format!("/v1/reservations/{expired}")).await;
    assert_eq!(done(&ended)["reservation"]["state"], "expired");
    check_uses(&rest, &promotion, &[("ONCE", 0)]).await;
    // The buyer can use it again, and a cancelled event gives it back.
    let longer = json!({"hold_seconds": 600});
    done(&rest.patch(&format!("/v1/events/{}", show.0), longer).await);
    let held = id(&reserve_coded(&rest, &show, ("ann", 1), &["ONCE"]).await);
    check_uses(&rest, &promotion, &[("ONCE", 1)]).await;
    done(&rest.patch(&format!("/v1/events/{}", show.0), json!({"status": "cancelled"})).await);
    until(&rest, &path, is_unused).await;
    let ended = rest.get(&format!("/v1/reservations/{held}")).await;
    assert_eq!(done(&ended)["reservation"]["state"], "released");
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_reservation_is_one_use() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 1_000).await;
    let promotion = promotion(&rest, percent_off("10", &["ONCE"], json!({"max_uses": 1}))).await;
    let attempt = |body: Value| {
        let request = rest.request(reqwest::Method::POST, "/v1/reservations").header("idempotency-key", "k");
        rest.send(request.json(&body))
    };
    let body = coded(&show, ("ann", 1), &["ONCE"]);
    let first = attempt(body.clone()).await;
    assert_eq!(first.expect(201)["reservation"]["total"]["amount"], 900);
    // The code is used up by the first attempt, whose answer is repeated nevertheless.
    let again = attempt(body).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.body["reservation"], first.body["reservation"]);
    check_uses(&rest, &promotion, &[("ONCE", 1)]).await;
}
