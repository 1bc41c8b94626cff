//! Access to queues and bookings by role, tenant and public callers.

use serde_json::{Value, json};
use tessera_proto::ticket::v1::booking_service_client::BookingServiceClient;
use tessera_proto::ticket::v1::{EnqueueBookingRequest, GetQueuePositionRequest, GetQueueStatusRequest};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{cancel, enqueue, enter_queue, set, status};
use crate::reservations::show;
use crate::tracker::{done, memory};

#[tokio::test(flavor = "multi_thread")]
async fn roles_limit_booking_operations() {
    let (_home, _host, rest) = memory().await;
    let (event, _) = show(&rest, 5, json!({})).await;
    let ann = enter_queue(&rest, &event, "ann", json!({})).await;
    let path = format!("/v1/bookings/{ann}");
    let mut as_role = Vec::new();
    for role in ["agent", "viewer", "gate"] {
        as_role.push(rest.with_key(Some(&rest.new_key(&[role], None).await)));
    }
    let [agent, viewer, gate] = as_role.try_into().ok().unwrap();
    for who in [&agent, &viewer] {
        done(&who.get(&path).await);
        assert_eq!(set(who, &event, 5, false).await.code(403), "PERMISSION_DENIED");
    }
    assert_eq!(enqueue(&viewer, &event, "ben", json!({})).await.code(403), "PERMISSION_DENIED");
    assert_eq!(cancel(&viewer, &ann).await.code(403), "PERMISSION_DENIED");
    assert_eq!(gate.get(&path).await.code(404), "BOOKING_NOT_FOUND");
    assert_eq!(gate.get(&format!("{path}/stream")).await.code(404), "BOOKING_NOT_FOUND");
    let ben = enter_queue(&agent, &event, "ben", json!({})).await;
    done(&cancel(&agent, &ben).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn queue_status_is_public_and_bookings_are_not() {
    let (_home, _host, rest) = memory().await;
    let (event, _) = show(&rest, 5, json!({})).await;
    done(&set(&rest, &event, 2, true).await);
    let ann = enter_queue(&rest, &event, "ann", json!({})).await;
    let public = rest.with_key(None);
    let queue = status(&public, &event).await;
    assert_eq!((&queue["max_active"], &queue["required"]), (&json!(2), &json!(true)));
    assert!(!queue.to_string().contains("ann"), "{queue:#}");
    assert_eq!(public.get(&format!("/v1/bookings/{ann}")).await.code(401), "UNAUTHENTICATED");
    assert_eq!(public.get(&format!("/v1/bookings/{ann}/stream")).await.code(401), "UNAUTHENTICATED");
    assert_eq!(enqueue(&public, &event, "ben", json!({})).await.code(401), "UNAUTHENTICATED");
    let (draft, _) = show(&rest, 5, json!({"status": "draft"})).await;
    assert_eq!(public.get(&format!("/v1/events/{draft}/queue")).await.code(404), "EVENT_NOT_FOUND");
    status(&rest, &draft).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_bookings_do_not_exist() {
    let (_home, _host, rest) = memory().await;
    let (event, _) = show(&rest, 5, json!({})).await;
    let ann = enter_queue(&rest, &event, "ann", json!({})).await;
    rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await.expect(201);
    let key = json!({"name": "theirs", "roles": ["admin"], "tenant": "acme"});
    let key = rest.post("/v1/keys", key).await.expect(201)["secret"].as_str().unwrap().to_owned();
    let theirs = rest.with_key(Some(&key));
    let path = format!("/v1/bookings/{ann}");
    assert_eq!(theirs.get(&path).await.code(404), "BOOKING_NOT_FOUND");
    assert_eq!(theirs.get(&format!("{path}/stream")).await.code(404), "BOOKING_NOT_FOUND");
    assert_eq!(cancel(&theirs, &ann).await.code(404), "BOOKING_NOT_FOUND");
    assert_eq!(theirs.get(&format!("/v1/events/{event}/queue")).await.code(404), "EVENT_NOT_FOUND");
    assert_eq!(enqueue(&theirs, &event, "ben", json!({})).await.code(404), "EVENT_NOT_FOUND");
    assert_eq!(set(&theirs, &event, 1, true).await.code(404), "EVENT_NOT_FOUND");
    let answer = rest.get(&path).await;
    assert_ne!(done(&answer)["booking"]["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_applies_the_same_rights() {
    let (_home, host, rest) = memory().await;
    let (event, ticket_type) = show(&rest, 5, json!({})).await;
    let grpc = host.grpc().await;
    let mut client = BookingServiceClient::with_interceptor(grpc.channel.clone(), grpc.clone());
    let request = |user_id: &str| EnqueueBookingRequest {
        event_id: event.clone(),
        user_id: user_id.to_owned(),
        ..EnqueueBookingRequest::default()
    };
    let booking = client.enqueue_booking(request("ann")).await.unwrap().into_inner().booking.unwrap();
    assert_eq!(
        (booking.state.as_str(), booking.position, booking.user_id.as_str()),
        ("waiting", Some(1), "ann")
    );
    let twice = client.enqueue_booking(request("ann")).await.unwrap_err();
    assert_eq!(twice.code(), Code::AlreadyExists);
    assert_eq!(twice.get_details_error_info().unwrap().reason, "BOOKING_EXISTS");
    let nobody = client.enqueue_booking(request("")).await.unwrap_err();
    assert_eq!(nobody.get_details_bad_request().unwrap().field_violations[0].field, "user_id");
    let named = GetQueuePositionRequest { booking_id: ticket_type };
    assert_eq!(client.get_queue_position(named).await.unwrap_err().code(), Code::NotFound);
    let nameless = GetQueuePositionRequest { booking_id: "x".to_owned() };
    let nameless = client.get_queue_position(nameless).await.unwrap_err();
    assert_eq!(nameless.get_details_bad_request().unwrap().field_violations[0].field, "booking_id");
    let open = grpc.with_key(None);
    let mut public = BookingServiceClient::with_interceptor(open.channel.clone(), open);
    let request = GetQueueStatusRequest { event_id: event.clone() };
    let queue = public.get_queue_status(request).await.unwrap().into_inner();
    assert_eq!((queue.event_id, queue.max_active, queue.active_seconds), (event.clone(), 100, 300));
    let answer = rest.get(&format!("/v1/bookings/{}", booking.id)).await;
    assert_eq!(answer.expect(200)["booking"]["lines"], Value::Array(Vec::new()));
}
