//! What callers without a key see of a ticket.

use serde_json::json;
use tessera_proto::ticket::v1::GetTicketRequest;
use tessera_proto::ticket::v1::ticket_service_client::TicketServiceClient;
use tonic::Code;

use super::codes::altered;
use super::sold;
use crate::harness::Kind;
use crate::tracker::{done, on, on_every_store};

on_every_store! {
    code_shows_event_type_and_seat_of_its_ticket
    ticket_type_is_found_by_its_id
}

async fn code_shows_event_type_and_seat_of_its_ticket(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let public = rest.with_key(None);
    let sold = sold(&rest, 2, json!({})).await;
    let path = format!("/v1/tickets/{}", sold.id(0));
    let with = |code: &str| format!("{path}?code={code}");
    let shown = public.get(&with(sold.code(0))).await;
    let expected = json!({"public_ticket": {
        "id": sold.id(0), "event_id": sold.event, "ticket_type_id": sold.ticket_type, "seat_number": null,
    }});
    assert_eq!(shown.expect(200), &expected);
    assert!(!shown.headers.contains_key("etag"));
    assert_eq!(rest.get(&format!("{path}:print?code={}", sold.code(0))).await.code(400), "INVALID_ARGUMENT");
    assert_eq!(public.get(&format!("{}&format=pdf", with(sold.code(0)))).await.code(401), "UNAUTHENTICATED");

    for wrong in ["", "x", sold.code(1), &altered(sold.code(0), 135), &altered(sold.code(0), 8)] {
        assert_eq!(public.get(&with(wrong)).await.code(404), "TICKET_NOT_FOUND", "{wrong}");
    }
    let gate = rest.with_key(Some(&rest.new_key(&["gate"], None).await));
    assert_eq!(gate.get(&path).await.code(403), "PERMISSION_DENIED");
    assert_eq!(gate.get(&with(sold.code(0))).await.expect(200), &expected);

    let client = host.grpc().await.with_key(None);
    let mut grpc = TicketServiceClient::with_interceptor(client.channel.clone(), client);
    let request = |code: &str| GetTicketRequest { ticket_id: sold.id(0).into(), code: code.into() };
    let message = grpc.get_ticket(request(sold.code(0))).await.unwrap().into_inner();
    assert_eq!(message.public_ticket.unwrap().event_id, sold.event);
    assert!(message.ticket.is_none() && message.ticket_type.is_none());
    assert_eq!(grpc.get_ticket(request("")).await.unwrap_err().code(), Code::NotFound);

    let transferred = rest.post(&format!("{path}:transfer"), json!({"holder": "ben"})).await;
    let code = done(&transferred)["ticket"]["code"].as_str().unwrap().to_owned();
    assert_eq!(public.get(&with(sold.code(0))).await.code(404), "TICKET_NOT_FOUND", "a former code");
    public.get(&with(&code)).await.expect(200);
    done(&rest.post(&format!("{path}:cancel"), json!({})).await);
    assert_eq!(public.get(&with(&code)).await.code(404), "TICKET_NOT_FOUND", "a cancelled ticket");
}

async fn ticket_type_is_found_by_its_id(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 1, json!({})).await;
    let path = format!("/tickets/{}", sold.ticket_type);
    let expected = rest.get(&format!("/v1/tickets/types/{}", sold.ticket_type)).await.expect(200).clone();
    for caller in [rest.clone(), rest.with_key(None)] {
        assert_eq!(caller.get(&path).await.expect(200), &expected);
    }
    done(&rest.patch(&format!("/v1/events/{}", sold.event), json!({"status": "draft"})).await);
    assert_eq!(rest.with_key(None).get(&path).await.code(404), "TICKET_NOT_FOUND");
    rest.get(&path).await.expect(200);
}
