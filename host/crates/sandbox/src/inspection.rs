//! Reads what can be read of a component before it is compiled.

use tessera_core::{Error, ErrorKind, Result};
use wasmparser::{BinaryReaderError, ComponentExternalKind, Encoding, Parser, Payload};

/// A component's imports, exports and size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inspection {
    /// Names of the imports.
    pub imports: Vec<String>,
    /// Names of the exports.
    pub exports: Vec<String>,
    /// Size in bytes.
    pub size: u64,
}

/// Reads a component's imports and exports.
pub fn inspect(bytes: &[u8]) -> Result<Inspection> {
    if !bytes.starts_with(b"\0asm") {
        let message =
            "the bytes are not WebAssembly; a component is expected, as `tessera plugin build` makes it";
        return Err(Error::new(ErrorKind::Invalid, "COMPONENT_NOT_WASM", message));
    }
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(unreadable)? {
            Payload::Version { encoding, .. } => {
                if depth == 0 && encoding == Encoding::Module {
                    let message =
                        "the bytes are a core module, not a component; build it by `tessera plugin build`";
                    return Err(Error::new(ErrorKind::Invalid, "COMPONENT_IS_CORE_MODULE", message));
                }
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    imports.push(import.map_err(unreadable)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export.map_err(unreadable)?;
                    let is_callable =
                        matches!(export.kind, ComponentExternalKind::Instance | ComponentExternalKind::Func);
                    if is_callable {
                        exports.push(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(Inspection { imports, exports, size: bytes.len() as u64 })
}

#[expect(clippy::needless_pass_by_value, reason = "results give their errors away")]
fn unreadable(error: BinaryReaderError) -> Error {
    let message = format!("the component cannot be read: {error}");
    Error::new(ErrorKind::Invalid, "COMPONENT_INVALID", message)
}
