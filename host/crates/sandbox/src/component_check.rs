//! Checks a component's imports and exports by their names: it imports only what plugins get, and exports one version of
//! the contract completely.

use std::collections::BTreeSet;

use tessera_core::bounded_text::BoundedText;
use tessera_core::plugin::Hook;
use tessera_core::{Error, ErrorKind, Result};

use crate::contract::Contract;
use crate::inspection::Inspection;

/// Package of the contract.
const PACKAGE: &str = "tessera:plugin/";

/// The most names of a component that a message repeats, and the most bytes of each.
const MAX_NAMES: usize = 20;
const MAX_NAME: usize = 100;

/// The contract and hooks of a component.
pub(crate) struct ComponentKind {
    pub(crate) contract: Contract,
    pub(crate) hooks: Vec<Hook>,
}

/// Returns a component's contract and hooks; refuses foreign imports and missing exports.
pub(crate) fn check_names(inspection: &Inspection) -> Result<ComponentKind> {
    let contract = find_contract(inspection)?;
    let allowed: BTreeSet<_> =
        ["types", "host", "lookup"].into_iter().map(|name| contract.interface(name)).collect();
    let foreign: Vec<_> = inspection.imports.iter().filter(|name| !allowed.contains(*name)).collect();
    if let Some(first) = foreign.first() {
        return Err(forbidden_imports(first, &foreign));
    }
    let manifest = contract.interface("manifest");
    if !inspection.exports.contains(&manifest) {
        return Err(missing_exports(inspection, &format!("{manifest} is missing")));
    }
    let is_exported = |hook: &Hook| inspection.exports.contains(&contract.hook(*hook));
    let hooks: Vec<_> = Hook::ALL.into_iter().filter(is_exported).collect();
    if hooks.is_empty() {
        let expected: Vec<_> = Hook::ALL.into_iter().map(|hook| contract.hook(hook)).collect();
        return Err(missing_exports(inspection, &format!("none of {} is there", expected.join(", "))));
    }
    Ok(ComponentKind { contract, hooks })
}

/// Returns the version of the contract that a component was built for.
fn find_contract(inspection: &Inspection) -> Result<Contract> {
    let names = inspection.exports.iter().chain(&inspection.imports);
    let versions: BTreeSet<_> = names
        .filter_map(|name| name.strip_prefix(PACKAGE)?.split_once('@'))
        .map(|(_, version)| version)
        .collect();
    let served: Vec<_> =
        Contract::ALL.into_iter().filter(|contract| versions.contains(contract.version())).collect();
    match (served.as_slice(), versions.len()) {
        (_, 0) => Err(missing_exports(inspection, "nothing of tessera:plugin is there")),
        ([contract], 1) => Ok(*contract),
        _ => {
            let found = list(versions, " and ");
            let served = Contract::ALL.map(Contract::version).join(", ");
            let message =
                format!("the component was built for tessera:plugin@{found}; this host serves {served}");
            Err(Error::new(ErrorKind::Invalid, "CONTRACT_UNSUPPORTED", message))
        }
    }
}

fn missing_exports(inspection: &Inspection, what: &str) -> Error {
    let exports = if inspection.exports.is_empty() {
        "nothing".to_owned()
    } else {
        list(inspection.exports.iter().map(String::as_str), ", ")
    };
    let message = format!("the component's exports do not fit: {what}; it exports {exports}");
    Error::new(ErrorKind::Invalid, "COMPONENT_EXPORTS", message)
}

fn forbidden_imports(first: &str, all: &[&String]) -> Error {
    let hint = if first.starts_with("wasi:") {
        ": build without it (Rust: `tessera plugin build`; JavaScript: `componentize-qjs --stub-wasi`; Python: \
         `componentize-py … componentize --stub-wasi`), as the templates of `tessera plugin new` do"
    } else {
        ""
    };
    let names = list(all.iter().map(|name| name.as_str()), ", ");
    let message = format!("the component imports {names}, which no plugin gets{hint}");
    Error::new(ErrorKind::Invalid, "COMPONENT_IMPORTS", message)
}

/// Joins names of the component, as many as a message repeats.
fn list<'a>(names: impl IntoIterator<Item = &'a str>, separator: &str) -> String {
    let mut names = names.into_iter();
    let shown: Vec<_> = names.by_ref().take(MAX_NAMES).map(|name| BoundedText::of(name, MAX_NAME)).collect();
    let list = shown.join(separator);
    match names.count() {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}
