//! Ticket codes: forged ones, those of other events and of former keys, and offline verification.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::BASE32_NOPAD;
use reqwest::Method;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Sold, check_in, sold, ticket, validate};
use crate::harness::{Kind, Rest};
use crate::tracker::{done, memory, on, on_every_store};

on_every_store! {
    codes_of_other_events_are_refused
    rotated_key_signs_and_former_keys_are_kept_or_revoked
}

/// Returns the code with one letter changed.
pub(super) fn altered(code: &str, place: usize) -> String {
    let mut bytes = code.as_bytes().to_vec();
    bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).unwrap()
}

async fn codes_of_other_events_are_refused(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (here, there) = (sold(&rest, 1, json!({})).await, sold(&rest, 1, json!({})).await);
    rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await.expect(201);
    let key = json!({"name": "theirs", "roles": ["admin"], "tenant": "acme"});
    let key = rest.post("/v1/keys", key).await.expect(201)["secret"].as_str().unwrap().to_owned();
    let theirs = sold(&rest.with_key(Some(&key)), 1, json!({})).await;
    let code = here.code(0);
    let forged = [
        ("its number", altered(code, 6)),
        ("its ticket", altered(code, 20)),
        ("its signature", altered(code, 135)),
        ("another event's", there.code(0).to_owned()),
        ("another tenant's", theirs.code(0).to_owned()),
    ];
    for (why, forged) in forged {
        let answer = check_in(&rest, &here.event, "North", json!({"qr_code": forged})).await;
        assert_eq!(answer.code(409), "CODE_NOT_AUTHENTIC", "{why}");
        let verdict = validate(&rest, &here.event, json!({"qr_code": forged})).await;
        assert_eq!(verdict, (false, "CODE_NOT_AUTHENTIC".to_owned()), "{why}");
    }
    for rubbish in [altered(code, 0), code[1..].to_owned(), format!("{code}A"), "ü".to_owned()] {
        let answer = check_in(&rest, &here.event, "North", json!({"qr_code": rubbish})).await;
        assert_eq!(answer.expect(400)["violations"][0]["field"], "qr_code");
    }
    assert_eq!(ticket(&rest, here.id(0)).await["entries"], 0);
    // Case and surrounding white space are ignored: scanners and keyboards differ in them.
    let typed = format!(" {}\n", code.to_lowercase());
    done(&check_in(&rest, &here.event, "North", json!({"qr_code": typed})).await);
}

async fn rotated_key_signs_and_former_keys_are_kept_or_revoked(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 3, json!({})).await;
    let keys = async || {
        let keys = rest.get("/v1/signing-keys").await;
        done(&keys)["keys"].as_array().unwrap().clone()
    };
    assert_eq!(keys().await.len(), 1);
    let answer = rest.send(rest.request(Method::POST, "/v1/signing-keys:rotate")).await;
    let key = done(&answer)["key"].clone();
    assert_eq!((&key["number"], &key["algorithm"]), (&json!(2), &json!("Ed25519")));
    assert_eq!(keys().await[1], key);
    // Without revocation, codes of the former key stay valid.
    let fresh = ticket(&rest, sold.id(1)).await["code"].as_str().unwrap().to_owned();
    assert_ne!(fresh, sold.code(1));
    done(&check_in(&rest, &sold.event, "North", json!({"qr_code": sold.code(0)})).await);
    done(&check_in(&rest, &sold.event, "North", json!({"qr_code": fresh})).await);
    let last = ticket(&rest, sold.id(2)).await["code"].as_str().unwrap().to_owned();
    done(&rest.post("/v1/signing-keys:rotate", json!({"revoke_former": true})).await);
    let all = keys().await;
    assert_eq!(all.iter().map(|key| key["revoked_at"].is_string()).collect::<Vec<_>>(), [true, true, false]);
    for void in [sold.code(2), &last] {
        let answer = check_in(&rest, &sold.event, "North", json!({"qr_code": void})).await;
        assert_eq!(answer.code(409), "CODE_REVOKED");
    }
    let good = ticket(&rest, sold.id(2)).await["code"].as_str().unwrap().to_owned();
    done(&check_in(&rest, &sold.event, "North", json!({"qr_code": good})).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn live_signing_keys_are_bounded_so_that_one_rotation_revokes_all() {
    let (_home, _host, rest) = memory().await;
    let rotate = async |body: Value| rest.post("/v1/signing-keys:rotate", body).await;
    for _ in 0..100 {
        done(&rotate(json!({})).await);
    }
    let refused = rotate(json!({})).await;
    assert_eq!(refused.code(413), "TOO_LARGE");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("at most 100") && detail.contains("revoke_former"), "{detail}");
    assert_eq!(done(&rotate(json!({"revoke_former": true})).await)["key"]["number"], 101);
    let keys = rest.get("/v1/signing-keys").await;
    let live = done(&keys)["keys"].as_array().unwrap().iter().filter(|key| key["revoked_at"].is_null());
    assert_eq!(live.map(|key| &key["number"]).collect::<Vec<_>>(), [101]);
    done(&rotate(json!({})).await);
}

/// Verifies a code offline with the fetched keys: the key's number, the serial, the ticket id, and whether the
/// signature is valid.
fn verify(keys: &Value, event: &str, code: &str) -> (u64, u16, String, bool) {
    let bytes = BASE32_NOPAD.decode(code.as_bytes()).unwrap();
    assert_eq!((bytes.len(), bytes[0]), (85, 1));
    let two = |place: usize| u16::from_be_bytes([bytes[place], bytes[place + 1]]);
    let (number, serial) = (u64::from(two(1)), two(3));
    let id = Uuid::from_slice(&bytes[5..21]).unwrap().to_string();
    let of = |text: &str| Uuid::parse_str(text).unwrap().into_bytes();
    let tenant = of(keys["tenant_id"].as_str().unwrap());
    let signed = [&b"tessera ticket 1"[..], &tenant, &of(event), &bytes[..21]].concat();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["number"] == number).unwrap();
    let public = STANDARD.decode(key["public_key"].as_str().unwrap()).unwrap();
    let good = UnparsedPublicKey::new(&ED25519, public).verify(&signed, &bytes[21..]).is_ok();
    (number, serial, id, good)
}

#[tokio::test(flavor = "multi_thread")]
async fn scanner_verifies_codes_offline() {
    let (_home, _host, rest) = memory().await;
    let sold: Sold = sold(&rest, 1, json!({})).await;
    done(&rest.send(rest.request(Method::POST, "/v1/signing-keys:rotate")).await);
    let moved = rest.post(&format!("/v1/tickets/{}:transfer", sold.id(0)), json!({"holder": "ben"})).await;
    let moved = done(&moved)["ticket"]["code"].as_str().unwrap().to_owned();
    // The signing keys are public: no API key is needed.
    let public: Rest = rest.with_key(None);
    let keys = public.get("/v1/signing-keys").await;
    let keys = done(&keys);
    let id = sold.id(0).to_owned();
    assert_eq!(verify(keys, &sold.event, sold.code(0)), (1, 1, id.clone(), true));
    assert_eq!(verify(keys, &sold.event, &moved), (2, 2, id.clone(), true));
    assert_eq!(verify(keys, sold.id(0), &moved), (2, 2, id, false));
    assert!(!verify(keys, &sold.event, &altered(&moved, 100)).3);
}
