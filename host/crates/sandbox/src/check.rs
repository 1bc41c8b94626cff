//! What an uploaded component must be, by what can be read of it before it is compiled or run.

use std::collections::BTreeSet;

use tessera_core::plugin::{Footprint, Hook};
use tessera_core::{Error, ErrorKind, Result};
use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload};

use crate::bindings::Contract;

/// The package of the contract.
const PACKAGE: &str = "tessera:plugin/";

/// What a component says of itself without being compiled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inspection {
    /// The names that it imports.
    pub imports: Vec<String>,
    /// The names that it exports.
    pub exports: Vec<String>,
    /// Its size in bytes.
    pub size: u64,
    /// How many core instances it is made of.
    pub instances: u32,
}

/// What the check of a component's names found.
pub(crate) struct Found {
    pub(crate) contract: Contract,
    pub(crate) hooks: Vec<Hook>,
}

fn refuse(reason: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, reason, message)
}

/// Reads a component's imports and exports.
pub fn inspect(bytes: &[u8]) -> Result<Inspection> {
    if !bytes.starts_with(b"\0asm") {
        let message =
            "the bytes are not WebAssembly; a component is expected, as `tessera plugin build` makes it";
        return Err(refuse("COMPONENT_NOT_WASM", message));
    }
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let (mut depth, mut instances) = (0_usize, 0_u32);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| broken(&error))? {
            Payload::Version { encoding, .. } => {
                if depth == 0 && encoding == Encoding::Module {
                    let message =
                        "the bytes are a core module, not a component; build it by `tessera plugin build`";
                    return Err(refuse("COMPONENT_IS_CORE_MODULE", message));
                }
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::InstanceSection(section) => {
                for instance in section {
                    let made = instance.map_err(|error| broken(&error))?;
                    instances += u32::from(matches!(made, wasmparser::Instance::Instantiate { .. }));
                }
            }
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    imports.push(import.map_err(|error| broken(&error))?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export.map_err(|error| broken(&error))?;
                    let called =
                        matches!(export.kind, ComponentExternalKind::Instance | ComponentExternalKind::Func);
                    if called {
                        exports.push(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(Inspection { imports, exports, size: bytes.len() as u64, instances })
}

fn broken(error: &wasmparser::BinaryReaderError) -> Error {
    refuse("COMPONENT_INVALID", format!("the component cannot be read: {error}"))
}

/// Checks names: nothing is imported that plugins do not get, and a version of the contract is exported whole.
pub(crate) fn names(inspection: &Inspection) -> Result<Found> {
    let contract = contract(inspection)?;
    let allowed: BTreeSet<_> =
        ["types", "host", "lookup"].into_iter().map(|name| contract.interface(name)).collect();
    let foreign: Vec<_> = inspection.imports.iter().filter(|name| !allowed.contains(*name)).collect();
    if let Some(first) = foreign.first() {
        return Err(forbidden(first, &foreign));
    }
    let manifest = contract.interface("manifest");
    if !inspection.exports.contains(&manifest) {
        return Err(exports(inspection, &format!("{manifest} is missing")));
    }
    let exported = |hook: &Hook| inspection.exports.contains(&contract.hook(*hook));
    let hooks: Vec<_> = Hook::ALL.into_iter().filter(exported).collect();
    if hooks.is_empty() {
        let expected: Vec<_> = Hook::ALL.into_iter().map(|hook| contract.hook(hook)).collect();
        return Err(exports(inspection, &format!("none of {} is there", expected.join(", "))));
    }
    Ok(Found { contract, hooks })
}

/// The version of the contract that a component was built for.
fn contract(inspection: &Inspection) -> Result<Contract> {
    let names = inspection.exports.iter().chain(&inspection.imports);
    let versions: BTreeSet<_> = names
        .filter_map(|name| name.strip_prefix(PACKAGE)?.split_once('@'))
        .map(|(_, version)| version)
        .collect();
    let known: Vec<_> =
        Contract::ALL.into_iter().filter(|contract| versions.contains(contract.version())).collect();
    match (known.as_slice(), versions.len()) {
        (_, 0) => Err(exports(inspection, "nothing of tessera:plugin is there")),
        ([contract], 1) => Ok(*contract),
        _ => {
            let found = versions.into_iter().collect::<Vec<_>>().join(" and ");
            let served = Contract::ALL.map(Contract::version).join(", ");
            let message =
                format!("the component was built for tessera:plugin@{found}; this host serves {served}");
            Err(refuse("CONTRACT_UNSUPPORTED", message))
        }
    }
}

fn exports(inspection: &Inspection, what: &str) -> Error {
    let found =
        if inspection.exports.is_empty() { "nothing".to_owned() } else { inspection.exports.join(", ") };
    refuse("COMPONENT_EXPORTS", format!("the component's exports do not fit: {what}; it exports {found}"))
}

fn forbidden(first: &str, all: &[&String]) -> Error {
    let hint = if first.starts_with("wasi:") {
        ": build without it (Rust: `tessera plugin build`, target wasm32-unknown-unknown; JavaScript: \
         --backend-qjs-stub-wasi; Python: --stub-wasi)"
    } else {
        ""
    };
    let names: Vec<_> = all.iter().map(|name| name.as_str()).collect();
    refuse(
        "COMPONENT_IMPORTS",
        format!("the component imports {}, which no plugin gets{hint}", names.join(", ")),
    )
}

/// What one instance takes of the pool.
pub(crate) fn footprint(component: &wasmtime::component::Component, inspection: &Inspection) -> Footprint {
    let Some(needs) = component.resources_required() else { return Footprint::default() };
    Footprint {
        instances: inspection.instances.max(1),
        memories: needs.num_memories,
        tables: needs.num_tables,
    }
}
