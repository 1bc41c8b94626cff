//! Tessera's transports: decode a request, run an operation, encode its answer.
//!
//! `operations` has one function for each operation; `grpc` and `rest` call them; `convert` translates between wire
//! messages and the domain's types. `state` builds the context of a call, `tokens` signs page and stream tokens,
//! `subscriptions` reads streams of facts, availability and queues, `ticket_document` renders tickets. Business rules
//! are in the core.

mod convert;
pub mod grpc;
mod operations;
pub mod plugin_json;
pub mod rest;
pub mod state;
pub mod stream_limits;
mod subscriptions;
mod ticket_document;
pub mod tokens;
