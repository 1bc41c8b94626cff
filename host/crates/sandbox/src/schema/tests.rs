//! The limits of schemas at work, and the JSON Schema test suite.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::compile::compile;
use super::evaluate::{Limits, Report, evaluate};
use super::{LIMITS, MAX_SCHEMA, MAX_VALUE, check, violations};

fn refusal(schema: &Value) -> String {
    compile(schema).map(drop).expect_err("the schema is not refused")
}

fn report(schema: &Value, value: &Value) -> Report {
    evaluate(&compile(schema).unwrap(), value, LIMITS)
}

#[test]
fn violations_name_their_places() {
    let schema = r#"{"type": "object", "properties": {"n": {"type": "array", "items": {"type": "integer"}}}, "required": ["m"]}"#;
    let found = violations(schema, r#"{"n": [1, "x"]}"#, "settings").unwrap();
    let places: Vec<_> = found.iter().map(|violation| violation.field.as_str()).collect();
    assert!(places.contains(&"settings.n.1") && places.contains(&"settings"), "{places:?}");
    assert!(violations(schema, r#"{"m": 1}"#, "settings").unwrap().is_empty());
    assert_eq!(violations(schema, "{", "settings").unwrap().len(), 1);
}

#[test]
fn references_lead_only_to_places_within_the_schema() {
    for reference in ["http://127.0.0.1/x.json", "file:///etc/passwd", "other.json", "#name", "#/%24defs/a"] {
        let schema =
            json!({"$defs": {"a": {}}, "%24defs": {"a": {}}, "properties": {"a": {"$ref": reference}}});
        assert!(refusal(&schema).contains("refers to"), "{reference}");
    }
    assert!(compile(&json!({"$defs": {"a": {"type": "string"}}, "$ref": "#/$defs/a"})).is_ok());
}

#[test]
fn keywords_that_change_resolution_are_refused() {
    for name in ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"] {
        let schema = json!({"properties": {"a": {name: "#x"}}});
        assert!(refusal(&schema).contains(name), "{name}");
    }
    assert!(refusal(&json!({"$anchor": "x"})).contains("$anchor"));
    assert!(
        refusal(&json!({"items": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}))
            .contains("$schema")
    );
    assert!(refusal(&json!({"$schema": "http://json-schema.org/draft-04/schema#"})).contains("draft-04"));
    assert!(compile(&json!({"$id": "https://example.com/s.json", "properties": {"$id": {}}})).is_ok());
}

/// The schema that ended a host: an escaped reference led the check to one place and the evaluation to another.
#[test]
fn an_escaped_reference_cannot_hide_a_circle() {
    let schema = r##"{"%24defs":{"a":{}},"$defs":{"a":{"allOf":[{"$ref":"#/%24defs/a"},{"$ref":"#/%24defs/a"}]}},"$ref":"#/%24defs/a"}"##;
    assert!(schema.len() < 130);
    assert!(check("s", schema).unwrap_err().message().contains("refers to"));
}

#[test]
fn rules_and_levels_are_bounded_when_references_are_followed() {
    let pair = |below: usize| json!({"allOf": [{"$ref": format!("#/$defs/d{below}")}, {"$ref": format!("#/$defs/d{below}")}]});
    let mut defs: serde_json::Map<_, _> = (1..40).map(|n| (format!("d{n}"), pair(n - 1))).collect();
    defs.insert("d0".to_owned(), json!({"type": "string"}));
    let bomb = json!({"$defs": defs, "$ref": "#/$defs/d39"});
    assert!(refusal(&bomb).contains("more than 10000 rules"));
    let circle = json!({"properties": {"a": {"$ref": "#"}}});
    assert!(refusal(&circle).contains("circle"));
    let below = |n: usize| json!({"not": {"not": {"$ref": format!("#/$defs/d{}", n - 1)}}});
    let mut defs: serde_json::Map<_, _> = (1..100).map(|n| (format!("d{n}"), below(n))).collect();
    defs.insert("d0".to_owned(), json!({}));
    let deep = json!({"$defs": defs, "$ref": "#/$defs/d99"});
    assert!(refusal(&deep).contains("deeper than 200 levels"));
}

/// The stack of a test is that of the threads on which schemas are evaluated.
#[test]
fn the_deepest_schema_and_value_fit_the_stack() {
    let below = |n: usize| json!({"items": {"$ref": format!("#/$defs/d{}", n - 1)}});
    let mut defs: serde_json::Map<_, _> = (1..=60).map(|n| (format!("d{n}"), below(n))).collect();
    let mut inner = json!(false);
    for _ in 0..60 {
        inner = json!({"allOf": [inner]});
    }
    defs.insert("d0".to_owned(), inner);
    let mut value = json!(1);
    for _ in 0..60 {
        value = json!([value]);
    }
    let deep = json!({"$defs": defs, "$ref": "#/$defs/d60"});
    assert_eq!(report(&deep, &value).mismatches.len(), 1);
}

#[test]
fn evaluation_ends_at_the_limit_of_steps() {
    let rules = vec![json!({"items": {"items": {"type": ["string", "integer"]}}}); 900];
    let value = Value::Array(vec![json!(vec![1; 1_000]); 60]);
    let limits = Limits { steps: 10_000, ..LIMITS };
    for combine in ["allOf", "anyOf", "oneOf"] {
        let schema = compile(&json!({combine: rules})).unwrap();
        if combine != "anyOf" {
            let report = evaluate(&schema, &value, limits);
            assert!(report.is_exhausted && report.steps <= 10_001, "{combine}: {report:?}");
        }
        // None of the first alternatives matches, so that each is tried.
        let report = evaluate(&schema, &json!([[[1.5]]]), limits);
        assert!(!report.is_exhausted || report.steps <= 10_001, "{combine}: {report:?}");
    }
    let schema = json!({"allOf": rules}).to_string();
    let found = violations(&schema, &value.to_string(), "settings").unwrap();
    assert!(found.len() == 1 && found[0].message.contains("more than 1000000 steps"), "{found:?}");
}

/// Alternatives within alternatives, each with `unevaluatedProperties`, would double the work at each level if what they
/// have evaluated were found out by evaluating them again.
#[test]
fn nested_alternatives_take_steps_in_proportion_to_their_rules() {
    let mut schema = json!({"properties": {"a": {"type": "string"}}});
    for _ in 0..50 {
        schema = json!({"anyOf": [schema], "unevaluatedProperties": false});
    }
    let report = report(&schema, &json!({"a": 1}));
    assert!(report.steps < 1_000 && report.mismatches.len() == 1, "{report:?}");
}

#[test]
fn evaluation_ends_at_the_first_violations() {
    let schema = json!({"items": {"type": "string"}});
    let value = Value::Array(vec![json!(1); 100_000]);
    let found = report(&schema, &value);
    assert_eq!(found.mismatches.len(), 20);
    assert!(found.steps < 100, "items behind the last violation were evaluated: {}", found.steps);
    let alternatives = json!({"anyOf": vec![schema; 1_000]});
    let found = report(&alternatives, &value);
    assert!(found.mismatches.len() == 1 && found.steps < 10_000, "{}", found.steps);
}

#[test]
fn messages_repeat_no_more_than_the_start_of_a_text() {
    let long = "x".repeat(50_000);
    let schema = json!({
        "properties": {&long: {"enum": [&long, &long]}, "p": {"pattern": "a".repeat(900)}},
        "required": ["n".repeat(10_000)],
        "propertyNames": {"maxLength": 3},
    });
    let found = violations(&schema.to_string()[..], &json!({&long: 1, "p": "b"}).to_string(), "settings");
    assert!(found.is_err(), "the schema is larger than a schema may be");
    let long = &long[..10_000];
    let schema = json!({
        "properties": {long: {"enum": [long, long]}, "p": {"pattern": "a".repeat(900)}},
        "required": ["n".repeat(10_000)],
        "propertyNames": {"maxLength": 3},
    });
    let found = violations(&schema.to_string(), &json!({long: 1, "p": "b"}).to_string(), "settings").unwrap();
    assert_eq!(found.len(), 4);
    for violation in found {
        assert!(violation.field.len() + violation.message.len() < 1_000, "{violation:?}");
    }
}

#[test]
fn long_names_take_steps_in_proportion_to_their_length() {
    let items = Value::Array(vec![json!({"a": 1}); 100]);
    let steps = |rule: Value| report(&json!({"items": {"not": rule}}), &items).steps;
    let (short, long) = ("n".to_owned(), "n".repeat(16_000));
    for rule in
        [|name: &str| json!({"required": [name]}), |name: &str| json!({"dependentRequired": {"a": [name]}})]
    {
        assert!(steps(rule(&long)) > steps(rule(&short)) + 90_000);
    }
}

#[test]
fn equal_items_are_found_in_linear_time() {
    let mut items: Vec<_> = (0..20_000).map(|n| json!(n)).collect();
    let unique = report(&json!({"uniqueItems": true}), &Value::Array(items.clone()));
    assert!(unique.mismatches.is_empty() && unique.steps < 50_000, "{}", unique.steps);
    items.push(json!(7.0));
    assert_eq!(report(&json!({"uniqueItems": true}), &Value::Array(items)).mismatches.len(), 1);
}

#[test]
fn a_pattern_takes_steps_in_proportion_to_the_text() {
    let schema = json!({"type": "string", "pattern": "^(a+)+$"});
    let steps = |length: usize| {
        let report = report(&schema, &json!(format!("{}b", "a".repeat(length))));
        assert_eq!(report.mismatches.len(), 1);
        report.steps
    };
    let (short, long) = (steps(1_000), steps(10_000));
    assert!(long > 9 * short && long < 11 * short, "{short} {long}");
    let report = report(&json!({"pattern": "^[a-z]{900}$"}), &json!("a".repeat(200_000)));
    assert!(report.is_exhausted && report.mismatches.is_empty());
}

#[test]
fn schemas_and_values_are_bounded_in_size() {
    let long = format!(r#"{{"title": "{}"}}"#, "x".repeat(MAX_SCHEMA));
    assert!(check("s", &long).unwrap_err().message().contains("at most 65536"));
    let value = format!("\"{}\"", "x".repeat(MAX_VALUE));
    let found = violations("{}", &value, "s").unwrap();
    assert!(found[0].message.contains("at most 262144"), "{found:?}");
}

#[test]
fn what_is_not_a_schema_is_refused() {
    for bad in [
        "",
        "{",
        "7",
        r#"{"type": 7}"#,
        r#"{"type": "text"}"#,
        r#"{"type": []}"#,
        r#"{"pattern": "("}"#,
        r#"{"pattern": "(a)\\1"}"#,
        r#"{"minLength": -1}"#,
        r#"{"minimum": "1"}"#,
        r#"{"multipleOf": 0}"#,
        r#"{"required": "a"}"#,
        r#"{"properties": []}"#,
        r#"{"properties": {"a": 1}}"#,
        r#"{"allOf": []}"#,
        r#"{"$defs": {"unused": {"type": 7}}}"#,
    ] {
        assert!(check("s", bad).is_err(), "{bad}");
    }
}

#[test]
fn older_forms_of_keywords_are_understood() {
    let tuple = json!({"items": [{"type": "integer"}], "additionalItems": false});
    assert!(report(&tuple, &json!([1])).mismatches.is_empty());
    assert_eq!(report(&tuple, &json!([1, 2])).mismatches[0].path, ".1");
    let dependent = json!({"dependencies": {"a": ["b"], "c": {"required": ["d"]}}});
    assert!(report(&dependent, &json!({"a": 1, "b": 1, "c": 1, "d": 1})).mismatches.is_empty());
    assert_eq!(report(&dependent, &json!({"a": 1, "c": 1})).mismatches.len(), 2);
    let defined = json!({"definitions": {"a": {"type": "null"}}, "$ref": "#/definitions/a"});
    assert_eq!(report(&defined, &json!(1)).mismatches.len(), 1);
}

/// What the suite expects of each schema that is accepted here; the others are refused for one of these reasons.
#[test]
fn the_json_schema_test_suite_agrees() {
    let refusals = ["refers to", "uses $", "has a $schema", "has the $schema"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/json-schema");
    let (mut agreed, mut refused, mut differences) = (0, BTreeSet::new(), Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let groups: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for group in groups {
            let file = path.file_stem().unwrap().to_str().unwrap();
            let name = format!("{file}: {}", group["description"].as_str().unwrap());
            let schema = match compile(&group["schema"]) {
                Ok(schema) => schema,
                Err(message) => {
                    assert!(refusals.iter().any(|start| message.starts_with(start)), "{name}: {message}");
                    refused.insert(name);
                    continue;
                }
            };
            for test in group["tests"].as_array().unwrap() {
                let report = evaluate(&schema, &test["data"], LIMITS);
                let is_valid = report.mismatches.is_empty() && !report.is_exhausted;
                if Value::Bool(is_valid) == test["valid"] {
                    agreed += 1;
                } else {
                    differences.push(format!("{name}: {}: {report:?}", test["description"]));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(agreed >= 900, "only {agreed} cases: {refused:#?}");
}
