//! Where two JSON documents differ, in lines that can be read.

use serde_json::Value;

/// More lines than this say nothing more.
const LIMIT: usize = 40;

/// The differences, each with the path of the value.
pub(super) fn between(recorded: &Value, actual: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", recorded, actual, &mut lines);
    if lines.len() > LIMIT {
        let more = lines.len() - LIMIT;
        lines.truncate(LIMIT);
        lines.push(format!("and {more} more"));
    }
    lines
}

fn compare(path: &str, recorded: &Value, actual: &Value, lines: &mut Vec<String>) {
    match (recorded, actual) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                match new.get(name) {
                    Some(other) => compare(&format!("{path}/{name}"), value, other, lines),
                    None => lines.push(format!("{path}/{name} is gone, was {value}")),
                }
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                lines.push(format!("{path}/{name} is new: {value}"));
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for (index, (value, other)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}/{}", label(index, value)), value, other, lines);
            }
            for value in &old[old.len().min(new.len())..] {
                lines.push(format!("{path}: an item is gone: {value}"));
            }
            for value in &new[old.len().min(new.len())..] {
                lines.push(format!("{path}: an item is new: {value}"));
            }
        }
        _ if recorded == actual => {}
        _ => lines.push(format!("{path} was {recorded}, is {actual}")),
    }
}

/// The name of a call in the place of its index.
fn label(index: usize, value: &Value) -> String {
    value["call"].as_str().map_or_else(|| index.to_string(), |name| format!("[{name}]"))
}

#[test]
fn swapped_values_are_two_differences() {
    use serde_json::json;
    let lines = between(&json!({"a": [{"min": 1, "max": 2.5}]}), &json!({"a": [{"min": 2.5, "max": 1}]}));
    assert_eq!(lines, ["/a/0/max was 2.5, is 1", "/a/0/min was 1, is 2.5"]);
    let lines = between(&json!({"a": [1]}), &json!({"a": [], "b": null}));
    assert_eq!(lines, ["/a: an item is gone: 1", "/b is new: null"]);
}
