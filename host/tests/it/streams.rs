//! Live streams: facts and projects' counts, over gRPC, Server-Sent Events and WebSocket.

mod client;
mod ends;
mod facts;
mod hosts;
mod patience;
mod projects;
