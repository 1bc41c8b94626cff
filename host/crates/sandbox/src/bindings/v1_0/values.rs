//! Values, fields and texts between the contract's types and the core's. What a guest passes is checked here: nothing that
//! breaks the contract goes further.

use std::fmt::Display;

use tessera_core::value::{Decimal, Money};
use tessera_core::{Field, Timestamp, Value};

use super::generated::tessera::plugin::types as wt;
use crate::contract::InvalidReply;

/// A checked part of a reply.
pub(super) type Checked<T> = Result<T, InvalidReply>;

/// Creates the error for a part of a reply at a place.
pub(super) fn invalid(at: &str, what: impl Display) -> InvalidReply {
    InvalidReply(format!("{at} {what}"))
}

/// Returns milliseconds since 1970; earlier times become 1970, because the contract has none.
pub(super) fn to_millis(at: Timestamp) -> u64 {
    u64::try_from(at.micros() / 1_000).unwrap_or_default()
}

pub(super) fn to_field(field: Field) -> wt::Field {
    wt::Field { name: field.name, value: to_value(field.value) }
}

pub(super) fn to_fields(fields: Vec<Field>) -> Vec<wt::Field> {
    fields.into_iter().map(to_field).collect()
}

pub(super) fn to_value(value: Value) -> wt::Value {
    match value {
        Value::None => wt::Value::None,
        Value::Text(text) => wt::Value::Text(text),
        Value::Integer(number) => wt::Value::Integer(number),
        Value::Decimal(decimal) => wt::Value::Decimal(decimal.as_str().to_owned()),
        Value::Boolean(flag) => wt::Value::Boolean(flag),
        Value::Time(at) => wt::Value::Time(to_millis(at)),
        Value::Money(Money { amount, currency }) => wt::Value::Money(wt::Money { amount, currency }),
        Value::Texts(texts) => wt::Value::Texts(texts),
        Value::Json(json) => wt::Value::Json(json),
    }
}

/// Checks a text that is stored and shown: it has no control characters but line breaks and tabs.
pub(super) fn from_text(at: &str, text: String) -> Checked<String> {
    let is_forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(is_forbidden) {
        return Err(invalid(at, "has control characters; only line breaks and tabs are allowed"));
    }
    Ok(text)
}

pub(super) fn from_millis(at: &str, millis: u64) -> Checked<Timestamp> {
    let micros = i64::try_from(millis).ok().and_then(|millis| millis.checked_mul(1_000));
    micros
        .and_then(Timestamp::from_micros)
        .ok_or_else(|| invalid(at, format_args!("is {millis}, which is out of the range of times")))
}

pub(super) fn from_json(at: &str, json: String) -> Checked<String> {
    match serde_json::from_str::<serde_json::Value>(&json) {
        Ok(_) => from_text(at, json),
        Err(error) => Err(invalid(at, format_args!("is not JSON: {error}"))),
    }
}

pub(super) fn from_field(at: &str, field: wt::Field) -> Checked<Field> {
    let name = from_text(&format!("{at}.name"), field.name)?;
    let value = from_value(&format!("{at}.{name}"), field.value)?;
    Ok(Field { name, value })
}

pub(super) fn from_fields(at: &str, fields: Vec<wt::Field>) -> Checked<Vec<Field>> {
    fields.into_iter().map(|field| from_field(at, field)).collect()
}

fn from_value(at: &str, value: wt::Value) -> Checked<Value> {
    Ok(match value {
        wt::Value::None => Value::None,
        wt::Value::Text(text) => Value::Text(from_text(at, text)?),
        wt::Value::Integer(number) => Value::Integer(number),
        wt::Value::Decimal(text) => {
            let decimal = Decimal::parse(at, &text);
            let expected = format_args!("is {text:?}; a decimal such as 12.50 is expected");
            Value::Decimal(decimal.map_err(|_| invalid(at, expected))?)
        }
        wt::Value::Boolean(flag) => Value::Boolean(flag),
        wt::Value::Time(millis) => Value::Time(from_millis(at, millis)?),
        wt::Value::Money(wt::Money { amount, currency }) => {
            let is_code = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
            if !is_code {
                let expected = format_args!("has the currency {currency:?}; ISO 4217 is expected");
                return Err(invalid(at, expected));
            }
            Value::Money(Money { amount, currency })
        }
        wt::Value::Texts(texts) => {
            Value::Texts(texts.into_iter().map(|text| from_text(at, text)).collect::<Checked<_>>()?)
        }
        wt::Value::Json(json) => Value::Json(from_json(at, json)?),
    })
}
