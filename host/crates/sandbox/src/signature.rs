//! How a component's exported functions look, in words, for authors whose exports do not fit.

use std::fmt::Write as _;

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentItem, Type};

/// How deep types are told.
const MAX_DEPTH: usize = 4;

/// The functions of an exported interface, one line each.
pub(crate) fn found(engine: &Engine, component: &Component, interface: &str) -> String {
    let kind = component.component_type();
    let Some(export) = kind.get_export(engine, interface) else { return "nothing".to_owned() };
    let ComponentItem::ComponentInstance(instance) = export.ty else { return "no interface".to_owned() };
    let functions = instance.exports(engine).filter_map(|(name, held)| match held.ty {
        ComponentItem::ComponentFunc(function) => {
            let params: Vec<_> = function.params().map(|(_, held)| told(&held, 0)).collect();
            let results: Vec<_> = function.results().map(|held| told(&held, 0)).collect();
            let arrow = if results.is_empty() { "" } else { " -> " };
            Some(format!("{name}: func({}){arrow}{}", params.join(", "), results.join(", ")))
        }
        _ => None,
    });
    let functions: Vec<_> = functions.collect();
    if functions.is_empty() { "no function".to_owned() } else { functions.join("; ") }
}

fn told(held: &Type, depth: usize) -> String {
    if depth > MAX_DEPTH {
        return "…".to_owned();
    }
    let inner = |held: &Type| told(held, depth + 1);
    let optional = |held: Option<Type>| held.map_or("_".to_owned(), |held| inner(&held));
    match held {
        Type::List(list) => format!("list<{}>", inner(&list.ty())),
        Type::Option(option) => format!("option<{}>", inner(&option.ty())),
        Type::Result(result) => format!("result<{}, {}>", optional(result.ok()), optional(result.err())),
        Type::Tuple(tuple) => {
            format!("tuple<{}>", tuple.types().map(|held| inner(&held)).collect::<Vec<_>>().join(", "))
        }
        Type::Record(record) => members("record", record.fields().map(|field| field.name.to_owned())),
        Type::Variant(variant) => members("variant", variant.cases().map(|case| case.name.to_owned())),
        Type::Enum(held) => members("enum", held.names().map(str::to_owned)),
        Type::Flags(flags) => members("flags", flags.names().map(str::to_owned)),
        other => {
            let mut text = String::new();
            // Writing into a string does not fail.
            let _ = write!(text, "{other:?}");
            text.to_lowercase()
        }
    }
}

fn members(kind: &str, names: impl Iterator<Item = String>) -> String {
    format!("{kind}{{{}}}", names.collect::<Vec<_>>().join(", "))
}
