//! Tessera's transports: decode, one service call, encode.
//!
//! What the transports share stands here: credentials and pages (`request`), tokens (`tokens`), how a caller
//! follows facts (`follow`), what is read of the catalogue alike (`catalog`), of reservations (`inventory`), of
//! queues (`booking`) and of the door (`admission`), and how tickets are printed (`print`). No rule of the business
//! lives in this crate.

pub mod admission;
pub mod booking;
pub mod catalog;
pub mod follow;
pub mod grpc;
pub mod inventory;
pub mod json;
mod pass;
pub mod print;
pub mod request;
pub mod rest;
pub mod tokens;
