//! Equality of JSON values as JSON Schema has it: numbers by value, members in any order.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Returns a text that is the same for equal values and differs for others.
pub(super) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value);
    text
}

fn write(text: &mut String, value: &Value) {
    match value {
        Value::Number(number) => write_number(text, number),
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(text, item);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in members {
                push_string(text, name);
                text.push(':');
                write(text, value);
                text.push(',');
            }
            text.push('}');
        }
        Value::String(string) => push_string(text, string),
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
    }
}

/// Quotes and backslashes are escaped, so that no string can look like the rest of a value.
fn push_string(text: &mut String, string: &str) {
    text.push('"');
    for c in string.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
}

/// Whole numbers are written without a fraction, whether they were read as floats or not.
fn write_number(text: &mut String, number: &Number) {
    // Writing into a string does not fail.
    let _ = match (integer(number), number.as_f64()) {
        (Some(integer), _) => write!(text, "{integer}"),
        (None, Some(float)) => write!(text, "{float:?}"),
        (None, None) => write!(text, "{number}"),
    };
}

/// Returns the number as an integer if it is one: `1` and `1.0` are.
#[expect(clippy::cast_possible_truncation, reason = "the float is whole and within the bounds of the type")]
pub(super) fn integer(number: &Number) -> Option<i128> {
    if let Some(small) = number.as_i64() {
        return Some(i128::from(small));
    }
    if let Some(large) = number.as_u64() {
        return Some(i128::from(large));
    }
    let float = number.as_f64()?;
    // Beyond 2^100 a float is whole too, but its digits are not those that were written.
    (float.fract() == 0.0 && float.abs() < 1e30).then_some(float as i128)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_compare_by_value_and_members_in_any_order() {
        assert_eq!(canonical(&json!(1)), canonical(&json!(1.0)));
        assert_ne!(canonical(&json!(1)), canonical(&json!(true)));
        assert_ne!(canonical(&json!("1")), canonical(&json!(1)));
        assert_eq!(canonical(&json!({"a": 1, "b": [0.5]})), canonical(&json!({"b": [0.5], "a": 1.0})));
        assert_ne!(canonical(&json!(["a", "b"])), canonical(&json!(["a\",\"b"])));
        assert_ne!(canonical(&json!([[], 1])), canonical(&json!([[1]])));
    }
}
