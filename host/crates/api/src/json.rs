//! Values of fields as JSON.
//!
//! Text, whole numbers, booleans, lists of text and null stand for themselves. The others are objects
//! that name their type: `{"decimal": "12.50"}`, `{"time": "2026-01-31T12:00:00Z"}`,
//! `{"money": {"amount": 1250, "currency": "EUR"}}`, `{"json": …}`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use tessera_core::value::{Decimal, Money};
use tessera_core::{Error, Result, Timestamp, Value};

const EXPECTED: &str = "must be text, a whole number, true or false, a list of texts, null, or an object with one of \"decimal\", \"time\", \"money\" and \"json\"";

/// The value as JSON.
#[must_use]
pub fn encode(value: &Value) -> Json {
    match value {
        Value::None => Json::Null,
        Value::Text(text) => Json::String(text.clone()),
        Value::Integer(number) => json!(number),
        Value::Boolean(truth) => json!(truth),
        Value::Texts(texts) => json!(texts),
        Value::Decimal(decimal) => json!({ "decimal": decimal.as_str() }),
        Value::Time(at) => json!({ "time": at.to_string() }),
        Value::Money(money) => json!({ "money": { "amount": money.amount, "currency": money.currency } }),
        Value::Json(text) => {
            json!({ "json": serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.clone())) })
        }
    }
}

/// The value that a client wrote in `field`.
pub fn decode(field: &str, json: Json) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(truth) => Value::Boolean(truth),
        Json::String(text) => Value::Text(text),
        Json::Number(number) => Value::Integer(number.as_i64().ok_or_else(|| {
            Error::invalid(
                field,
                "is not a whole number of 64 bits; other numbers are written {\"decimal\": \"12.50\"}",
            )
        })?),
        Json::Array(list) => {
            Value::Texts(list.into_iter().map(|item| text(field, item)).collect::<Result<_>>()?)
        }
        Json::Object(object) => typed(field, object)?,
    })
}

/// The value of any JSON; what is no value of a field stays JSON.
#[must_use]
pub fn decode_any(json: &Json) -> Value {
    decode("", json.clone()).unwrap_or_else(|_| Value::Json(json.to_string()))
}

/// The fields that a client wrote.
pub fn decode_fields(fields: BTreeMap<String, Json>) -> Result<BTreeMap<String, Value>> {
    fields
        .into_iter()
        .map(|(name, json)| decode(&format!("fields.{name}"), json).map(|value| (name, value)))
        .collect()
}

fn text(field: &str, json: Json) -> Result<String> {
    match json {
        Json::String(text) => Ok(text),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
            Err(Error::invalid(field, "is a list with something else than texts"))
        }
    }
}

fn typed(field: &str, object: Map<String, Json>) -> Result<Value> {
    let mut entries = object.into_iter();
    let (Some((name, inner)), None) = (entries.next(), entries.next()) else {
        return Err(Error::invalid(field, EXPECTED));
    };
    match (name.as_str(), inner) {
        ("decimal", Json::String(text)) => Decimal::parse(field, &text).map(Value::Decimal),
        ("time", Json::String(text)) => Timestamp::parse(field, &text).map(Value::Time),
        ("money", Json::Object(object)) => money(field, &object),
        ("json", inner) => Ok(Value::Json(inner.to_string())),
        _ => Err(Error::invalid(field, EXPECTED)),
    }
}

fn money(field: &str, object: &Map<String, Json>) -> Result<Value> {
    let amount = object.get("amount").and_then(Json::as_i64);
    let currency = object.get("currency").and_then(Json::as_str);
    let known = |currency: &&str| currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
    match (amount, currency.filter(known), object.len()) {
        (Some(amount), Some(currency), 2) => {
            Ok(Value::Money(Money { amount, currency: currency.to_owned() }))
        }
        _ => Err(Error::invalid(field, "must be {\"amount\": <minor units>, \"currency\": \"EUR\"}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_being_written_and_read() {
        let values = [
            Value::None,
            Value::Text("a".into()),
            Value::Integer(i64::MIN),
            Value::Boolean(true),
            Value::Texts(vec!["a".into(), String::new()]),
            Value::Decimal(Decimal::parse("d", "12.50").unwrap()),
            Value::Time(Timestamp::parse("t", "2026-01-31T12:00:00Z").unwrap()),
            Value::Money(Money { amount: -1, currency: "EUR".into() }),
            Value::Json("{\"a\":[1,2.5]}".into()),
        ];
        for value in values {
            assert_eq!(decode("f", encode(&value)).unwrap(), value);
        }
    }

    #[test]
    fn what_is_no_value_is_refused_with_its_field() {
        for bad in [
            json!(1.5),
            json!(u64::MAX),
            json!([1]),
            json!({}),
            json!({"decimal": 1}),
            json!({"decimal": "1e3"}),
            json!({"time": "soon"}),
            json!({"decimal": "1", "time": "2026-01-01"}),
            json!({"money": {"amount": 1.5, "currency": "EUR"}}),
            json!({"money": {"amount": 1, "currency": "eur"}}),
            json!({"money": {"amount": 1, "currency": "EUR", "more": 1}}),
            json!({"other": 1}),
        ] {
            let error = decode_fields([("f".to_owned(), bad.clone())].into()).unwrap_err();
            assert_eq!(error.faults()[0].field, "fields.f", "{bad}");
        }
    }
}
