//! Streams of a booking's position, over gRPC and Server-Sent Events.

use std::time::Duration;

use serde_json::{Value, json};
use tessera_proto::ticket::v1::booking_service_client::BookingServiceClient;
use tessera_proto::ticket::v1::{StreamQueuePositionRequest, StreamQueuePositionResponse};
use tonic::Code;

use super::{SOON, booking, cancel, enter_queue, set, until};
use crate::harness::{Grpc, Host, Kind, Rest};
use crate::reservations::{id as reserved, reserve, show};
use crate::streams::client::EventReader;
use crate::tracker::{done, memory, on, on_every_store};

on_every_store! { booking_stream_shows_every_position_until_the_end }

/// A client of the stream of a booking.
enum Follower {
    Grpc(Box<tonic::Streaming<StreamQueuePositionResponse>>),
    Sse(EventReader),
}

/// An item of the stream: a state and a position, or the end with its status.
#[derive(PartialEq, Debug)]
enum Update {
    Place(String, Option<u64>),
    End(Option<Code>),
}

fn place(state: &str, position: Option<u64>) -> Update {
    Update::Place(state.to_owned(), position)
}

impl Follower {
    async fn grpc(grpc: Grpc, id: &str) -> Self {
        let mut client = BookingServiceClient::with_interceptor(grpc.channel.clone(), grpc);
        let request = StreamQueuePositionRequest { booking_id: id.to_owned() };
        Self::Grpc(Box::new(client.stream_queue_position(request).await.unwrap().into_inner()))
    }

    async fn sse(rest: &Rest, path: &str) -> Self {
        Self::Sse(EventReader::open(rest, path, None).await.unwrap())
    }

    /// Opens the stream over both transports.
    async fn both(host: &Host, key: &str, id: &str) -> [Self; 2] {
        let rest = host.rest().with_key(Some(key));
        let grpc = host.grpc().await.with_key(Some(key));
        [Self::grpc(grpc, id).await, Self::sse(&rest, &format!("/v1/bookings/{id}/stream")).await]
    }

    async fn next(&mut self) -> Update {
        tokio::time::timeout(SOON, self.receive()).await.expect("no update arrives")
    }

    async fn receive(&mut self) -> Update {
        match self {
            Self::Grpc(stream) => match stream.message().await {
                Ok(Some(response)) => {
                    let booking = response.booking.unwrap();
                    Update::Place(
                        booking.state,
                        booking.position.map(|position| u64::try_from(position).unwrap()),
                    )
                }
                Ok(None) => Update::End(None),
                Err(status) => Update::End(Some(status.code())),
            },
            Self::Sse(reader) => loop {
                let Some(event) = reader.event().await else { return Update::End(None) };
                if event.comment {
                    continue;
                }
                assert_eq!(event.name, "booking");
                let booking: Value = serde_json::from_str(&event.data).unwrap();
                return Update::Place(
                    booking["state"].as_str().unwrap().to_owned(),
                    booking["position"].as_u64(),
                );
            },
        }
    }
}

/// Creates an active booking and two that wait behind it.
async fn waiting(rest: &Rest, event: &str) -> [String; 3] {
    done(&set(rest, event, 1, false).await);
    let ann = enter_queue(rest, event, "ann", json!({})).await;
    until(rest, &ann, "active", SOON).await;
    let ben = enter_queue(rest, event, "ben", json!({})).await;
    [ann, ben, enter_queue(rest, event, "cem", json!({})).await]
}

async fn booking_stream_shows_every_position_until_the_end(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let show = show(&rest, 5, json!({})).await;
    let [ann, ben, cem] = waiting(&rest, &show.0).await;
    let mut followers = Follower::both(&host, rest.key.as_ref().unwrap(), &cem).await;
    let mut all = async |expected: Update| {
        for follower in &mut followers {
            assert_eq!(follower.next().await, expected);
        }
    };
    all(place("waiting", Some(2))).await;
    done(&cancel(&rest, &ben).await);
    all(place("waiting", Some(1))).await;
    done(&cancel(&rest, &ann).await);
    all(place("active", None)).await;
    reserved(&reserve(&rest, &show, "cem", 1).await);
    all(place("done", None)).await;
    all(Update::End(None)).await;
    // A later stream gets the final state and ends.
    for mut late in Follower::both(&host, rest.key.as_ref().unwrap(), &ben).await {
        assert_eq!(late.next().await, place("cancelled", None));
        assert_eq!(late.next().await, Update::End(None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn booking_stream_ends_with_its_key_and_with_the_host() {
    let (_home, mut host, rest) = memory().await;
    let (event, _) = show(&rest, 5, json!({})).await;
    let [_, ben, cem] = waiting(&rest, &event).await;
    let key = rest.new_key(&["viewer"], None).await;
    let mut theirs = Follower::both(&host, &key, &cem).await;
    let mut ours = Follower::both(&host, rest.key.as_ref().unwrap(), &cem).await;
    for follower in theirs.iter_mut().chain(&mut ours) {
        assert_eq!(follower.next().await, place("waiting", Some(2)));
    }
    let id = key.split('_').nth(1).unwrap();
    done(&rest.post(&format!("/v1/keys/{id}:revoke"), Value::Null).await);
    let [mut grpc, mut sse] = theirs;
    assert_eq!(grpc.next().await, Update::End(Some(Code::Unauthenticated)));
    assert_eq!(sse.next().await, Update::End(None));
    done(&cancel(&rest, &ben).await);
    for follower in &mut ours {
        assert_eq!(follower.next().await, place("waiting", Some(1)));
    }
    assert_eq!(booking(&rest, &cem).await["position"], 1);
    host.terminate();
    let [mut grpc, mut sse] = ours;
    assert_eq!(grpc.next().await, Update::End(Some(Code::Unavailable)));
    assert_eq!(sse.next().await, Update::End(None));
    assert!(host.wait(Duration::from_secs(20)).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_streams_a_booking_with_a_token() {
    let (_home, _host, rest) = memory().await;
    let (event, _) = show(&rest, 5, json!({})).await;
    let [_, ben, _] = waiting(&rest, &event).await;
    let token = rest.post("/v1/streams/token", Value::Null).await.expect(200)["token"].clone();
    let path = format!("/v1/bookings/{ben}/stream?token={}", token.as_str().unwrap());
    let browser = rest.with_key(None);
    let mut follower = Follower::sse(&browser, &path).await;
    assert_eq!(follower.next().await, place("waiting", Some(1)));
    assert!(EventReader::open(&browser, &path, None).await.is_err(), "a token opens one stream");
}
