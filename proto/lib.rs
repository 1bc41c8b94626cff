//! Tessera's gRPC contract: the messages and services generated from the protos beside this file.
#![allow(
    clippy::all,
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code"
)]

/// All protos with their comments, for reflection.
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
