//! Tessera's transports: decode, one service call, encode.
//!
//! What the transports share stands here: credentials and pages (`request`), tokens (`tokens`), how a caller
//! follows facts (`follow`), and what is read of the catalogue alike (`catalog`)
//! and of reservations (`inventory`). No rule of the business lives in this crate.

pub mod catalog;
pub mod follow;
pub mod grpc;
pub mod inventory;
pub mod json;
pub mod request;
pub mod rest;
pub mod tokens;
