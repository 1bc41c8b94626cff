//! Removes what a component does not need from a plugin's module.

use anyhow::{Context as _, Result};
use wasmparser::{KnownCustom, Name, NameSectionReader, Parser, Payload};

/// Ids of a custom section, and of the function names in a section of names.
const CUSTOM: u8 = 0;
const FUNCTION_NAMES: u8 = 1;

/// Removes the debug information, and all names but those of functions, which are shortened. Backtraces need them.
pub(super) fn shrink(module: &[u8]) -> Result<Vec<u8>> {
    let mut shrunk = Vec::with_capacity(module.len());
    let mut end = 0;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("the file is not WebAssembly")?;
        if let Payload::Version { range, .. } = &payload {
            end = range.end;
            shrunk.extend_from_slice(module.get(range.clone()).unwrap_or_default());
        }
        let Some((_, range)) = payload.as_section() else { continue };
        // A section's id and length stand before its range.
        let section = module.get(end..range.end).unwrap_or_default();
        end = range.end;
        match &payload {
            Payload::CustomSection(custom) if custom.name().starts_with(".debug") => {}
            Payload::CustomSection(custom) => match custom.as_known() {
                KnownCustom::Name(names) => {
                    shrunk.extend(function_names(names).context("cannot read the names of functions")?);
                }
                _ => shrunk.extend_from_slice(section),
            },
            _ => shrunk.extend_from_slice(section),
        }
    }
    Ok(shrunk)
}

/// Returns a section with the names of functions only, as their authors wrote them.
fn function_names(names: NameSectionReader<'_>) -> Result<Vec<u8>> {
    let (mut count, mut entries) = (0, Vec::new());
    for name in names {
        let Name::Function(functions) = name? else { continue };
        for function in functions {
            let function = function?;
            count += 1;
            push_number(&mut entries, usize::try_from(function.index)?);
            push_bytes(&mut entries, demangle(function.name).as_bytes());
        }
    }
    let mut functions = Vec::new();
    push_number(&mut functions, count);
    functions.extend(entries);
    let mut body = Vec::new();
    push_bytes(&mut body, b"name");
    body.push(FUNCTION_NAMES);
    push_bytes(&mut body, &functions);
    let mut section = vec![CUSTOM];
    push_bytes(&mut section, &body);
    Ok(section)
}

fn demangle(name: &str) -> String {
    rustc_demangle::try_demangle(name).map_or_else(|_| name.to_owned(), |name| format!("{name:#}"))
}

/// Writes bytes after their count.
fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_number(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Writes a number in LEB128.
fn push_number(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(name: &str, content: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        push_bytes(&mut body, name.as_bytes());
        body.extend_from_slice(content);
        let mut section = vec![CUSTOM];
        push_bytes(&mut section, &body);
        section
    }

    fn names(functions: &[(usize, &str)]) -> Vec<u8> {
        let mut entries = Vec::new();
        push_number(&mut entries, functions.len());
        for (index, name) in functions {
            push_number(&mut entries, *index);
            push_bytes(&mut entries, name.as_bytes());
        }
        let mut content = vec![FUNCTION_NAMES];
        push_bytes(&mut content, &entries);
        content
    }

    #[test]
    fn debug_information_is_removed_and_function_names_are_shortened() {
        let header = b"\0asm\x01\0\0\0";
        let long = "a".repeat(200);
        let mangled = names(&[(0, "_ZN4core3fmt5write17h0123456789abcdefE"), (300, &long)]);
        // The name of the module, which goes.
        let content = [&[0, 2, 1, b'm'][..], &mangled].concat();
        let (producers, debug) = (custom("producers", &[7]), custom(".debug_info", &[1; 300]));
        let module = [&header[..], &debug, &custom("name", &content), &producers].concat();
        let expected = custom("name", &names(&[(0, "core::fmt::write"), (300, &long)]));
        assert_eq!(shrink(&module).unwrap(), [&header[..], &expected, &producers].concat());
        assert!(shrink(b"#!/bin/sh").is_err());
    }
}
