//! Compiles the protos without protoc, and derives their JSON form.
//!
//! Every message serializes and deserializes as REST shows it: fields by their proto names, 64-bit integers as numbers,
//! timestamps as RFC 3339, enums as lower-case names. `json.rs` holds the adapters that the attributes name.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// All protos.
const FILES: [&str; 17] = [
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
    "ticket/v1/pricing.proto",
    "ticket/v1/promotion.proto",
    "ticket/v1/reservation.proto",
    "ticket/v1/ticket.proto",
    "user/v1/user.proto",
    "user/v2/user.proto",
];

const TIMESTAMP: &str = ".google.protobuf.Timestamp";
const FIELD_MASK: &str = ".google.protobuf.FieldMask";

/// Its JSON form is that of the one field; written by hand in `json.rs`.
const VALUE: &str = ".common.v1.Value";

/// A list that can be absent: JSON has no wrapper around it.
const GRANTS: &str = ".plugin.v1.Grants";

/// Each scan of a report is judged by itself, so an unreadable time must not refuse the report.
const SCAN_TIME: &str = ".ticket.v1.Scan.at";

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folder by environment")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_source_info(true).include_imports(true).open_files(FILES)?;
    std::fs::write(out.join("tessera.bin"), compiler.encode_file_descriptor_set())?;
    let set = compiler.file_descriptor_set();
    let mut config = prost_build::Config::new();
    config.enable_type_names().btree_map(["."]);
    let enums = derive_json(&mut config, &set);
    std::fs::write(out.join("enums.rs"), enums)?;
    tonic_prost_build::configure().build_transport(false).compile_fds_with_config(set, config)?;
    Ok(())
}

/// Adds serde's attributes to all messages; returns the JSON names of all enums as Rust code.
fn derive_json(config: &mut prost_build::Config, set: &FileDescriptorSet) -> String {
    let mut enums = String::new();
    for file in set.file.iter().filter(|file| !file.package().starts_with("google.")) {
        for message in &file.message_type {
            derive_message(config, &format!(".{}.{}", file.package(), message.name()), message);
        }
        for values in &file.enum_type {
            describe_enum(&mut enums, file.package(), values);
        }
    }
    enums
}

fn derive_message(config: &mut prost_build::Config, name: &str, message: &DescriptorProto) {
    match name {
        VALUE => return,
        GRANTS => {
            config.type_attribute(
                name,
                "#[derive(serde::Serialize, serde::Deserialize)] #[serde(transparent)]",
            );
            return;
        }
        _ => {}
    }
    config.type_attribute(
        name,
        "#[derive(serde::Serialize, serde::Deserialize)] #[serde(default, deny_unknown_fields)]",
    );
    let fields: BTreeSet<&str> = message.field.iter().map(FieldDescriptorProto::name).collect();
    for field in &message.field {
        if format!("{name}.{}", field.name()) == SCAN_TIME {
            config.field_attribute(SCAN_TIME, "#[serde(with = \"crate::json::lenient_timestamp\")]");
            continue;
        }
        let attribute = match field_attribute(field, &fields) {
            Some(inner) => format!("#[serde({inner})]"),
            None => continue,
        };
        config.field_attribute(format!("{name}.{}", field.name()), attribute);
    }
}

/// What serde has to be told of a field.
fn field_attribute(field: &FieldDescriptorProto, fields: &BTreeSet<&str>) -> Option<String> {
    let name = field.name();
    if fields.contains(format!("{name}_name").as_str()) {
        // The built-in values of an open set: `<name>_name` holds all values, and is the JSON member.
        return Some("skip".to_owned());
    }
    if let Some(base) = name.strip_suffix("_name").filter(|base| fields.contains(base)) {
        return Some(format!("rename = \"{base}\""));
    }
    if let Some(base) = name.strip_suffix("_json") {
        let adapter = if field.proto3_optional() { "optional_raw" } else { "raw" };
        return Some(format!("rename = \"{base}\", with = \"crate::json::{adapter}\""));
    }
    let repeated = field.label() == Label::Repeated;
    match (field.r#type(), field.type_name()) {
        (Type::Message, TIMESTAMP) => {
            Some(omitted_unless_nullable(field, "with = \"crate::json::timestamp\""))
        }
        (Type::Message, FIELD_MASK) => {
            Some("skip_serializing, deserialize_with = \"crate::json::field_mask\"".to_owned())
        }
        (Type::Message, _) if !repeated => Some(omitted_unless_nullable(field, "")),
        (Type::Enum, path) => {
            let adapter = if repeated { "enum_list" } else { "enum_value" };
            Some(format!(
                "serialize_with = \"crate::json::{adapter}::serialize::<crate{path}, _>\", \
                 deserialize_with = \"crate::json::{adapter}::deserialize::<crate{path}, _>\"",
                path = path.replace('.', "::"),
            ))
        }
        _ => None,
    }
}

/// A message that is absent is left out, unless the proto calls it optional: then it is null.
fn omitted_unless_nullable(field: &FieldDescriptorProto, attribute: &str) -> String {
    let omitted = if field.proto3_optional() { "" } else { "skip_serializing_if = \"Option::is_none\"" };
    match (attribute, omitted) {
        ("", "") => "default".to_owned(),
        ("", one) | (one, "") => one.to_owned(),
        (attribute, omitted) => format!("{attribute}, {omitted}"),
    }
}

/// Writes the JSON names of an enum: its values' names in lower case, without the enum's own name before them.
fn describe_enum(code: &mut String, package: &str, values: &EnumDescriptorProto) {
    let prefix = screaming(values.name());
    let names = values.value.iter().filter(|value| value.number() != 0).map(|value| {
        let name = value.name().strip_prefix(&prefix).unwrap_or(value.name()).to_lowercase();
        (name, value.number())
    });
    let names: Vec<_> = names.collect();
    let list = names.iter().map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let numbers = names.iter().map(|(_, number)| number.to_string()).collect::<Vec<_>>().join(", ");
    let path = package.replace('.', "::");
    let _ = writeln!(
        code,
        "impl crate::json::JsonEnum for crate::{path}::{name} {{\n    \
         const NAMES: &'static [&'static str] = &[{list}];\n    \
         const NUMBERS: &'static [i32] = &[{numbers}];\n}}",
        name = values.name(),
    );
}

/// `LinkKind` as `LINK_KIND_`.
fn screaming(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(letter.to_uppercase());
    }
    out + "_"
}
