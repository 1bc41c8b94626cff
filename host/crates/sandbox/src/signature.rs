//! Describes the functions of a component's exports, for authors whose exports do not fit.

use std::fmt::{self, Write};

use tessera_core::bounded_text::BoundedText;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};

/// How deep types are described.
const MAX_DEPTH: usize = 4;

/// The most bytes of a description. A component of few bytes can have types whose full description is endless.
const MAX_DESCRIPTION: usize = 2_048;

/// Describes the functions of an exported interface.
pub(crate) fn describe(engine: &Engine, component: &Component, interface: &str) -> String {
    let component = component.component_type();
    let Some(export) = component.get_export(engine, interface) else { return "nothing".to_owned() };
    let ComponentItem::ComponentInstance(instance) = export.ty else { return "no interface".to_owned() };
    let functions = instance.exports(engine).filter_map(|(name, export)| match export.ty {
        ComponentItem::ComponentFunc(function) => Some((name, function)),
        _ => None,
    });
    let mut text = BoundedText::new(MAX_DESCRIPTION);
    // The error only says that the text is full.
    let _ =
        separated(&mut text, "; ", functions, |text, (name, function)| write_function(text, name, &function));
    let text = text.into_string();
    if text.is_empty() { "no function".to_owned() } else { text }
}

fn write_function(text: &mut BoundedText, name: &str, function: &ComponentFunc) -> fmt::Result {
    write!(text, "{name}: func(")?;
    separated(text, ", ", function.params(), |text, (_, param)| write_type(text, &param, 0))?;
    text.write_str(")")?;
    if function.results().len() > 0 {
        text.write_str(" -> ")?;
    }
    separated(text, ", ", function.results(), |text, result| write_type(text, &result, 0))
}

fn write_type(text: &mut BoundedText, described: &Type, depth: usize) -> fmt::Result {
    if depth > MAX_DEPTH {
        return text.write_str("…");
    }
    let inner = |text: &mut BoundedText, inner: &Type| write_type(text, inner, depth + 1);
    let optional = |text: &mut BoundedText, optional: Option<Type>| match optional {
        Some(some) => inner(text, &some),
        None => text.write_str("_"),
    };
    match described {
        Type::List(list) => {
            text.write_str("list<")?;
            inner(text, &list.ty())?;
            text.write_str(">")
        }
        Type::Option(option) => {
            text.write_str("option<")?;
            inner(text, &option.ty())?;
            text.write_str(">")
        }
        Type::Result(result) => {
            text.write_str("result<")?;
            optional(text, result.ok())?;
            text.write_str(", ")?;
            optional(text, result.err())?;
            text.write_str(">")
        }
        Type::Tuple(tuple) => {
            text.write_str("tuple<")?;
            separated(text, ", ", tuple.types(), |text, part| inner(text, &part))?;
            text.write_str(">")
        }
        Type::Record(record) => members(text, "record", record.fields().map(|field| field.name)),
        Type::Variant(variant) => members(text, "variant", variant.cases().map(|case| case.name)),
        Type::Enum(names) => members(text, "enum", names.names()),
        Type::Flags(flags) => members(text, "flags", flags.names()),
        other => text.write_str(&format!("{other:?}").to_lowercase()),
    }
}

fn members<'a>(text: &mut BoundedText, kind: &str, names: impl Iterator<Item = &'a str>) -> fmt::Result {
    write!(text, "{kind}{{")?;
    separated(text, ", ", names, |text, name| text.write_str(name))?;
    text.write_str("}")
}

/// Writes items with a separator between them.
fn separated<T>(
    text: &mut BoundedText,
    separator: &str,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut BoundedText, T) -> fmt::Result,
) -> fmt::Result {
    for (n, item) in items.enumerate() {
        if n > 0 {
            text.write_str(separator)?;
        }
        write(text, item)?;
    }
    Ok(())
}
