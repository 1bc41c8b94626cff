//! Reads JSON into Rust values, through serde.
//!
//! `serde_json` makes a component 50 KiB larger, mostly by code that reads and formats floats. Here a component contains
//! such code only if its settings have a float.

mod reader;
mod values;

use std::borrow::Cow;
use std::fmt::{self, Display};

use reader::Reader;
use serde_core::de::{DeserializeOwned, Expected, Unexpected};

/// Reads a whole text as one value.
pub(crate) fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let mut reader = Reader::new(text);
    let value = T::deserialize(&mut reader)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.syntax("the end")),
    }
}

/// Reason why a text cannot be read.
#[derive(Debug)]
pub(crate) struct Error(String);

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl serde_core::de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }

    // The default implementations would link the formatting of floats.
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("invalid type: {}, expected {expected}", describe(&unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("invalid value: {}, expected {expected}", describe(&unexpected)))
    }
}

fn describe(unexpected: &Unexpected<'_>) -> Cow<'static, str> {
    match unexpected {
        Unexpected::Bool(flag) => format!("{flag}").into(),
        Unexpected::Unsigned(number) => format!("{number}").into(),
        Unexpected::Signed(number) => format!("{number}").into(),
        Unexpected::Str(text) => format!("\"{text}\"").into(),
        Unexpected::Other(text) => (*text).to_owned().into(),
        Unexpected::Float(_) => "a number with a fraction".into(),
        Unexpected::Unit => "null".into(),
        Unexpected::Seq => "an array".into(),
        Unexpected::Map => "an object".into(),
        _ => "another kind of value".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, PartialEq, Debug)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        name: String,
        #[serde(default)]
        limit: Option<u8>,
        #[serde(default)]
        share: f64,
        #[serde(default)]
        kind: Kind,
        #[serde(default)]
        minutes: BTreeMap<u16, i64>,
        #[serde(default)]
        pair: (bool, char),
    }

    #[derive(Deserialize, PartialEq, Debug, Default)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        #[default]
        Plain,
        Named(String),
        Both(i8, i8),
        Bounds {
            least: u64,
        },
    }

    #[derive(Deserialize, PartialEq, Debug)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Float(f64),
        Texts(Vec<String>),
        Null,
    }

    /// Reads a text as `serde_json` does: the same value, or no value for both.
    #[track_caller]
    fn agrees<T: DeserializeOwned + PartialEq + Debug>(text: &str) {
        assert_eq!(from_str::<T>(text).ok(), serde_json::from_str::<T>(text).ok(), "{text}");
    }

    #[test]
    fn values_are_those_of_serde_json() {
        for text in [
            r#"{"name": "a"}"#,
            r#" { "name" : "\u00e9\n\"\ud83d\ude00" , "limit" : 255 } "#,
            r#"{"name": "é😀", "limit": null, "share": 0.25}"#,
            r#"{"name": "a", "share": 3, "kind": "plain"}"#,
            r#"{"name": "a", "share": -1.5e3, "kind": {"named": "x"}}"#,
            r#"{"name": "a", "kind": {"both": [1, -2]}, "minutes": {"7": -1, "8": 2}}"#,
            r#"{"name": "a", "kind": {"bounds": {"least": 18446744073709551615}}, "pair": [true, "x"]}"#,
            r#"{"name": "a", "kind": {"plain": null}}"#,
            r#"["a", 1, 0.5, {"bounds": [7]}, {}, [false, "x"]]"#,
        ] {
            assert!(from_str::<Rule>(text).is_ok(), "{text}");
            agrees::<Rule>(text);
        }
        for text in ["1", "-9223372036854775808", "1.5", "[]", r#"["a", "b"]"#, "null", "1e2"] {
            assert!(from_str::<Either>(text).is_ok(), "{text}");
            agrees::<Either>(text);
        }
        for text in ["{}", r#"{"a": [1, {"b": [null, true, "c\\"]}], "d": 1.0e-2}"#] {
            agrees::<serde_json::Value>(text);
            agrees::<serde::de::IgnoredAny>(text);
        }
    }

    #[test]
    fn faulty_texts_are_refused() {
        for text in [
            "",
            "{",
            "[1",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\": 1,}",
            "01",
            "1.",
            "-",
            "1e",
            "+1",
            ".5",
            "nul",
            "truefalse",
            "\"a",
            "\"\\x\"",
            "\"\\ud83d\"",
            "\"\\ud83d\\u0041\"",
            "\"\\udc00\"",
            "\"a\nb\"",
            "1 1",
            "1e999",
            "{1: 2}",
            "[1}",
            "{\"a\": 1]",
        ] {
            assert!(from_str::<serde_json::Value>(text).is_err(), "{text}");
            agrees::<serde_json::Value>(text);
            if text != "1e999" {
                assert!(from_str::<serde::de::IgnoredAny>(text).is_err(), "{text}");
            }
        }
        let deep = "[".repeat(100_000);
        assert!(from_str::<serde_json::Value>(&deep).is_err());
    }

    #[test]
    fn values_of_another_type_are_refused() {
        for text in [
            "[]",
            "null",
            r#"{"name": 1}"#,
            r#"{"limit": 1}"#,
            r#"{"name": "a", "limit": 256}"#,
            r#"{"name": "a", "limit": -1}"#,
            r#"{"name": "a", "limit": 1.0}"#,
            r#"{"name": "a", "share": "1"}"#,
            r#"{"name": "a", "kind": "other"}"#,
            r#"{"name": "a", "kind": {}}"#,
            r#"{"name": "a", "kind": {"named": "x", "plain": null}}"#,
            r#"{"name": "a", "kind": {"both": [1, 2, 3]}}"#,
            r#"{"name": "a", "minutes": {"x": 1}}"#,
            r#"{"name": "a", "pair": [true]}"#,
            r#"{"name": "a", "pair": [true, "xy"]}"#,
            r#"{"name": "a", "more": 1}"#,
            r#"{"name": "a", "name": "b"}"#,
        ] {
            assert!(from_str::<Rule>(text).is_err(), "{text}");
            agrees::<Rule>(text);
        }
    }

    #[test]
    fn messages_name_the_value_and_the_type() {
        for (text, message) in [
            (r#"{"name": 1.5}"#, "invalid type: 1.5, expected a string"),
            (r#"{"name": "a", "limit": 256}"#, "invalid value: 256, expected u8"),
            (r#"{"limit": "x"}"#, "invalid type: \"x\", expected u8"),
            (r#"{}"#, "missing field `name`"),
            (r#"{"name": "a" "b"}"#, "a comma or the end of the list is expected at byte 13"),
        ] {
            assert_eq!(from_str::<Rule>(text).unwrap_err().to_string(), message);
        }
    }
}
