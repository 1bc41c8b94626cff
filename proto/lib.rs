//! The API's only wire types: the messages and services generated from the protos beside this file.
//!
//! gRPC encodes them with prost, REST with serde; `json` holds what the two need to agree on.
#![allow(
    clippy::all,
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code"
)]

pub mod json;

/// All protos with their comments, for reflection and for the OpenAPI document.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tessera.bin"));

macro_rules! packages {
    ($($name:ident: $($version:ident = $package:literal),*;)*) => {$(
        pub mod $name {
            $(pub mod $version {
                tonic::include_proto!($package);
            })*
        }
    )*};
}

packages! {
    common: v1 = "common.v1";
    facts: v1 = "facts.v1";
    issues: v1 = "issues.v1";
    plugin: v1 = "plugin.v1";
    project: v1 = "project.v1";
    tenancy: v1 = "tenancy.v1";
    ticket: v1 = "ticket.v1";
    user: v1 = "user.v1", v2 = "user.v2";
}

include!(concat!(env!("OUT_DIR"), "/enums.rs"));
