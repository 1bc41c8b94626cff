//! The JSON form of protobuf's types that JSON does not have: timestamps, enums, field masks, raw JSON, field values.

use std::fmt;

use prost_types::{FieldMask, Timestamp};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::common::v1::value::Kind;
use crate::common::v1::{Money, Texts, Value};

/// Error of an invalid timestamp.
pub const INVALID_TIME: &str = "is not a time; RFC 3339 is expected, as 2026-01-31T12:00:00Z or 2026-01-31";

/// Error of a number that is not an integer of 64 bits.
const INVALID_INTEGER: &str =
    "is not a whole number of 64 bits; other numbers are written {\"decimal\": \"12.50\"}";

/// Error of an invalid field value.
const INVALID_VALUE: &str = "must be text, a whole number, true or false, a list of texts, null, or an object with one of \"decimal\", \"time\", \"money\" and \"json\"";

/// An enum whose values have names in JSON.
pub trait JsonEnum {
    /// The names, without the unspecified value.
    const NAMES: &'static [&'static str];
    /// The numbers, in the order of the names.
    const NUMBERS: &'static [i32];
}

/// Returns the prefix of an enum's value names: `LINK_KIND_` for `LinkKind`.
pub fn value_prefix(name: &str) -> String {
    let mut prefix = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !prefix.is_empty() {
            prefix.push('_');
        }
        prefix.extend(letter.to_uppercase());
    }
    prefix + "_"
}

/// Returns the JSON name of an enum's value.
pub fn value_name(prefix: &str, name: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase()
}

/// Formats a timestamp as RFC 3339 in UTC; `None` outside the years 1 to 9999.
fn format_timestamp(at: &Timestamp) -> Option<String> {
    let nanos = i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanos);
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?.format(&Rfc3339).ok()
}

/// Parses RFC 3339 with a zone, or a plain date (its first moment in UTC).
fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let date = time::macros::format_description!("[year]-[month]-[day]");
    let at = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| time::Date::parse(text, &date).map(|day| day.midnight().assume_utc()))
        .ok()?;
    Some(Timestamp { seconds: at.unix_timestamp(), nanos: i32::try_from(at.nanosecond()).ok()? })
}

/// Timestamps as RFC 3339.
pub mod timestamp {
    use super::*;

    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        at.as_ref().and_then(format_timestamp).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        match text.filter(|text| !text.is_empty()) {
            Some(text) => parse_timestamp(&text).map(Some).ok_or_else(|| D::Error::custom(INVALID_TIME)),
            None => Ok(None),
        }
    }
}

/// Timestamps as RFC 3339; an invalid one becomes one out of range, which the operation refuses.
pub mod lenient_timestamp {
    use super::*;

    pub use super::timestamp::serialize;

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        let text = text.filter(|text| !text.is_empty());
        Ok(text.map(|text| parse_timestamp(&text).unwrap_or(Timestamp { seconds: i64::MAX, nanos: 0 })))
    }
}

/// An enum value as its name; the unspecified value is null.
pub mod enum_value {
    use super::*;

    pub fn serialize<E: JsonEnum, S: Serializer>(number: &i32, serializer: S) -> Result<S::Ok, S::Error> {
        name_of::<E>(*number).serialize(serializer)
    }

    pub fn deserialize<'de, E: JsonEnum, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None | Some("") => Ok(0),
            Some(name) => number_of::<E, _>(name),
        }
    }
}

/// A list of enum values as their names.
pub mod enum_list {
    use std::marker::PhantomData;

    use super::*;

    pub fn serialize<E: JsonEnum, S: Serializer>(numbers: &[i32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(numbers.iter().map(|number| name_of::<E>(*number)))
    }

    pub fn deserialize<'de, E: JsonEnum, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<i32>, D::Error> {
        struct Element<E>(i32, PhantomData<E>);

        impl<'de, E: JsonEnum> Deserialize<'de> for Element<E> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                number_of::<E, _>(&name).map(|number| Self(number, PhantomData))
            }
        }

        let elements = Vec::<Element<E>>::deserialize(deserializer)?;
        Ok(elements.into_iter().map(|element| element.0).collect())
    }
}

/// Returns the name of an enum's value, or `None` if the number is unspecified or unknown.
fn name_of<E: JsonEnum>(number: i32) -> Option<&'static str> {
    let index = E::NUMBERS.iter().position(|known| *known == number)?;
    E::NAMES.get(index).copied()
}

/// Returns the number of an enum's value by its name, in lower or upper case.
fn number_of<E: JsonEnum, F: serde::de::Error>(name: &str) -> Result<i32, F> {
    let index = E::NAMES.iter().position(|known| known.eq_ignore_ascii_case(name));
    index.and_then(|index| E::NUMBERS.get(index).copied()).ok_or_else(|| F::unknown_variant(name, E::NAMES))
}

/// Deserializes a field mask. It is not in clients' JSON: REST makes it from the members of a merge patch.
pub fn field_mask<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<FieldMask>, D::Error> {
    Vec::deserialize(deserializer).map(|paths| Some(FieldMask { paths }))
}

/// A JSON object that the message carries as text; empty text is null.
pub mod raw {
    use super::*;

    pub fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        if text.is_empty() {
            return serializer.serialize_none();
        }
        parse_raw(text).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        optional_raw::deserialize(deserializer).map(Option::unwrap_or_default)
    }
}

/// Parses JSON; other text becomes a JSON string.
fn parse_raw(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// An optional JSON object that the message carries as text.
pub mod optional_raw {
    use super::*;

    pub fn serialize<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
        raw::serialize(text.as_deref().unwrap_or_default(), serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
        let json = Option::<serde_json::Map<String, serde_json::Value>>::deserialize(deserializer)?;
        Ok(json.map(|object| serde_json::Value::Object(object).to_string()))
    }
}

/// Field values. Text, integers, booleans, lists of text and null have their usual JSON form; the others are objects
/// with the type as their only member: `{"decimal": "12.50"}`, `{"time": "2026-01-31T12:00:00Z"}`,
/// `{"money": {"amount": 1250, "currency": "EUR"}}`, `{"json": …}`.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.kind {
            None => serializer.serialize_unit(),
            Some(Kind::Text(text)) => text.serialize(serializer),
            Some(Kind::Integer(number)) => number.serialize(serializer),
            Some(Kind::Boolean(boolean)) => boolean.serialize(serializer),
            Some(Kind::Texts(texts)) => texts.values.serialize(serializer),
            Some(Kind::Decimal(decimal)) => serialize_typed(serializer, "decimal", decimal),
            Some(Kind::Time(at)) => serialize_typed(serializer, "time", &format_timestamp(at)),
            Some(Kind::Money(money)) => serialize_typed(serializer, "money", money),
            Some(Kind::Json(text)) => serialize_typed(serializer, "json", &parse_raw(text)),
        }
    }
}

/// Serializes an object whose only member is named for the type of its value.
fn serialize_typed<S: Serializer>(
    serializer: S,
    name: &'static str,
    value: &(impl Serialize + ?Sized),
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, value)?;
    map.end()
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(|kind| Self { kind })
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Option<Kind>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Self::Value, E> {
        Ok(Some(Kind::Boolean(boolean)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Kind::Integer(number)))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
        let number = i64::try_from(number).map_err(|_| E::custom(INVALID_INTEGER))?;
        Ok(Some(Kind::Integer(number)))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Err(E::custom(INVALID_INTEGER))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Kind::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(element) = elements.next_element::<serde_json::Value>()? {
            match element {
                serde_json::Value::String(text) => values.push(text),
                _ => return Err(A::Error::custom("is a list with an element that is not text")),
            }
        }
        Ok(Some(Kind::Texts(Texts { values })))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let invalid_value = || A::Error::custom(INVALID_VALUE);
        let kind = match members.next_key::<String>()?.as_deref() {
            Some("decimal") => Kind::Decimal(members.next_value()?),
            Some("time") => {
                let text: String = members.next_value()?;
                Kind::Time(parse_timestamp(&text).ok_or_else(|| A::Error::custom(INVALID_TIME))?)
            }
            Some("money") => Kind::Money(members.next_value::<Money>()?),
            Some("json") => Kind::Json(members.next_value::<serde_json::Value>()?.to_string()),
            _ => return Err(invalid_value()),
        };
        match members.next_key::<String>()? {
            None => Ok(Some(kind)),
            Some(_) => Err(invalid_value()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::plugin::v1::{Installation, UpdateInstallationRequest};
    use crate::tenancy::v1::{CreateKeyRequest, Role};

    fn value(kind: Kind) -> Value {
        Value { kind: Some(kind) }
    }

    #[test]
    fn values_survive_serialization() {
        let at = Timestamp { seconds: -1, nanos: 999_999_000 };
        for (message, json) in [
            (Value { kind: None }, Json::Null),
            (value(Kind::Text("a".into())), json!("a")),
            (value(Kind::Integer(i64::MIN)), json!(i64::MIN)),
            (value(Kind::Boolean(true)), json!(true)),
            (value(Kind::Texts(Texts { values: vec!["a".into(), String::new()] })), json!(["a", ""])),
            (value(Kind::Decimal("12.50".into())), json!({"decimal": "12.50"})),
            (value(Kind::Time(at)), json!({"time": "1969-12-31T23:59:59.999999Z"})),
            (
                value(Kind::Money(Money { amount: -1, currency: "EUR".into() })),
                json!({"money": {"amount": -1, "currency": "EUR"}}),
            ),
            (value(Kind::Json("{\"a\":[1,2.5]}".into())), json!({"json": {"a": [1, 2.5]}})),
        ] {
            assert_eq!(serde_json::to_value(&message).unwrap(), json);
            assert_eq!(serde_json::from_value::<Value>(json).unwrap(), message);
        }
    }

    #[test]
    fn invalid_values_are_refused() {
        for bad in [
            json!(1.5),
            json!(u64::MAX),
            json!([1]),
            json!({}),
            json!({"decimal": 1}),
            json!({"time": "soon"}),
            json!({"decimal": "1", "time": "2026-01-01"}),
            json!({"money": {"amount": 1, "currency": "EUR", "more": 1}}),
            json!({"other": 1}),
        ] {
            assert!(serde_json::from_value::<Value>(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn timestamps_are_rfc_3339_or_dates() {
        let key =
            json!({"name": "k", "roles": ["viewer", "GATE"], "expires_at": "2026-03-29T02:00:00+02:00"});
        let request: CreateKeyRequest = serde_json::from_value(key).unwrap();
        assert_eq!(request.expires_at.map(|at| at.seconds), Some(1_774_742_400));
        assert_eq!(request.roles, [i32::from(Role::Viewer), i32::from(Role::Gate)]);
        assert_eq!(
            parse_timestamp("2026-01-31").and_then(|at| format_timestamp(&at)).unwrap(),
            "2026-01-31T00:00:00Z"
        );
        for bad in ["yesterday", "2026-13-01", "2026-01-31T25:00:00Z", "2026-01-31T10:00:00"] {
            assert_eq!(parse_timestamp(bad), None, "{bad}");
        }
        let unknown = json!({"roles": ["boss"]});
        let error = serde_json::from_value::<CreateKeyRequest>(unknown).unwrap_err().to_string();
        assert!(error.contains("`operator`"), "{error}");
    }

    #[test]
    fn json_text_is_an_object_in_json() {
        let installation = Installation { settings_json: "{\"a\":1}".into(), ..Default::default() };
        assert_eq!(serde_json::to_value(&installation).unwrap()["settings"], json!({"a": 1}));
        let update: UpdateInstallationRequest =
            serde_json::from_value(json!({"settings": {"b": [2]}, "update_mask": ["settings"]})).unwrap();
        assert_eq!(update.settings_json.as_deref(), Some("{\"b\":[2]}"));
        assert!(serde_json::from_value::<UpdateInstallationRequest>(json!({"settings_json": "{}"})).is_err());
    }
}
