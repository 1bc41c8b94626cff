//! Hidden ticket types: callers with a key see them, others with an access code.

use serde_json::{Value, json};
use tessera_proto::ticket::v1::GetTicketTypesRequest;
use tessera_proto::ticket::v1::ticket_service_client::TicketServiceClient;

use super::{create, event, ticket_body, ticket_type};
use crate::harness::{Answer, Kind, Rest};
use crate::streams::client::EventReader;
use crate::tracker::{all_pages, done, faults, memory, on, on_every_store};

on_every_store! {
    hidden_ticket_type_is_shown_by_its_access_code_or_a_key
}

/// Creates a promotion whose code shows a ticket type; returns its path.
async fn promotion(rest: &Rest, code: &str, shown: &str) -> String {
    let body = json!({"name": code, "shown_ticket_type_ids": [shown], "codes": [code]});
    format!("/v1/promotions/{}", create(rest, "/v1/promotions", body, "promotion").await)
}

/// The ids of listed ticket types.
fn ids(answer: &Answer) -> Vec<String> {
    let types = answer.expect(200)["ticket_types"].as_array().unwrap();
    types.iter().map(|listed| listed["id"].as_str().unwrap().to_owned()).collect()
}

/// The ids of ticket types in the first message of an availability stream.
async fn streamed(rest: &Rest, path: &str) -> Vec<String> {
    let mut events = EventReader::open(rest, path, None).await.unwrap();
    let first: Value = serde_json::from_str(&events.event().await.unwrap().data).unwrap();
    let types = first["types"].as_array().unwrap();
    types.iter().map(|of_type| of_type["ticket_type_id"].as_str().unwrap().to_owned()).collect()
}

async fn hidden_ticket_type_is_shown_by_its_access_code_or_a_key(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let nobody = rest.with_key(None);
    let event = event(&rest, "Night", json!({})).await;
    let open = ticket_type(&rest, &event, json!({"quantity": 5})).await;
    let hidden = ticket_type(&rest, &event, json!({"hidden": true})).await;
    let other = ticket_type(&rest, &event, json!({"quantity": 3, "hidden": true})).await;
    let seats = json!({"seats": [{"row": "A", "number": 1}, {"row": "A", "number": 2}]});
    done(&rest.post(&format!("/v1/tickets/types/{hidden}/seats"), seats).await);
    let friends = promotion(&rest, "Friends", &hidden).await;
    promotion(&rest, "PRESS", &other).await;
    let path = format!("/v1/events/{event}");

    let lists = [format!("{path}/tickets?"), format!("/v1/tickets/types?event_id={event}&")];
    for list in &lists {
        assert_eq!(ids(&nobody.get(list).await), std::slice::from_ref(&open), "{list}");
        let with_code = nobody.get(&format!("{list}access_code=friends")).await;
        assert_eq!(ids(&with_code), [open.clone(), hidden.clone()], "{list}");
        let with_other = nobody.get(&format!("{list}access_code=PRESS")).await;
        assert_eq!(ids(&with_other), [open.clone(), other.clone()], "{list}");
        assert_eq!(ids(&rest.get(list).await), [open.clone(), hidden.clone(), other.clone()], "{list}");
        let page = nobody.get(&format!("{list}page_size=1")).await;
        assert_eq!(page.expect(200)["next_page_token"], "", "hidden ones take no place in a page");
    }
    let listed = all_pages(&rest, &lists[0], "ticket_types", 1).await;
    let flags: Vec<_> = listed.iter().map(|listed| listed["hidden"].clone()).collect();
    assert_eq!(flags, [json!(false), json!(true), json!(true)]);
    let with_code = format!("{}access_code=FRIENDS", lists[1]);
    assert_eq!(all_pages(&nobody, &with_code, "ticket_types", 1).await.len(), 2);

    for one in [
        format!("{path}/tickets/{hidden}?"),
        format!("/v1/tickets/types/{hidden}?"),
        format!("/v1/tickets/types/{hidden}/seats?"),
        format!("{path}/availability?ticket_type_id={hidden}&"),
    ] {
        assert_eq!(nobody.get(&one).await.code(404), "TICKET_TYPE_NOT_FOUND", "{one}");
        assert_eq!(nobody.get(&format!("{one}access_code=PRESS")).await.code(404), "TICKET_TYPE_NOT_FOUND");
        nobody.get(&format!("{one}access_code=Friends")).await.expect(200);
        rest.get(&one).await.expect(200);
    }
    nobody.get(&format!("/v1/tickets/{hidden}")).await.expect(404);
    let check = async |rest: &Rest, access_code: &str| {
        let body = json!({"ticket_type_id": hidden, "quantity": 1, "access_code": access_code});
        rest.post(&format!("{path}/availability:check"), body).await
    };
    assert_eq!(check(&nobody, "").await.code(404), "TICKET_TYPE_NOT_FOUND");
    assert_eq!(done(&check(&nobody, "FRIENDS").await)["available_seats"], json!(["A1", "A2"]));
    assert_eq!(done(&check(&rest, "").await)["available"], true);

    let total = async |rest: &Rest, query: &str| {
        let available = rest.get(&format!("{path}/availability{query}")).await;
        let available = available.expect(200);
        (available["tickets"].as_array().unwrap().len(), available["total_available"].clone())
    };
    assert_eq!(total(&nobody, "").await, (1, json!(5)));
    assert_eq!(total(&nobody, "?access_code=FRIENDS").await, (2, json!(7)));
    assert_eq!(total(&rest, "").await, (3, json!(10)));
    let stream = format!("{path}/availability/stream");
    assert_eq!(streamed(&nobody, &stream).await, std::slice::from_ref(&open));
    assert_eq!(
        streamed(&nobody, &format!("{stream}?access_code=PRESS")).await,
        [open.clone(), other.clone()]
    );
    assert_eq!(streamed(&rest, &stream).await, [open.clone(), hidden.clone(), other.clone()]);

    let client = host.grpc().await.with_key(None);
    let mut grpc = TicketServiceClient::with_interceptor(client.channel.clone(), client);
    for (access_code, expected) in [("", vec![&open]), ("friends", vec![&open, &hidden])] {
        let access_code = access_code.to_owned();
        let request = GetTicketTypesRequest { event_id: event.clone(), access_code, ..<_>::default() };
        let types = grpc.get_ticket_types(request).await.unwrap().into_inner().ticket_types;
        assert_eq!(types.iter().map(|listed| &listed.id).collect::<Vec<_>>(), expected);
    }

    // Codes are refused without a word about the reason why they show nothing.
    done(&rest.patch(&friends, json!({"enabled": false})).await);
    let refusal = async |code: &str| {
        let refused = nobody.get(&format!("{path}/tickets?access_code={code}")).await;
        assert_eq!(faults(&refused), ["access_code"]);
        refused.body["detail"].clone()
    };
    assert_eq!(refusal("Friends").await, refusal("Unknown").await);
    rest.get(&format!("{path}/tickets?access_code=Unknown")).await.expect(200);

    // A patch of another field leaves it hidden, and a replacement without the field shows it.
    let at = format!("{path}/tickets/{other}");
    assert_eq!(done(&rest.patch(&at, json!({"name": "Press"})).await)["ticket_type"]["hidden"], true);
    assert_eq!(nobody.get(&at).await.code(404), "TICKET_TYPE_NOT_FOUND");
    assert_eq!(done(&rest.put(&at, ticket_body("Press", &json!({}))).await)["ticket_type"]["hidden"], false);
    nobody.get(&at).await.expect(200);
    done(&rest.patch(&at, json!({"hidden": true})).await);
    assert_eq!(nobody.get(&at).await.code(404), "TICKET_TYPE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_is_used_up_still_shows_its_ticket_types() {
    let (_home, _host, rest) = memory().await;
    let nobody = rest.with_key(None);
    let event = event(&rest, "Night", json!({})).await;
    let hidden = ticket_type(&rest, &event, json!({"hidden": true})).await;
    let once = promotion(&rest, "ONCE", &hidden).await;
    done(&rest.patch(&once, json!({"max_uses": 1})).await);
    let reserve = async || {
        let body = json!({
            "event_id": event, "ticket_type_id": hidden, "quantity": 1, "user_id": "ann", "codes": ["ONCE"],
        });
        rest.post("/v1/reservations", body).await
    };
    reserve().await.expect(201);
    assert_eq!(done(&rest.get(&once).await)["promotion"]["uses"], 1);
    let list = format!("/v1/events/{event}/tickets?access_code=once");
    assert_eq!(ids(&nobody.get(&list).await), std::slice::from_ref(&hidden));
    // It does not sell them any more.
    assert_eq!(reserve().await.code(409), "ACCESS_CODE_REQUIRED");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_access_codes_are_limited() {
    let (_home, _host, rest) = memory().await;
    let nobody = rest.with_key(None);
    let event = event(&rest, "Night", json!({})).await;
    let hidden = ticket_type(&rest, &event, json!({"hidden": true})).await;
    promotion(&rest, "FRIENDS", &hidden).await;
    let list = format!("/v1/events/{event}/tickets");
    for number in 0..10 {
        let refused = nobody.get(&format!("{list}?access_code=WRONG-{number}")).await;
        assert_eq!(faults(&refused), ["access_code"]);
    }
    let limited = nobody.get(&format!("{list}?access_code=FRIENDS")).await;
    assert_eq!(limited.code(429), "TOO_MANY_CODES");
    assert_eq!(ids(&nobody.get(&list).await), Vec::<String>::new(), "the public list goes on");
    assert_eq!(ids(&rest.get(&list).await), [hidden]);
}
