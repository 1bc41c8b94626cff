//! Every operation once, with what it takes over REST and over gRPC. The tests on parity and on access
//! both go by this table; an operation, a route or an RPC without a row fails them.

pub mod fixture;
mod paths;
pub mod rpc;
pub mod shape;
mod table;

pub use table::{Caller, Row, groups, rows};
