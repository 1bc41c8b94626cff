//! Live streams: facts and projects' counts, over gRPC, Server-Sent Events and WebSocket.

pub mod client;
mod facts;
mod hosts;
mod projects;
mod slow_readers;
mod termination;

pub use slow_readers::{long_fields, project_with_long_fields};
