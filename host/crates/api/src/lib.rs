//! Tessera's transports: decode a request, run an operation, encode its answer.
//!
//! `operations` has one function for each operation; `grpc` and `rest` call them; `convert` translates between wire
//! messages and the domain's types. `state` builds the context of a call, `tokens` signs page and stream tokens,
//! `subscriptions` reads streams of facts, availability and queues, `ticket_document` renders tickets. `in_flight`
//! limits the bytes of requests and responses. Business rules are in the core.

pub mod connection;
mod convert;
pub mod grpc;
pub mod in_flight;
mod metered_body;
mod operations;
pub mod plugin_json;
mod quota;
pub mod rest;
pub mod state;
pub mod stream_limits;
mod subscriptions;
mod ticket_document;
pub mod tokens;
