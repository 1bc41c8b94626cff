//! Tessera's transports: decode a request, run an operation, encode its answer.
//!
//! `operations` has one function for each operation; `grpc` and `rest` call them; `convert` translates between wire
//! messages and the domain's types. `state` makes the context of a call, `tokens` seals page and stream tokens,
//! `subscriptions` follows facts, availability and queues, `ticket_document` prints tickets. No business rule is here.

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
