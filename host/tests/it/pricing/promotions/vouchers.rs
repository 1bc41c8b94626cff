//! Vouchers: codes that keep units of a ticket type free for their holders.

use serde_json::{Value, json};
use time::Duration;

use super::{change, confirm, from_now, promotion, release, reserve_coded};
use crate::harness::{Answer, Kind, Rest};
use crate::reservations::{counts, id, reserve, show};
use crate::tracker::{all_pages, done, faults, memory, on, on_every_store, until};

on_every_store! {
    last_units_are_kept_for_the_holder
    units_are_freed_when_their_promotion_or_code_is_gone
}

/// Creates a promotion that gives nothing by itself.
async fn guests(rest: &Rest, name: &str) -> String {
    promotion(rest, json!({"name": name})).await
}

/// Creates a code that keeps units of a ticket type.
async fn keep_units(rest: &Rest, promotion: &str, code: &str, (ticket_type, units): (&str, u32)) -> Answer {
    let body = json!({"codes": [code], "kept_ticket_type_id": ticket_type, "kept_units": units});
    rest.post(&format!("/v1/promotions/{promotion}/codes"), body).await
}

/// Returns the units that each code of a promotion keeps now.
async fn kept(rest: &Rest, promotion: &str) -> Vec<Value> {
    let codes = all_pages(rest, &format!("/v1/promotions/{promotion}/codes"), "codes", 50).await;
    codes.iter().map(|code| code["kept_units"].clone()).collect()
}

/// Waits until no units of an event are locked.
async fn nothing_is_locked(rest: &Rest, event: &str) {
    let is_free = |answer: &Answer| {
        let pools = done(answer)["pools"].as_array().unwrap();
        pools.iter().all(|pool| pool["locked"] == 0)
    };
    until(rest, &format!("/v1/events/{event}/inventory"), is_free).await;
}

async fn last_units_are_kept_for_the_holder(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sale = show(&rest, 5, json!({})).await;
    let promotion = guests(&rest, "Guests").await;
    done(&keep_units(&rest, &promotion, "guest-1", (&sale.1, 2)).await);
    assert_eq!(counts(&rest, &sale.0).await, [0, 0, 2]);
    // No more can be kept than is free.
    keep_units(&rest, &promotion, "GUEST-2", (&sale.1, 4)).await.expect(409);
    id(&reserve(&rest, &sale, "ben", 3).await);
    let refused = async |bought: (&str, u32), codes: &[&str]| {
        let answer = reserve_coded(&rest, &sale, bought, codes).await;
        assert_eq!(answer.code(409), "INVENTORY_EXHAUSTED", "{bought:?} {codes:?}");
    };
    refused(("cem", 1), &[]).await;
    refused(("ann", 3), &["GUEST-1"]).await;
    let reserved = reserve_coded(&rest, &sale, ("ann", 2), &["Guest-1"]).await;
    let reservation = &reserved.expect(201)["reservation"];
    assert_eq!(
        (&reservation["codes"], &reservation["total"]["amount"]),
        (&json!(["GUEST-1"]), &json!(2_500))
    );
    assert_eq!((counts(&rest, &sale.0).await, kept(&rest, &promotion).await), ([5, 0, 0], vec![json!(0)]));
    // Nothing is kept any more for whoever else knows the code.
    refused(("dan", 1), &["GUEST-1"]).await;
    // What the holder gives back is kept again.
    release(&rest, &id(&reserved), json!({"ticket_ids": [reservation["tickets"][0]["id"]]})).await;
    assert_eq!((counts(&rest, &sale.0).await, kept(&rest, &promotion).await), ([4, 0, 1], vec![json!(1)]));
    refused(("cem", 1), &[]).await;
    release(&rest, &id(&reserved), json!({})).await;
    assert_eq!((counts(&rest, &sale.0).await, kept(&rest, &promotion).await), ([3, 0, 2], vec![json!(2)]));
    refused(("cem", 1), &[]).await;
    // A sale takes them for good.
    let reserved = reserve_coded(&rest, &sale, ("ann", 1), &["GUEST-1"]).await;
    confirm(&rest, &id(&reserved)).await;
    assert_eq!((counts(&rest, &sale.0).await, kept(&rest, &promotion).await), ([3, 1, 1], vec![json!(1)]));
    // A promotion that is over keeps nothing.
    change(&rest, &promotion, json!({"valid_until": from_now(Duration::minutes(-1))})).await;
    nothing_is_locked(&rest, &sale.0).await;
    assert_eq!(kept(&rest, &promotion).await, [json!(0)]);
    id(&reserve(&rest, &sale, "cem", 1).await);
    assert_eq!(counts(&rest, &sale.0).await, [4, 1, 0]);
}

async fn units_are_freed_when_their_promotion_or_code_is_gone(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sale = show(&rest, 9, json!({})).await;
    let (first, second) = (guests(&rest, "Press").await, guests(&rest, "Band").await);
    for (promotion, code, units) in [(&first, "P-1", 1), (&first, "P-2", 2), (&second, "B-1", 4)] {
        done(&keep_units(&rest, promotion, code, (&sale.1, units)).await);
    }
    assert_eq!(counts(&rest, &sale.0).await, [0, 0, 7]);
    let held = reserve_coded(&rest, &sale, ("ann", 1), &["P-2"]).await;
    assert_eq!(counts(&rest, &sale.0).await, [1, 0, 6]);
    done(&rest.delete(&format!("/v1/promotions/{first}/codes/P-1")).await);
    assert_eq!(counts(&rest, &sale.0).await, [1, 0, 5]);
    done(&rest.delete(&format!("/v1/promotions/{first}")).await);
    assert_eq!(counts(&rest, &sale.0).await, [1, 0, 4]);
    // What a reservation took is free when it comes back without its code.
    release(&rest, &id(&held), json!({})).await;
    assert_eq!(counts(&rest, &sale.0).await, [0, 0, 4]);
    let held = reserve_coded(&rest, &sale, ("ben", 3), &["B-1"]).await;
    change(&rest, &second, json!({"enabled": false})).await;
    nothing_is_locked(&rest, &sale.0).await;
    assert_eq!(counts(&rest, &sale.0).await, [3, 0, 0]);
    release(&rest, &id(&held), json!({})).await;
    assert_eq!((counts(&rest, &sale.0).await, kept(&rest, &second).await), ([0, 0, 0], vec![json!(0)]));
    id(&reserve(&rest, &sale, "cem", 9).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_kept_only_where_the_promotion_stays() {
    let (_home, _host, rest) = memory().await;
    let (here, other) = (show(&rest, 5, json!({})).await, show(&rest, 5, json!({})).await);
    let promotion = guests(&rest, "Guests").await;
    done(&keep_units(&rest, &promotion, "G-1", (&here.1, 1)).await);
    let moved = rest.patch(&format!("/v1/promotions/{promotion}"), json!({"event_id": other.0})).await;
    assert_eq!(moved.code(409), "PROMOTION_KEEPS_UNITS");
    change(&rest, &promotion, json!({"event_id": here.0})).await;
    // No codes keep units of an event that is over.
    let press = guests(&rest, "Press").await;
    for status in ["cancelled", "ended"] {
        let over = show(&rest, 5, json!({})).await;
        done(&rest.patch(&format!("/v1/events/{}", over.0), json!({"status": status})).await);
        let refused = keep_units(&rest, &press, "P-1", (&over.1, 1)).await;
        assert_eq!(faults(&refused), ["kept_ticket_type_id"], "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promotion_whose_codes_keep_too_many_units_is_not_deleted() {
    let (_home, _host, rest) = memory().await;
    let sale = show(&rest, 10_001, json!({})).await;
    let promotion = guests(&rest, "Everybody").await;
    let path = format!("/v1/promotions/{promotion}");
    let many = json!({"count": 10_000, "prefix": "ALL-", "kept_ticket_type_id": sale.1, "kept_units": 1});
    done(&rest.post(&format!("{path}/codes"), many).await);
    done(&keep_units(&rest, &promotion, "LAST", (&sale.1, 1)).await);
    assert_eq!(rest.delete(&path).await.code(409), "PROMOTION_KEEPS_UNITS");
    done(&rest.delete(&format!("{path}/codes/LAST")).await);
    done(&rest.delete(&path).await);
    assert_eq!(counts(&rest, &sale.0).await, [0, 0, 0]);
}
