//! JSON Schemas of settings and of commands' input. A schema is as hostile as the rest: it refers to nothing
//! outside itself, and its patterns take linear time.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use tessera_core::{Error, Result, Violation};

/// The largest schema.
const MAX_BYTES: usize = 64 * 1024;

/// The most faults that are told at once.
const MAX_FAULTS: usize = 20;

/// Reads a schema; `at` is where its author wrote it.
fn validator(at: &str, schema: &str) -> Result<Validator> {
    if schema.len() > MAX_BYTES {
        let message = format!("has {} bytes; a schema has at most {MAX_BYTES}", schema.len());
        return Err(Error::invalid(at, message));
    }
    let json: Value =
        serde_json::from_str(schema).map_err(|error| Error::invalid(at, format!("is not JSON: {error}")))?;
    if let Some(outside) = refers_outside(&json) {
        let message = format!("refers to {outside:?}; only what begins with # can be referred to");
        return Err(Error::invalid(at, message));
    }
    jsonschema::options()
        .with_pattern_options(PatternOptions::regex())
        .build(&json)
        .map_err(|error| Error::invalid(at, format!("is not a JSON Schema: {error}")))
}

/// Refuses what is no schema.
pub(crate) fn check(at: &str, schema: &str) -> Result<()> {
    validator(at, schema).map(drop)
}

/// The faults of a JSON text by a schema; each names its place below `field`.
pub(crate) fn faults(schema: &str, json: &str, field: &str) -> Result<Vec<Violation>> {
    let validator = validator("schema", schema)?;
    let value: Value = match serde_json::from_str(json) {
        Ok(value) => value,
        Err(error) => return Ok(vec![Violation::new(field, format!("is not JSON: {error}"))]),
    };
    let told = validator.iter_errors(&value).take(MAX_FAULTS).map(|error| {
        let place = error.instance_path().to_string().replace('/', ".");
        Violation::new(&format!("{field}{place}"), format_args!("is against the plugin's schema: {error}"))
    });
    Ok(told.collect())
}

fn refers_outside(json: &Value) -> Option<&str> {
    match json {
        Value::Object(members) => members.iter().find_map(|(name, held)| match held {
            Value::String(to) if matches!(name.as_str(), "$ref" | "$dynamicRef") && !to.starts_with('#') => {
                Some(to.as_str())
            }
            _ => refers_outside(held),
        }),
        Value::Array(items) => items.iter().find_map(refers_outside),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_place() {
        let schema = r#"{"type": "object", "properties": {"n": {"type": "array", "items": {"type": "integer"}}}, "required": ["m"]}"#;
        let found = faults(schema, r#"{"n": [1, "x"]}"#, "settings").unwrap();
        let places: Vec<_> = found.iter().map(|fault| fault.field.as_str()).collect();
        assert!(places.contains(&"settings.n.1") && places.contains(&"settings"), "{places:?}");
        assert!(faults(schema, r#"{"m": 1}"#, "settings").unwrap().is_empty());
        assert_eq!(faults(schema, "{", "settings").unwrap().len(), 1);
    }

    #[test]
    fn a_schema_refers_to_nothing_outside_itself() {
        for outside in ["http://127.0.0.1/x.json", "file:///etc/passwd", "other.json"] {
            let schema = format!(r#"{{"properties": {{"a": {{"$ref": "{outside}"}}}}}}"#);
            assert!(check("s", &schema).unwrap_err().message().contains("refers to"), "{outside}");
        }
        assert!(check("s", r##"{"$defs": {"a": {"type": "string"}}, "$ref": "#/$defs/a"}"##).is_ok());
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        let long = format!(r#"{{"title": "{}"}}"#, "x".repeat(MAX_BYTES));
        for bad in ["", "{", r#"{"type": 7}"#, r#"{"pattern": "("}"#, r#"{"pattern": "(a)\\1"}"#, &long] {
            assert!(check("s", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_takes_linear_time() {
        let begun = std::time::Instant::now();
        let schema = r#"{"type": "string", "pattern": "^(a+)+$"}"#;
        let text = format!("\"{}b\"", "a".repeat(50_000));
        assert_eq!(faults(schema, &text, "s").unwrap().len(), 1);
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    }
}
