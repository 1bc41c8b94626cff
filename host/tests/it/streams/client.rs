//! One client of `StreamFacts` for all the ways by which facts can be followed.

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

/// How facts are followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Grpc,
    Sse,
    Socket,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Grpc, Self::Sse, Self::Socket];
}

/// Which facts are asked for, and by whom.
#[derive(Clone, Debug)]
pub struct Asked {
    pub key: Option<String>,
    pub after: String,
    pub types: Vec<&'static str>,
    pub object: String,
    pub filter: String,
}

impl Default for Asked {
    fn default() -> Self {
        let (after, object, filter) = Default::default();
        Self { key: Some(ROOT_KEY.to_owned()), after, types: Vec::new(), object, filter }
    }
}

/// A fact as every way shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub id: String,
    pub cursor: String,
    pub fact_type: String,
    pub object: String,
    pub version: u64,
}

/// What a stream said.
#[derive(Debug)]
pub enum Heard {
    Fact(Seen),
    /// A sign of life, with the cursor to go on from.
    Beat(String),
    /// The end, and what was said of it.
    End(String),
}

/// A socket to the host.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

type Events = Pin<Box<dyn Stream<Item = reqwest::Result<Vec<u8>>> + Send>>;

/// An open stream. Reads only when it is asked.
pub enum Facts {
    Grpc(Box<tonic::Streaming<StreamFactsResponse>>),
    Sse(EventReader),
    Socket(Box<Socket>),
}

/// Why a stream was not opened: the error's code.
pub type Refused = String;

impl Facts {
    /// Follows what is asked for.
    pub async fn open(host: &Host, way: Way, asked: &Asked) -> Result<Self, Refused> {
        let rest = host.rest().with_key(asked.key.as_deref());
        let mut opened = match way {
            Way::Grpc => Self::grpc(host.grpc().await.with_key(asked.key.as_deref()), asked).await?,
            Way::Sse => return EventReader::open(&rest, &asked.path(), None).await.map(Self::Sse),
            Way::Socket => Self::Socket(Box::new(socket(&rest, &asked.path()).await?)),
        };
        // The first cursor comes at once, so that a client that saw nothing yet can come back.
        match opened.next().await {
            Heard::Beat(cursor) => assert!(!cursor.is_empty()),
            Heard::Fact(fact) => panic!("{fact:?} came before the first cursor"),
            Heard::End(why) => panic!("the stream ended: {why}"),
        }
        Ok(opened)
    }

    async fn grpc(grpc: Grpc, asked: &Asked) -> Result<Self, Refused> {
        use tonic_types::StatusExt as _;
        let mut client = FactsServiceClient::with_interceptor(grpc.channel.clone(), grpc);
        let request = StreamFactsRequest {
            after: asked.after.clone(),
            types: asked.types.iter().map(|&name| name.to_owned()).collect(),
            object: asked.object.clone(),
            filter: asked.filter.clone(),
        };
        let opened = client.stream_facts(request).await;
        opened.map(|response| Self::Grpc(Box::new(response.into_inner()))).map_err(|status| {
            status.get_details_error_info().map_or_else(|| status.to_string(), |info| info.reason)
        })
    }

    /// What comes next.
    pub async fn next(&mut self) -> Heard {
        let heard = async {
            match self {
                Self::Grpc(stream) => next_message(stream).await,
                Self::Sse(reader) => reader.next().await,
                Self::Socket(socket) => next_frame(socket).await,
            }
        };
        tokio::time::timeout(Duration::from_secs(60), heard).await.expect("the stream says nothing")
    }

    /// The next fact.
    pub async fn fact(&mut self) -> Seen {
        loop {
            match self.next().await {
                Heard::Fact(seen) => return seen,
                Heard::Beat(_) => {}
                Heard::End(why) => panic!("the stream ended: {why}"),
            }
        }
    }

    /// So many facts.
    pub async fn take(&mut self, count: usize) -> Vec<Seen> {
        let mut seen = Vec::with_capacity(count);
        while seen.len() < count {
            seen.push(self.fact().await);
        }
        seen
    }

    /// Facts until one of that object has come; that one included.
    pub async fn until(&mut self, object: &str) -> Vec<Seen> {
        let mut seen = Vec::new();
        loop {
            seen.push(self.fact().await);
            if seen.last().unwrap().object == object {
                return seen;
            }
        }
    }

    /// What it said before it ended, and what was said of its end.
    pub async fn end(&mut self) -> (Vec<Seen>, String) {
        let mut seen = Vec::new();
        loop {
            match self.next().await {
                Heard::Fact(fact) => seen.push(fact),
                Heard::Beat(_) => {}
                Heard::End(why) => return (seen, why),
            }
        }
    }
}

impl Asked {
    /// What is asked for, as a path with a query.
    pub fn path(&self) -> String {
        let types = self.types.join(",");
        let pairs =
            [("after", &self.after), ("types", &types), ("object", &self.object), ("filter", &self.filter)];
        let given = pairs.iter().filter(|(_, value)| !value.is_empty());
        let query: Vec<_> = given.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        format!("/v1/streams/facts?{}", query.join("&"))
    }
}

async fn next_message(stream: &mut tonic::Streaming<StreamFactsResponse>) -> Heard {
    match stream.message().await {
        Ok(None) => Heard::End(String::new()),
        Err(status) => Heard::End(format!("{:?}: {}", status.code(), status.message())),
        Ok(Some(StreamFactsResponse { fact: None, cursor })) => Heard::Beat(cursor),
        Ok(Some(StreamFactsResponse { fact: Some(fact), cursor })) => {
            assert_eq!(cursor, fact.cursor);
            Heard::Fact(Seen {
                id: fact.id,
                cursor,
                fact_type: fact.r#type,
                object: fact.object_id,
                version: fact.object_version,
            })
        }
    }
}

async fn next_frame(socket: &mut Socket) -> Heard {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let said: Value = serde_json::from_str(text.as_str()).unwrap();
                return match said.get("fact") {
                    Some(fact) => Heard::Fact(seen(fact)),
                    None => Heard::Beat(said["cursor"].as_str().unwrap().to_owned()),
                };
            }
            Some(Ok(Message::Close(Some(frame)))) => {
                return Heard::End(format!("{} {}", u16::from(frame.code), frame.reason.as_str()));
            }
            None | Some(Ok(Message::Close(None)) | Err(_)) => return Heard::End(String::new()),
            Some(Ok(_)) => {}
        }
    }
}

fn seen(fact: &Value) -> Seen {
    let text = |name: &str| fact[name].as_str().unwrap_or_else(|| panic!("no {name} in {fact:#}")).to_owned();
    Seen {
        id: text("id"),
        cursor: text("cursor"),
        fact_type: text("type"),
        object: text("object_id"),
        version: fact["object_version"].as_u64().unwrap(),
    }
}

/// A WebSocket at a path; the code of the refusal otherwise.
pub async fn socket(rest: &Rest, path: &str) -> Result<Socket, Refused> {
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
    held: String,
    /// What a browser would send as `Last-Event-ID`.
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
    /// Opens a stream; the code of the refusal otherwise.
    pub async fn open(rest: &Rest, path: &str, last_id: Option<&str>) -> Result<Self, Refused> {
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
        Ok(Self { events: Box::pin(events), held: String::new(), last_id: String::new() })
    }

    /// The next event or comment; none: the stream ended.
    pub async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.held.find("\n\n") {
                let block: String = self.held.drain(..end + 2).collect();
                return Some(self.read(&block));
            }
            match self.events.next().await {
                Some(Ok(bytes)) => self.held.push_str(std::str::from_utf8(&bytes).unwrap()),
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

    async fn next(&mut self) -> Heard {
        loop {
            let Some(event) = self.event().await else { return Heard::End(String::new()) };
            if !event.data.is_empty() {
                let fact = seen(&serde_json::from_str(&event.data).unwrap());
                assert_eq!((&event.name, &self.last_id), (&fact.fact_type, &fact.cursor));
                return Heard::Fact(fact);
            }
            if event.comment {
                return Heard::Beat(self.last_id.clone());
            }
        }
    }
}
