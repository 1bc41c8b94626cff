//! Faults of JSON bodies and queries, with messages for the client. serde's own messages name Rust types.

use std::fmt;

use serde::de::{Expected, Unexpected};

/// The longest unknown name in a message, in characters.
const MAX_NAME: usize = 64;

/// A fault and its path; an empty path stands for the whole value.
#[derive(Debug)]
pub(super) struct DecodeError {
    pub(super) at: String,
    pub(super) message: String,
    /// Whether the value has the right type and is invalid, for example an unknown name or a text that is not a time.
    pub(super) is_rule: bool,
}

impl DecodeError {
    pub(super) fn of(field: &str, message: impl fmt::Display) -> Self {
        Self { at: field.to_owned(), message: message.to_string(), is_rule: false }
    }

    /// Returns the fault of an unknown member.
    pub(super) fn unknown(name: &str, names: &[&str]) -> Self {
        let expected = if names.is_empty() { "nothing".to_owned() } else { one_of(names) };
        Self::of(truncate(name), format_args!("is not known here; {expected} is expected"))
    }

    /// Prefixes the path with the member that contains the fault.
    pub(super) fn within(self, name: &str) -> Self {
        let point = if self.at.is_empty() || self.at.starts_with('[') { "" } else { "." };
        Self { at: format!("{name}{point}{}", self.at), ..self }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.message)
    }
}

impl std::error::Error for DecodeError {}

impl serde::de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { is_rule: true, ..Self::of("", message) }
    }

    fn invalid_type(value: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of("", format_args!("is {}; {} is expected", describe(value), json_type(&expected.to_string())))
    }

    fn invalid_value(value: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(value, expected)
    }

    fn invalid_length(length: usize, _: &dyn Expected) -> Self {
        Self::of("", format_args!("has {length} entries; another number is expected"))
    }

    fn unknown_variant(name: &str, variants: &'static [&'static str]) -> Self {
        Self::custom(format_args!("is {:?}; {} is expected", truncate(name), one_of(variants)))
    }

    fn unknown_field(name: &str, fields: &'static [&'static str]) -> Self {
        Self::unknown(name, fields)
    }

    fn missing_field(name: &'static str) -> Self {
        Self::of(name, "must be given")
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::of(name, "is given twice")
    }
}

/// Lists the expected names.
pub(super) fn one_of(names: &[&str]) -> String {
    match names {
        [one] => (*one).to_owned(),
        _ => format!("one of {}", names.join(", ")),
    }
}

fn describe(value: Unexpected<'_>) -> String {
    match value {
        Unexpected::Bool(truth) => truth.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => number.to_string(),
        Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => "a text".to_owned(),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map | Unexpected::NewtypeStruct => "an object".to_owned(),
        _ => "something else".to_owned(),
    }
}

/// Truncates a name, which may be as long as the body.
fn truncate(name: &str) -> &str {
    name.char_indices().nth(MAX_NAME).map_or(name, |(end, _)| &name[..end])
}

/// Translates serde's names of expected types.
fn json_type(expected: &str) -> &str {
    match expected {
        "a string" | "a character" | "a borrowed string" | "string" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "unit" => "null",
        "f32" | "f64" => "a number",
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "variant identifier" | "field identifier" => "a name",
        _ if expected.starts_with("a tuple") => "a list",
        _ if expected.starts_with("struct ") || expected.contains("enum ") => "an object",
        _ => expected,
    }
}
