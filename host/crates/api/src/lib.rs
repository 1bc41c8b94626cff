//! Tessera's transports: decode, one service call, encode.
//!
//! What the transports share stands here: credentials and pages (`request`), tokens (`tokens`), and how a
//! caller follows facts (`follow`). No rule of the business lives in this crate.

pub mod follow;
pub mod grpc;
pub mod json;
pub mod request;
pub mod rest;
pub mod tokens;
