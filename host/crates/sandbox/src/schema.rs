//! JSON Schemas of settings and of commands' input. A schema is as hostile as the rest: it refers to nothing
//! outside itself, and its patterns take linear time.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use tessera_core::{Error, Result, Violation};

/// The largest schema.
const MAX_BYTES: usize = 64 * 1024;

/// The most rules that a schema comes to, and the most levels, when its references are followed.
const MAX_RULES: u64 = 10_000;
const MAX_DEPTH: u32 = 200;

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
    Weighing::check(&json).map_err(|fault| Error::invalid(at, fault))?;
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

/// Follows what a schema refers to: places within it, never in a circle, and neither deep nor wide without end,
/// for judging by it takes time and stack in proportion.
struct Weighing<'a> {
    root: &'a Value,
    followed: Vec<&'a str>,
    rules: u64,
    depth: u32,
}

impl<'a> Weighing<'a> {
    fn check(root: &'a Value) -> std::result::Result<(), String> {
        Self { root, followed: Vec::new(), rules: 0, depth: 0 }.enter(root)
    }

    fn enter(&mut self, json: &'a Value) -> std::result::Result<(), String> {
        self.rules += 1;
        if self.rules > MAX_RULES {
            return Err(format!("comes to more than {MAX_RULES} rules when its references are followed"));
        }
        if self.depth >= MAX_DEPTH {
            return Err(format!("is deeper than {MAX_DEPTH} levels when its references are followed"));
        }
        self.depth += 1;
        match json {
            Value::Object(members) => {
                members.iter().try_for_each(|(name, held)| match (name.as_str(), held) {
                    ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(to)) => self.follow(to),
                    _ => self.enter(held),
                })?
            }
            Value::Array(items) => items.iter().try_for_each(|held| self.enter(held))?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        self.depth -= 1;
        Ok(())
    }

    fn follow(&mut self, to: &'a str) -> std::result::Result<(), String> {
        let place = to.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let Some(place) = place else {
            return Err(format!(
                "refers to {to:?}; only places within it can be referred to, as #/$defs/name"
            ));
        };
        if self.followed.contains(&to) {
            return Err(format!("refers to {to:?} in a circle"));
        }
        self.followed.push(to);
        self.enter(place)?;
        self.followed.pop();
        Ok(())
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
    fn a_schema_whose_references_unfold_without_end_is_refused() {
        let mut defs = String::from(r#""d0": {"type": "string"}"#);
        for level in 1..40 {
            let below = level - 1;
            defs.push_str(&format!(
                r##", "d{level}": {{"allOf": [{{"$ref": "#/$defs/d{below}"}}, {{"$ref": "#/$defs/d{below}"}}]}}"##
            ));
        }
        let begun = std::time::Instant::now();
        let bomb = format!(r##"{{"$defs": {{{defs}}}, "$ref": "#/$defs/d39"}}"##);
        assert!(check("s", &bomb).unwrap_err().message().contains("more than"));
        let circle = r##"{"properties": {"a": {"$ref": "#"}}}"##;
        assert!(check("s", circle).unwrap_err().message().contains("circle"));
        let deep: String = (1..100)
            .map(|n| format!(r##""d{n}": {{"not": {{"not": {{"$ref": "#/$defs/d{}"}}}}}}, "##, n - 1))
            .collect();
        let deep = format!(r##"{{"$defs": {{{deep} "d0": {{}}}}, "$ref": "#/$defs/d99"}}"##);
        assert!(check("s", &deep).unwrap_err().message().contains("deeper"));
        assert!(begun.elapsed() < std::time::Duration::from_secs(2));
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
