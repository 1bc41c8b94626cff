//! Values of fields. Texts, integers, booleans and lists of texts are plain JSON, so that databases can compare them;
//! other values are objects with one tag.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tessera_core::value::{Decimal, Field, Money};
use tessera_core::{Change, Result, Role, Timestamp, Value};

use super::scalar::corrupt;

/// Custom fields of an issue.
pub(crate) type StoredFields = BTreeMap<String, Json>;

/// Change of one field.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredChange {
    field: String,
    #[serde(default, skip_serializing_if = "Json::is_null")]
    before: Json,
    #[serde(default, skip_serializing_if = "Json::is_null")]
    after: Json,
}

pub(crate) fn stored_changes(changes: &[Change]) -> Vec<StoredChange> {
    changes
        .iter()
        .map(|change| StoredChange {
            field: change.field.clone(),
            before: write(&change.before),
            after: write(&change.after),
        })
        .collect()
}

pub(crate) fn changes(stored: Vec<StoredChange>) -> Result<Vec<Change>> {
    let read = |stored: StoredChange| {
        Ok(Change { field: stored.field, before: read(stored.before)?, after: read(stored.after)? })
    };
    stored.into_iter().map(read).collect()
}

pub(crate) fn stored_fields(fields: &BTreeMap<String, Value>) -> StoredFields {
    fields.iter().map(|(name, value)| (name.clone(), write(value))).collect()
}

pub(crate) fn fields(stored: StoredFields) -> Result<BTreeMap<String, Value>> {
    stored.into_iter().map(|(name, value)| Ok((name, read(value)?))).collect()
}

/// Attributes of a plugin's description: names and values in order.
pub(crate) type StoredAttributes = Vec<(String, Json)>;

pub(crate) fn stored_attributes(attributes: &[Field]) -> StoredAttributes {
    attributes.iter().map(|field| (field.name.clone(), write(&field.value))).collect()
}

pub(crate) fn attributes(stored: StoredAttributes) -> Result<Vec<Field>> {
    stored.into_iter().map(|(name, value)| Ok(Field { name, value: read(value)? })).collect()
}

pub(crate) fn stored_roles(roles: &[Role]) -> Vec<String> {
    roles.iter().map(|role| role.name().to_owned()).collect()
}

pub(crate) fn roles(stored: &[String]) -> Result<Vec<Role>> {
    stored.iter().map(|name| Role::parse("role", name).map_err(|_| corrupt("a role", name))).collect()
}

fn write(value: &Value) -> Json {
    match value {
        Value::None => Json::Null,
        Value::Text(text) => json!(text),
        Value::Integer(number) => json!(number),
        Value::Boolean(value) => json!(value),
        Value::Texts(texts) => json!(texts),
        Value::Decimal(decimal) => json!({ "$decimal": decimal.as_str() }),
        Value::Time(at) => json!({ "$time": at.to_string() }),
        Value::Money(money) => json!({ "$money": { "amount": money.amount, "currency": money.currency } }),
        Value::Json(text) => json!({ "$json": text }),
    }
}

fn read(json: Json) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Boolean(value),
        Json::String(text) => Value::Text(text),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Integer(number),
            None => return Err(corrupt("a whole number", number)),
        },
        Json::Array(entries) => Value::Texts(entries.into_iter().map(text).collect::<Result<_>>()?),
        Json::Object(mut tagged) => {
            let Some(tag) = tagged.keys().next().cloned() else { return Err(corrupt("a value", tagged)) };
            let inner = tagged.remove(&tag).unwrap_or_default();
            tagged_value(&tag, inner)?
        }
    })
}

fn tagged_value(tag: &str, inner: Json) -> Result<Value> {
    Ok(match tag {
        "$decimal" => Value::Decimal(Decimal::parse("decimal", &text(inner)?)?),
        "$time" => Value::Time(Timestamp::parse("time", &text(inner)?)?),
        "$json" => Value::Json(text(inner)?),
        "$money" => {
            let amount = inner.get("amount").and_then(Json::as_i64);
            let currency = inner.get("currency").and_then(Json::as_str);
            match (amount, currency) {
                (Some(amount), Some(currency)) => {
                    Value::Money(Money { amount, currency: currency.to_owned() })
                }
                _ => return Err(corrupt("an amount of money", inner)),
            }
        }
        other => return Err(corrupt("a value", other)),
    })
}

fn text(json: Json) -> Result<String> {
    match json {
        Json::String(text) => Ok(text),
        other => Err(corrupt("a text", other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_survives_being_written_and_read() {
        for value in [
            Value::None,
            Value::Text("12.50".into()),
            Value::Text("{\"$decimal\":\"1\"}".into()),
            Value::Integer(i64::MIN),
            Value::Integer(i64::MAX),
            Value::Boolean(false),
            Value::Decimal(Decimal::parse("d", "00012.50").unwrap()),
            Value::Time(Timestamp::parse("t", "2026-01-31T12:00:00.000001Z").unwrap()),
            Value::Money(Money { amount: -5, currency: "EUR".into() }),
            Value::Texts(vec!["b".into(), "a".into()]),
            Value::Texts(vec![]),
            Value::Json("{ \"a\" : 1.50 }".into()),
        ] {
            assert_eq!(read(write(&value)).unwrap(), value, "{value:?}");
        }
    }

    #[test]
    fn what_nobody_wrote_is_refused() {
        for json in [json!(1.5), json!({}), json!({ "$other": 1 }), json!([1]), json!({ "$money": 3 })] {
            assert!(read(json.clone()).is_err(), "{json}");
        }
    }
}
