//! Compiles the protos, without a protoc.

use std::path::{Path, PathBuf};

/// All protos.
const PACKAGES: [&str; 15] = [
    "common/v1/common.proto",
    "facts/v1/facts.proto",
    "issues/v1/issues.proto",
    "plugin/v1/plugin.proto",
    "project/v1/project.proto",
    "tenancy/v1/tenancy.proto",
    "ticket/v1/admission.proto",
    "ticket/v1/booking.proto",
    "ticket/v1/catalog.proto",
    "ticket/v1/check_in.proto",
    "ticket/v1/inventory.proto",
    "ticket/v1/reservation.proto",
    "ticket/v1/ticket.proto",
    "user/v1/user.proto",
    "user/v2/user.proto",
];

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folder by environment")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in PACKAGES {
        println!("cargo:rerun-if-changed={file}");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_source_info(true).include_imports(true).open_files(PACKAGES)?;
    std::fs::write(out.join("tessera.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure().build_transport(false).compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
