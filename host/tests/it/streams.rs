//! Live streams: facts and projects' counts, over gRPC, Server-Sent Events and WebSocket.

pub mod client;
mod ends;
mod facts;
mod hosts;
mod patience;
mod projects;
