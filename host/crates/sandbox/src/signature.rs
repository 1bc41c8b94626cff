//! Describes the functions of a component's exports, for authors whose exports do not fit.

use std::fmt::Write as _;

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentItem, Type};

/// How deep types are described.
const MAX_DEPTH: usize = 4;

/// Describes the functions of an exported interface.
pub(crate) fn describe(engine: &Engine, component: &Component, interface: &str) -> String {
    let component = component.component_type();
    let Some(export) = component.get_export(engine, interface) else { return "nothing".to_owned() };
    let ComponentItem::ComponentInstance(instance) = export.ty else { return "no interface".to_owned() };
    let functions = instance.exports(engine).filter_map(|(name, export)| match export.ty {
        ComponentItem::ComponentFunc(function) => {
            let params: Vec<_> = function.params().map(|(_, param)| describe_type(&param, 0)).collect();
            let results: Vec<_> = function.results().map(|result| describe_type(&result, 0)).collect();
            let arrow = if results.is_empty() { "" } else { " -> " };
            Some(format!("{name}: func({}){arrow}{}", params.join(", "), results.join(", ")))
        }
        _ => None,
    });
    let functions: Vec<_> = functions.collect();
    if functions.is_empty() { "no function".to_owned() } else { functions.join("; ") }
}

fn describe_type(described: &Type, depth: usize) -> String {
    if depth > MAX_DEPTH {
        return "…".to_owned();
    }
    let inner = |inner: &Type| describe_type(inner, depth + 1);
    let optional = |optional: Option<Type>| optional.map_or("_".to_owned(), |some| inner(&some));
    match described {
        Type::List(list) => format!("list<{}>", inner(&list.ty())),
        Type::Option(option) => format!("option<{}>", inner(&option.ty())),
        Type::Result(result) => format!("result<{}, {}>", optional(result.ok()), optional(result.err())),
        Type::Tuple(tuple) => {
            format!("tuple<{}>", tuple.types().map(|part| inner(&part)).collect::<Vec<_>>().join(", "))
        }
        Type::Record(record) => members("record", record.fields().map(|field| field.name.to_owned())),
        Type::Variant(variant) => members("variant", variant.cases().map(|case| case.name.to_owned())),
        Type::Enum(names) => members("enum", names.names().map(str::to_owned)),
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
