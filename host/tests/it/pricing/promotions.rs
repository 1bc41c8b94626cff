//! Promotions: what their codes take off, where they are accepted, and what still holds when they have changed.

mod access_codes;
mod apply_discount;
mod bulk;
mod guesses;
mod limits;
mod trials;
mod vouchers;

use serde_json::{Value, json};
use time::Duration;

use super::rules::from_now;
use super::{basket, event, keep, other_tenant, percent, price, rule, show, ticket_type, total, with};
use crate::harness::{Answer, Kind, Rest};
use crate::plugins::install;
use crate::reservations::{counts, create, id};
use crate::tracker::{all_pages, done, faults, memory, on, on_every_store, until};

on_every_store! {
    codes_reduce_quotes_and_reservations_exactly
    code_is_accepted_where_its_promotion_applies
    quoted_price_is_paid_although_the_promotion_changed
    deleted_code_refuses_a_kept_quote
}

/// An event with its ticket type.
type Show = (String, String);

/// Creates a promotion; returns its id.
async fn promotion(rest: &Rest, body: Value) -> String {
    create(rest, "/v1/promotions", body, "promotion").await
}

/// Returns a promotion of a percentage with its first codes.
fn percent_off(percent: &str, codes: &[&str], more: Value) -> Value {
    with(json!({"name": format!("{percent} % off"), "percent": percent, "codes": codes}), more)
}

/// Returns a promotion of an amount in EUR with its first codes.
fn amount_off(amount: i64, per: &str, codes: &[&str], more: Value) -> Value {
    let body = json!({
        "name": format!("{amount} off"), "amount": {"amount": amount, "currency": "EUR"}, "per": per, "codes": codes,
    });
    with(body, more)
}

/// Reads a promotion.
async fn read(rest: &Rest, id: &str) -> Value {
    done(&rest.get(&format!("/v1/promotions/{id}")).await)["promotion"].clone()
}

/// Changes a promotion.
async fn change(rest: &Rest, id: &str, body: Value) {
    done(&rest.patch(&format!("/v1/promotions/{id}"), body).await);
}

/// Returns the number of reservations with codes of a promotion.
async fn uses(rest: &Rest, id: &str) -> u64 {
    read(rest, id).await["uses"].as_u64().unwrap()
}

/// Returns a basket of units of one ticket type with codes, for a buyer.
fn coded((event, ticket_type): &Show, (buyer, units): (&str, u32), codes: &[&str]) -> Value {
    with(basket(event, &[(ticket_type, units)]), json!({"user_id": buyer, "codes": codes}))
}

/// Reserves units of one ticket type with codes.
async fn reserve_coded(rest: &Rest, show: &Show, bought: (&str, u32), codes: &[&str]) -> Answer {
    rest.post("/v1/reservations", coded(show, bought, codes)).await
}

/// Keeps a quote in which all codes are accepted; returns its id.
async fn keep_coded(rest: &Rest, show: &Show, bought: (&str, u32), codes: &[&str]) -> String {
    let (priced, quote) = keep(rest, coded(show, bought, codes)).await;
    assert_eq!((&priced["codes"], &priced["refused_codes"]), (&json!(codes), &json!([])), "{priced:#}");
    quote
}

/// Reserves what a quote has.
async fn reserve_quote(rest: &Rest, quote: &str) -> Answer {
    rest.post("/v1/reservations", json!({"quote_id": quote})).await
}

/// Releases a reservation, wholly or in part.
async fn release(rest: &Rest, reservation: &str, body: Value) {
    done(&rest.post(&format!("/v1/reservations/{reservation}:release"), body).await);
}

/// Confirms a reservation.
async fn confirm(rest: &Rest, reservation: &str) {
    let path = format!("/v1/reservations/{reservation}:confirm");
    done(&rest.post(&path, json!({"payment_reference": "p"})).await);
}

/// Returns why the only refused code of a basket is refused, and the codes that are accepted beside it.
async fn refusal(rest: &Rest, basket: Value) -> (String, Value) {
    let priced = price(rest, basket).await;
    let refused = priced["refused_codes"].as_array().unwrap();
    assert_eq!(refused.len(), 1, "{priced:#}");
    (refused[0]["reason"].as_str().unwrap().to_owned(), priced["codes"].clone())
}

/// Returns the amounts of adjustments with their codes.
fn amounts(price: &Value) -> Vec<(i64, Option<String>)> {
    let steps = price["adjustments"].as_array().unwrap().iter();
    let amount = |step: &Value| step["amount"]["amount"].as_i64().unwrap();
    steps.map(|step| (amount(step), step["code"].as_str().map(str::to_owned))).collect()
}

async fn codes_reduce_quotes_and_reservations_exactly(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 1_250).await;
    rule(&rest, percent("discount", "20", json!({}))).await;
    rule(&rest, percent("fee", "10", json!({}))).await;
    let both = json!({"combinable": true});
    let friends = promotion(&rest, percent_off("12.5", &["Friends"], both.clone())).await;
    let minus = promotion(&rest, amount_off(300, "order", &["MINUS-3"], both)).await;
    let own = |amount: i64| (amount, None);
    let of = |amount: i64, code: &str| (amount, Some(code.to_owned()));
    // The codes apply in their order, after discounts and before fees: 12.5 % of 2,000, and 10 % of 1,450.
    let (priced, quote) = keep(&rest, coded(&show, ("ann", 2), &["friends", "Minus-3"])).await;
    let by_hand = [own(-500), of(-250, "friends"), of(-300, "Minus-3"), own(145)];
    assert_eq!((amounts(&priced), total(&priced)), (by_hand.to_vec(), 1_595));
    assert_eq!(priced["discount_amount"]["amount"], 1_050);
    assert_eq!((&priced["codes"], &priced["refused_codes"]), (&json!(["friends", "Minus-3"]), &json!([])));
    assert_eq!(priced["discount_reason"], "discount of 20 %; 12.5 % off; 300 off");
    let sources = [1, 2].map(|step| priced["adjustments"][step]["source"].clone());
    assert_eq!(sources, [json!(format!("promotion:{friends}@1")), json!(format!("promotion:{minus}@1"))]);
    // 12.5 % of 1,700 are 212.5, which is rounded to even, and 10 % of 1,488 are 148.8.
    let other_order = price(&rest, coded(&show, ("ann", 2), &["MINUS-3", "FRIENDS"])).await;
    let by_hand = [own(-500), of(-300, "MINUS-3"), of(-212, "FRIENDS"), own(149)];
    assert_eq!((amounts(&other_order), total(&other_order)), (by_hand.to_vec(), 1_637));

    let stored = rest.get(&format!("/v1/quotes/{quote}")).await.expect(200)["quote"].clone();
    assert_eq!((&stored["adjustments"], &stored["codes"]), (&priced["adjustments"], &priced["codes"]));
    let reserved = reserve_quote(&rest, &quote).await;
    let reservation = reserved.expect(201)["reservation"].clone();
    assert_eq!(reservation["total"], json!({"amount": 1595, "currency": "EUR"}));
    assert_eq!(reservation["codes"], json!(["FRIENDS", "MINUS-3"]));
    confirm(&rest, &id(&reserved)).await;
    let sold = rest.get(&format!("/v1/reservations/{}", id(&reserved))).await;
    let sold = &done(&sold)["reservation"];
    assert_eq!((&sold["codes"], &sold["total"]), (&reservation["codes"], &reservation["total"]));
    // Without a quote that is named, the same price.
    let reserved = reserve_coded(&rest, &show, ("ben", 2), &["FRIENDS", "minus-3"]).await;
    assert_eq!(reserved.expect(201)["reservation"]["total"]["amount"], 1_595);
    assert_eq!((uses(&rest, &friends).await, uses(&rest, &minus).await), (2, 2));
    // A code that is entered twice is used once.
    let twice = refusal(&rest, coded(&show, ("ann", 2), &["friends", "FRIENDS"])).await;
    assert_eq!(twice, ("the code cannot be combined with another".to_owned(), json!(["friends"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn discounts_apply_to_their_lines_and_end_at_zero() {
    let (_home, _host, rest) = memory().await;
    let event = event(&rest, json!({})).await;
    let stalls = ticket_type(&rest, &event, (1_000, "EUR")).await;
    let circle = ticket_type(&rest, &event, (500, "EUR")).await;
    let of_circle = json!({"ticket_type_ids": [circle]});
    promotion(&rest, percent_off("50", &["HALF"], of_circle.clone())).await;
    promotion(&rest, amount_off(700, "unit", &["FREE"], of_circle)).await;
    promotion(&rest, amount_off(100, "order", &["HUNDRED"], json!({}))).await;
    promotion(&rest, amount_off(100_000, "order", &["ALL"], json!({}))).await;
    let totals = async |code: &str| {
        let bought = basket(&event, &[(&stalls, 3), (&circle, 1)]);
        let priced = price(&rest, with(bought, json!({"discount_code": code}))).await;
        assert_eq!(priced["codes"], json!([code]), "{priced:#}");
        [0, 1].map(|line| priced["lines"][line]["total"]["amount"].as_i64().unwrap())
    };
    assert_eq!(totals("HALF").await, [3_000, 250]);
    assert_eq!(totals("FREE").await, [3_000, 0]);
    // 100 spread over 3,000 and 500: 85.71 and 14.29.
    assert_eq!(totals("HUNDRED").await, [2_914, 486]);
    assert_eq!(totals("ALL").await, [0, 0]);
}

/// The code of a plugin is accepted in any case, also for a basket that another code has made free.
#[tokio::test(flavor = "multi_thread")]
async fn code_of_a_plugin_is_accepted_for_a_free_basket() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 1_000).await;
    promotion(&rest, percent_off("100", &["ALL"], json!({}))).await;
    let codes = json!({"codes": [{"code": "FRIENDS", "percent": "10"}]});
    install(&rest, "loyalty", json!({"settings": codes})).await;
    let priced = price(&rest, coded(&show, ("ann", 1), &["friends"])).await;
    assert_eq!((total(&priced), &priced["codes"]), (900, &json!(["friends"])));
    let priced = price(&rest, coded(&show, ("ann", 1), &["ALL", "friends"])).await;
    assert_eq!((&priced["codes"], &priced["refused_codes"]), (&json!(["ALL", "friends"]), &json!([])));
    let of = |amount: i64, code: &str| (amount, Some(code.to_owned()));
    assert_eq!(amounts(&priced), [of(-1_000, "ALL"), of(0, "friends")]);
    let reserved = reserve_coded(&rest, &show, ("ann", 1), &["ALL", "friends"]).await;
    assert_eq!(reserved.expect(201)["reservation"]["total"]["amount"], 0);
}

async fn code_is_accepted_where_its_promotion_applies(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (here, other) = (show(&rest, 1_000).await, show(&rest, 1_000).await);
    let circle = ticket_type(&rest, &here.0, (500, "EUR")).await;
    let yen = event(&rest, json!({})).await;
    let yen = (yen.clone(), ticket_type(&rest, &yen, (1_000, "JPY")).await);
    let [yesterday, tomorrow] = [-1, 1].map(|days| from_now(Duration::days(days)));
    for (code, more) in [
        ("FRIDAY", json!({"valid_from": yesterday, "valid_until": tomorrow})),
        ("EARLY", json!({"valid_from": tomorrow})),
        ("LATE", json!({"valid_until": yesterday})),
        ("OFF", json!({"enabled": false})),
        ("HERE", json!({"event_id": here.0})),
        ("CIRCLE", json!({"ticket_type_ids": [circle]})),
        ("THREE", json!({"min_quantity": 3})),
        ("TOGETHER", json!({"combinable": true})),
    ] {
        promotion(&rest, percent_off("10", &[code], more)).await;
    }
    promotion(&rest, amount_off(100, "order", &["EUROS"], json!({}))).await;
    let invalid = "the code is not valid";
    let elsewhere = "the code is not for this basket";
    // Each case has a buyer of its own, since refused codes of one buyer are limited.
    for (number, (show, units, code, reason)) in [
        (&here, 1, "FRIDAY", None),
        (&here, 1, "HERE", None),
        (&here, 3, "THREE", None),
        (&here, 1, "TOGETHER", None),
        (&here, 1, "NONE", Some(invalid)),
        (&here, 1, "EARLY", Some(invalid)),
        (&here, 1, "OFF", Some(invalid)),
        (&other, 1, "HERE", Some(invalid)),
        (&here, 1, "LATE", Some("the code has expired")),
        (&here, 1, "CIRCLE", Some(elsewhere)),
        (&here, 2, "THREE", Some(elsewhere)),
        (&yen, 1, "EUROS", Some(elsewhere)),
    ]
    .into_iter()
    .enumerate()
    {
        let buyer = format!("buyer {number}");
        let bought = coded(show, (&buyer, units), &[code]);
        let base = i64::from(units) * 1_000;
        let Some(reason) = reason else {
            assert_eq!(total(&price(&rest, bought).await), base * 9 / 10, "{code}");
            continue;
        };
        assert_eq!(refusal(&rest, bought.clone()).await, (reason.to_owned(), json!([])), "{code}");
        // A reservation without the discount is not what the buyer wants.
        let refused = rest.post("/v1/reservations", bought).await;
        assert_eq!(faults(&refused), ["codes"], "{code}");
        let message = refused.body["violations"][0]["message"].as_str().unwrap();
        assert!(message.contains(code) && message.contains(reason), "{message}");
    }
    // The ticket types are those of one line, and only its units count.
    let body = json!({"user_id": "mia", "codes": ["CIRCLE"]});
    let mixed = price(&rest, with(basket(&here.0, &[(&here.1, 1), (&circle, 1)]), body)).await;
    assert_eq!(total(&mixed), 1_450);
    let alone = (String::from("the code cannot be combined with another"), json!(["TOGETHER"]));
    assert_eq!(refusal(&rest, coded(&here, ("tom", 1), &["TOGETHER", "FRIDAY"])).await, alone);
    assert_eq!(counts(&rest, &here.0).await, [0, 0, 0]);
    // Promotions are those of one tenant.
    let theirs = other_tenant(&rest).await;
    let their_show = show(&theirs, 1_000).await;
    let refused = refusal(&theirs, coded(&their_show, ("ann", 1), &["FRIDAY"])).await;
    assert_eq!(refused, (invalid.to_owned(), json!([])));
    let id = promotion(&rest, percent_off("10", &["MINE"], json!({}))).await;
    assert_eq!(theirs.get(&format!("/v1/promotions/{id}")).await.code(404), "PROMOTION_NOT_FOUND");
    // The same code can be theirs as well, and is unique for each tenant.
    promotion(&theirs, percent_off("50", &["FRIDAY"], json!({}))).await;
    let taken = rest.post("/v1/promotions", percent_off("50", &["FRESH", "friday"], json!({}))).await;
    assert!(
        taken.expect(409)["detail"].as_str().unwrap().to_uppercase().contains("FRIDAY"),
        "{:#}",
        taken.body
    );
    assert_eq!(refusal(&rest, coded(&here, ("eve", 1), &["FRESH"])).await.0, invalid);
}

async fn quoted_price_is_paid_although_the_promotion_changed(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 1_000).await;
    let id = promotion(&rest, percent_off("10", &["TEN"], json!({}))).await;
    let quotes = [
        keep_coded(&rest, &show, ("ann", 1), &["TEN"]).await,
        keep_coded(&rest, &show, ("ben", 1), &["TEN"]).await,
    ];
    change(&rest, &id, json!({"percent": "50", "name": "Half"})).await;
    assert_eq!(total(&price(&rest, coded(&show, ("cem", 1), &["TEN"])).await), 500);
    for quote in &quotes {
        let stored = rest.get(&format!("/v1/quotes/{quote}")).await;
        assert_eq!(done(&stored)["quote"]["final_price"]["amount"], 900);
    }
    let reserved = reserve_quote(&rest, &quotes[0]).await;
    assert_eq!(reserved.expect(201)["reservation"]["total"]["amount"], 900);
    // It holds as well when codes are accepted no more.
    change(&rest, &id, json!({"enabled": false, "valid_until": from_now(Duration::days(-1))})).await;
    let reserved = reserve_quote(&rest, &quotes[1]).await;
    assert_eq!(reserved.expect(201)["reservation"]["total"]["amount"], 900);
    assert_eq!(uses(&rest, &id).await, 2);
    let stale = rest.request(reqwest::Method::PATCH, &format!("/v1/promotions/{id}"));
    let stale = rest.send(stale.header("if-match", "\"1\"").json(&json!({"enabled": true}))).await;
    assert_eq!(stale.code(412), "VERSION_MISMATCH");
}

async fn deleted_code_refuses_a_kept_quote(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 1_000).await;
    let first = promotion(&rest, percent_off("10", &["ONE", "TWO"], json!({}))).await;
    let second = promotion(&rest, percent_off("20", &["THREE"], json!({}))).await;
    let mut quotes = Vec::new();
    for (buyer, code) in [("ann", "ONE"), ("ben", "TWO"), ("cem", "THREE"), ("dan", "THREE")] {
        quotes.push(keep_coded(&rest, &show, (buyer, 1), &[code]).await);
    }
    let sold = reserve_quote(&rest, &quotes[2]).await;
    confirm(&rest, &id(&sold)).await;
    done(&rest.delete(&format!("/v1/promotions/{first}/codes/two")).await);
    done(&rest.delete(&format!("/v1/promotions/{second}")).await);
    for (quote, code) in [(&quotes[1], "TWO"), (&quotes[3], "THREE")] {
        let refused = reserve_quote(&rest, quote).await;
        assert_eq!(refused.code(409), "CODE_NOT_VALID");
        assert!(refused.body["detail"].as_str().unwrap().contains(code), "{:#}", refused.body);
    }
    assert_eq!(counts(&rest, &show.0).await, [0, 1, 0]);
    // The other code is accepted, and what was sold stays as it is.
    reserve_quote(&rest, &quotes[0]).await.expect(201);
    let path = format!("/v1/reservations/{}", id(&sold));
    let reservation = done(&rest.get(&path).await)["reservation"].clone();
    assert_eq!((&reservation["codes"], &reservation["total"]["amount"]), (&json!(["THREE"]), &json!(800)));
    let left = read(&rest, &first).await;
    assert_eq!((&left["code_count"], &left["uses"]), (&json!(1), &json!(1)));
    assert_eq!(rest.get(&format!("/v1/promotions/{second}")).await.code(404), "PROMOTION_NOT_FOUND");
    for fact_type in ["promotion.deleted", "promotion.code_deleted"] {
        let path = format!("/v1/audit?filter=type:{fact_type}");
        until(&rest, &path, |answer| answer.expect(200)["facts"].as_array().unwrap().len() == 1).await;
    }
    let codes = all_pages(&rest, &format!("/v1/promotions/{first}/codes"), "codes", 1).await;
    assert_eq!((codes.len(), &codes[0]["code"]), (1, &json!("ONE")));
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_promotion_names_its_field() {
    let (_home, _host, rest) = memory().await;
    let (here, other) = (show(&rest, 1_000).await, show(&rest, 1_000).await);
    let [sooner, later] = [1, 2].map(|days| from_now(Duration::days(days)));
    let long = "C".repeat(41);
    for (body, field) in [
        (percent_off("100.0001", &[], json!({})), "percent"),
        (percent_off("10", &[], json!({"name": ""})), "name"),
        (percent_off("10", &[], json!({"min_quantity": 0})), "min_quantity"),
        (percent_off("10", &[], json!({"max_uses": 0})), "max_uses"),
        (percent_off("10", &[], json!({"max_uses_per_buyer": 0})), "max_uses_per_buyer"),
        (percent_off("10", &[], json!({"max_uses_per_code": -1})), "max_uses_per_code"),
        (percent_off("10", &[], json!({"valid_from": later, "valid_until": sooner})), "valid_until"),
        (
            percent_off("10", &[], json!({"event_id": here.0, "ticket_type_ids": [other.1]})),
            "ticket_type_ids",
        ),
        (percent_off("10", &["TWO WORDS"], json!({})), "codes[0]"),
        (percent_off("10", &["FINE", &long], json!({})), "codes[1]"),
        (amount_off(-1, "order", &[], json!({})), "amount"),
        (amount_off(100, "week", &[], json!({})), "per"),
    ] {
        let refused = rest.post("/v1/promotions", body).await;
        let fields = faults(&refused);
        assert!(fields.iter().any(|name| name.starts_with(field)), "{field}: {fields:?}");
    }
    rest.post("/v1/promotions", with(amount_off(1, "order", &[], json!({})), json!({"percent": "5"})))
        .await
        .expect(422);
    let none = rest.get("/v1/promotions").await;
    assert_eq!(done(&none)["promotions"], json!([]));
    let viewer = rest.with_key(Some(&rest.new_key(&["viewer"], None).await));
    let refused = viewer.post("/v1/promotions", percent_off("10", &["X"], json!({}))).await;
    assert_eq!(refused.code(403), "PERMISSION_DENIED");
}
