//! One client of `StreamFacts` for all transports.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use reqwest::Method;
use serde_json::Value;
use tessera_proto::facts::v1::facts_service_client::FactsServiceClient;
use tessera_proto::facts::v1::{StreamFactsRequest, StreamFactsResponse};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::harness::{Grpc, Host, ROOT_KEY, Rest};
use crate::tracker::encode;

/// The transport of a stream of facts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Grpc,
    Sse,
    Socket,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Grpc, Self::Sse, Self::Socket];
}

/// The parameters and the key of a stream of facts.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub key: Option<String>,
    pub after: String,
    pub types: Vec<&'static str>,
    pub object: String,
    pub filter: String,
}

impl Default for Subscription {
    fn default() -> Self {
        let (after, object, filter) = Default::default();
        Self { key: Some(ROOT_KEY.to_owned()), after, types: Vec::new(), object, filter }
    }
}

/// A fact in the form common to all transports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamedFact {
    pub id: String,
    pub cursor: String,
    pub fact_type: String,
    pub object: String,
    pub version: u64,
}

/// One item of a stream.
#[derive(Debug)]
pub enum StreamItem {
    Fact(StreamedFact),
    /// A heartbeat with the cursor to resume from.
    Beat(String),
    /// The end, with its reason.
    End(String),
}

/// A WebSocket to the host.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

type Events = Pin<Box<dyn Stream<Item = reqwest::Result<Vec<u8>>> + Send>>;

/// An open stream. It reads only on demand.
pub enum Facts {
    Grpc(Box<tonic::Streaming<StreamFactsResponse>>),
    Sse(EventReader),
    Socket(Box<Socket>),
}

/// The code of the error that refused a stream.
pub type ErrorCode = String;

impl Facts {
    /// Opens a stream.
    pub async fn open(host: &Host, way: Way, subscription: &Subscription) -> Result<Self, ErrorCode> {
        let rest = host.rest().with_key(subscription.key.as_deref());
        let mut opened = match way {
            Way::Grpc => {
                Self::grpc(host.grpc().await.with_key(subscription.key.as_deref()), subscription).await?
            }
            Way::Sse => return EventReader::open(&rest, &subscription.path(), None).await.map(Self::Sse),
            Way::Socket => Self::Socket(Box::new(socket(&rest, &subscription.path()).await?)),
        };
        // The first cursor comes at once, so that a client without facts can resume.
        match opened.next().await {
            StreamItem::Beat(cursor) => assert!(!cursor.is_empty()),
            StreamItem::Fact(fact) => panic!("{fact:?} came before the first cursor"),
            StreamItem::End(why) => panic!("the stream ended: {why}"),
        }
        Ok(opened)
    }

    async fn grpc(grpc: Grpc, subscription: &Subscription) -> Result<Self, ErrorCode> {
        use tonic_types::StatusExt as _;
        let mut client = FactsServiceClient::with_interceptor(grpc.channel.clone(), grpc);
        let request = StreamFactsRequest {
            after: subscription.after.clone(),
            types: subscription.types.iter().map(|&name| name.to_owned()).collect(),
            object: subscription.object.clone(),
            filter: subscription.filter.clone(),
        };
        let opened = client.stream_facts(request).await;
        opened.map(|response| Self::Grpc(Box::new(response.into_inner()))).map_err(|status| {
            status.get_details_error_info().map_or_else(|| status.to_string(), |info| info.reason)
        })
    }

    /// Waits for the next item.
    pub async fn next(&mut self) -> StreamItem {
        let item = async {
            match self {
                Self::Grpc(stream) => next_message(stream).await,
                Self::Sse(reader) => reader.next().await,
                Self::Socket(socket) => next_frame(socket).await,
            }
        };
        tokio::time::timeout(Duration::from_secs(60), item).await.expect("the stream says nothing")
    }

    /// Waits for the next fact.
    pub async fn fact(&mut self) -> StreamedFact {
        loop {
            match self.next().await {
                StreamItem::Fact(fact) => return fact,
                StreamItem::Beat(_) => {}
                StreamItem::End(why) => panic!("the stream ended: {why}"),
            }
        }
    }

    /// Reads `count` facts.
    pub async fn take(&mut self, count: usize) -> Vec<StreamedFact> {
        let mut facts = Vec::with_capacity(count);
        while facts.len() < count {
            facts.push(self.fact().await);
        }
        facts
    }

    /// Reads facts up to and including the first one of an object.
    pub async fn until(&mut self, object: &str) -> Vec<StreamedFact> {
        let mut facts = Vec::new();
        loop {
            facts.push(self.fact().await);
            if facts.last().unwrap().object == object {
                return facts;
            }
        }
    }

    /// Reads to the end; returns the facts before it and its reason.
    pub async fn end(&mut self) -> (Vec<StreamedFact>, String) {
        let mut facts = Vec::new();
        loop {
            match self.next().await {
                StreamItem::Fact(fact) => facts.push(fact),
                StreamItem::Beat(_) => {}
                StreamItem::End(why) => return (facts, why),
            }
        }
    }
}

impl Subscription {
    /// Returns the path with the query.
    pub fn path(&self) -> String {
        let types = self.types.join(",");
        let pairs =
            [("after", &self.after), ("types", &types), ("object", &self.object), ("filter", &self.filter)];
        let parameters = pairs.iter().filter(|(_, value)| !value.is_empty());
        let query: Vec<_> = parameters.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        format!("/v1/streams/facts?{}", query.join("&"))
    }
}

async fn next_message(stream: &mut tonic::Streaming<StreamFactsResponse>) -> StreamItem {
    match stream.message().await {
        Ok(None) => StreamItem::End(String::new()),
        Err(status) => StreamItem::End(format!("{:?}: {}", status.code(), status.message())),
        Ok(Some(StreamFactsResponse { fact: None, cursor })) => StreamItem::Beat(cursor),
        Ok(Some(StreamFactsResponse { fact: Some(fact), cursor })) => {
            assert_eq!(cursor, fact.cursor);
            StreamItem::Fact(StreamedFact {
                id: fact.id,
                cursor,
                fact_type: fact.r#type,
                object: fact.object_id,
                version: fact.object_version,
            })
        }
    }
}

async fn next_frame(socket: &mut Socket) -> StreamItem {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(text.as_str()).unwrap();
                return match message.get("fact") {
                    Some(fact) => StreamItem::Fact(streamed_fact(fact)),
                    None => StreamItem::Beat(message["cursor"].as_str().unwrap().to_owned()),
                };
            }
            Some(Ok(Message::Close(Some(frame)))) => {
                return StreamItem::End(format!("{} {}", u16::from(frame.code), frame.reason.as_str()));
            }
            None | Some(Ok(Message::Close(None)) | Err(_)) => return StreamItem::End(String::new()),
            Some(Ok(_)) => {}
        }
    }
}

fn streamed_fact(fact: &Value) -> StreamedFact {
    let text = |name: &str| fact[name].as_str().unwrap_or_else(|| panic!("no {name} in {fact:#}")).to_owned();
    StreamedFact {
        id: text("id"),
        cursor: text("cursor"),
        fact_type: text("type"),
        object: text("object_id"),
        version: fact["object_version"].as_u64().unwrap(),
    }
}

/// Opens a WebSocket; the error is the code of the refusal.
pub async fn socket(rest: &Rest, path: &str) -> Result<Socket, ErrorCode> {
    let address = format!("{}{path}", rest.base.replacen("http", "ws", 1));
    let mut request = address.into_client_request().unwrap();
    if let Some(key) = &rest.key {
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    }
    match tokio_tungstenite::connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(SocketError::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
            Err(problem["code"].as_str().map_or_else(|| response.status().to_string(), str::to_owned))
        }
        Err(error) => panic!("{error}"),
    }
}

/// Reads Server-Sent Events as a browser does.
pub struct EventReader {
    events: Events,
    buffer: String,
    /// The `Last-Event-ID` that a browser would send.
    pub last_id: String,
}

/// One event.
#[derive(Debug, Default)]
pub struct Event {
    pub name: String,
    pub data: String,
    pub comment: bool,
}

impl EventReader {
    /// Opens a stream; the error is the code of the refusal.
    pub async fn open(rest: &Rest, path: &str, last_id: Option<&str>) -> Result<Self, ErrorCode> {
        let mut request = rest.request(Method::GET, path).header("accept", "text/event-stream");
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        if !response.status().is_success() {
            let problem: Value = response.json().await.unwrap();
            return Err(problem["code"].as_str().unwrap().to_owned());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let events = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec()));
        Ok(Self { events: Box::pin(events), buffer: String::new(), last_id: String::new() })
    }

    /// Waits for the next event or comment; `None` if the stream ended.
    pub async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                return Some(self.read(&block));
            }
            match self.events.next().await {
                Some(Ok(bytes)) => self.buffer.push_str(std::str::from_utf8(&bytes).unwrap()),
                Some(Err(_)) | None => return None,
            }
        }
    }

    fn read(&mut self, block: &str) -> Event {
        let mut event = Event::default();
        for line in block.lines() {
            match line.split_once(':') {
                Some(("", _)) => event.comment = true,
                Some(("id", id)) => id.trim().clone_into(&mut self.last_id),
                Some(("event", name)) => name.trim().clone_into(&mut event.name),
                Some(("data", data)) => data.trim().clone_into(&mut event.data),
                Some(("retry", _)) | None => {}
                Some((name, _)) => panic!("{name} is no field of an event"),
            }
        }
        event
    }

    async fn next(&mut self) -> StreamItem {
        loop {
            let Some(event) = self.event().await else { return StreamItem::End(String::new()) };
            if !event.data.is_empty() {
                let fact = streamed_fact(&serde_json::from_str(&event.data).unwrap());
                assert_eq!((&event.name, &self.last_id), (&fact.fact_type, &fact.cursor));
                return StreamItem::Fact(fact);
            }
            if event.comment {
                return StreamItem::Beat(self.last_id.clone());
            }
        }
    }
}
