//! Values of fields, and maps of fields.

use std::collections::BTreeMap;

use tessera_core::value::{Decimal, Field, Money};
use tessera_core::{Error, Result, Value};
use tessera_proto::common::v1 as pb;
use tessera_proto::common::v1::value::Kind;

use crate::convert::{read_time, time};

/// Encodes fields as a map.
#[must_use]
pub(crate) fn encode_named(fields: &[Field]) -> BTreeMap<String, pb::Value> {
    fields.iter().map(|field| (field.name.clone(), encode(&field.value))).collect()
}

/// Decodes a map of fields, in the order of their names; the paths of faults begin with `at`.
pub(crate) fn decode_named(at: &str, fields: BTreeMap<String, pb::Value>) -> Result<Vec<Field>> {
    let read = |(name, value): (String, pb::Value)| {
        let value = decode(&format!("{at}.{name}"), value)?;
        Ok(Field { name, value })
    };
    fields.into_iter().map(read).collect()
}

/// Encodes a value; an absent value has no kind.
#[must_use]
pub(crate) fn encode(value: &Value) -> pb::Value {
    let kind = match value {
        Value::None => None,
        Value::Text(text) => Some(Kind::Text(text.clone())),
        Value::Integer(number) => Some(Kind::Integer(*number)),
        Value::Decimal(decimal) => Some(Kind::Decimal(decimal.as_str().to_owned())),
        Value::Boolean(boolean) => Some(Kind::Boolean(*boolean)),
        Value::Time(at) => time(*at).map(Kind::Time),
        Value::Money(Money { amount, currency }) => {
            Some(Kind::Money(pb::Money { amount: *amount, currency: currency.clone() }))
        }
        Value::Texts(texts) => Some(Kind::Texts(pb::Texts { values: texts.clone() })),
        Value::Json(json) => Some(Kind::Json(json.clone())),
    };
    pb::Value { kind }
}

/// Decodes a value that a client sent in `field`.
pub(crate) fn decode(field: &str, value: pb::Value) -> Result<Value> {
    Ok(match value.kind {
        None => Value::None,
        Some(Kind::Text(text)) => Value::Text(text),
        Some(Kind::Integer(number)) => Value::Integer(number),
        Some(Kind::Decimal(text)) => Value::Decimal(Decimal::parse(field, &text)?),
        Some(Kind::Boolean(boolean)) => Value::Boolean(boolean),
        Some(Kind::Time(at)) => Value::Time(read_time(field, &at)?),
        Some(Kind::Money(money)) => Value::Money(read_money(field, money)?),
        Some(Kind::Texts(texts)) => Value::Texts(texts.values),
        Some(Kind::Json(text)) => match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            Ok(_) => Value::Json(text),
            Err(_) => return Err(Error::invalid(field, "is not JSON")),
        },
    })
}

/// Encodes the fields of an object.
#[must_use]
pub(crate) fn encode_fields(fields: &BTreeMap<String, Value>) -> BTreeMap<String, pb::Value> {
    fields.iter().map(|(name, value)| (name.clone(), encode(value))).collect()
}

/// Decodes the fields of an object.
pub(crate) fn decode_fields(fields: BTreeMap<String, pb::Value>) -> Result<BTreeMap<String, Value>> {
    let read = |(name, value)| decode(&format!("fields.{name}"), value).map(|value| (name, value));
    fields.into_iter().map(read).collect()
}

fn read_money(field: &str, money: pb::Money) -> Result<Money> {
    let pb::Money { amount, currency } = money;
    if currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return Ok(Money { amount, currency });
    }
    Err(Error::invalid(field, "has an invalid currency; three capital letters are expected, for example EUR"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::Timestamp;

    #[test]
    fn value_round_trips() {
        let values = [
            Value::None,
            Value::Text("a".into()),
            Value::Text(String::new()),
            Value::Integer(i64::MIN),
            Value::Decimal(Decimal::parse("d", "-12.50").unwrap()),
            Value::Boolean(false),
            Value::Time(Timestamp::parse("t", "1969-12-31T23:59:59.999999Z").unwrap()),
            Value::Money(Money { amount: -1, currency: "EUR".into() }),
            Value::Texts(vec!["a".into(), String::new()]),
            Value::Texts(vec![]),
            Value::Json("{\"a\":[1,2.5]}".into()),
        ];
        for value in values {
            assert_eq!(decode("f", encode(&value)).unwrap(), value);
        }
    }

    #[test]
    fn invalid_value_is_refused_by_field() {
        let money = |currency: &str| Kind::Money(pb::Money { amount: 1, currency: currency.to_owned() });
        for bad in [
            Kind::Decimal("1e3".into()),
            Kind::Json("{".into()),
            Kind::Time(prost_types::Timestamp { seconds: 0, nanos: -1 }),
            money("eur"),
            money(""),
        ] {
            let fields = BTreeMap::from([("f".to_owned(), pb::Value { kind: Some(bad) })]);
            assert_eq!(decode_fields(fields).unwrap_err().faults()[0].field, "fields.f");
        }
    }
}
