//! Calls any RPC with JSON, by the contract's own descriptors.

use std::sync::LazyLock;

use futures_util::{Stream, StreamExt as _};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions};
use serde_json::Value;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status, Streaming};

use crate::harness::Grpc;

/// The contract.
pub fn pool() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> =
        LazyLock::new(|| DescriptorPool::decode(tessera_proto::FILE_DESCRIPTOR_SET).unwrap());
    &POOL
}

fn method(pool: &DescriptorPool, rpc: &str) -> MethodDescriptor {
    let (service, name) = rpc.split_once('/').unwrap();
    let service = pool.get_service_by_name(service).unwrap_or_else(|| panic!("no service {service}"));
    service.methods().find(|method| method.name() == name).unwrap_or_else(|| panic!("no RPC {rpc}"))
}

/// Calls an RPC and returns the answer as JSON; of a stream, the first message.
pub async fn call(grpc: &Grpc, rpc: &str, request: &Value) -> Result<Value, Status> {
    answer(grpc, rpc, request).await.map(|message| json(&message, true))
}

/// A message as JSON with the field names of the proto, without what has its default or with it.
pub fn json(message: &DynamicMessage, skip_defaults: bool) -> Value {
    let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(skip_defaults);
    message.serialize_with_options(serde_json::value::Serializer, &options).unwrap()
}

/// Calls an RPC; of a stream, the first message.
pub async fn answer(grpc: &Grpc, rpc: &str, request: &Value) -> Result<DynamicMessage, Status> {
    let mut messages = open(grpc, rpc, request).await?;
    messages.next().await?.ok_or_else(|| Status::internal("no answer"))
}

/// The messages that an RPC answers.
pub struct Messages {
    output: MessageDescriptor,
    stream: Streaming<Vec<u8>>,
}

impl Messages {
    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<DynamicMessage>, Status> {
        let bytes = self.stream.message().await?;
        Ok(bytes.map(|bytes| DynamicMessage::decode(self.output.clone(), bytes.as_slice()).unwrap()))
    }
}

/// Calls an RPC and returns its answer as a stream.
pub async fn open(grpc: &Grpc, rpc: &str, request: &Value) -> Result<Messages, Status> {
    let method = method(pool(), rpc);
    let message = DynamicMessage::deserialize(method.input(), request)
        .unwrap_or_else(|error| panic!("{rpc} does not take {request}: {error}"));
    let stream = start(grpc, rpc, tokio_stream::once(message.encode_to_vec())).await?;
    Ok(Messages { output: method.output(), stream })
}

/// Sends a message and leaves the request unfinished until the host answers; returns the answer's status.
pub async fn send_unfinished(grpc: &Grpc, rpc: &str, message: Vec<u8>) -> Status {
    let messages = tokio_stream::once(message).chain(futures_util::stream::pending());
    start(grpc, rpc, messages).await.map_or_else(|status| status, |_| Status::ok(""))
}

async fn start(
    grpc: &Grpc,
    rpc: &str,
    messages: impl Stream<Item = Vec<u8>> + Send + 'static,
) -> Result<Streaming<Vec<u8>>, Status> {
    let mut client = tonic::client::Grpc::new(grpc.channel.clone());
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut request = Request::new(messages);
    let metadata = request.metadata_mut();
    match &grpc.key {
        Some(key) => metadata.insert("authorization", format!("Bearer {key}").parse().unwrap()),
        // What is public is the fixture's tenant's.
        None => metadata.insert("x-tenant", "default".parse().unwrap()),
    };
    let path = PathAndQuery::try_from(format!("/{rpc}")).unwrap();
    Ok(client.streaming(request, path, Raw).await?.into_inner())
}

#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        prost::bytes::BufMut::put_slice(to, &item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        use prost::bytes::Buf as _;
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}
