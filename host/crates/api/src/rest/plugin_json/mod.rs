//! Calls of plugins as JSON: dry runs, what they came to, and the records of calls. REST, gRPC's JSON texts
//! and the command line's files all have this one form.

pub mod basket;
pub mod call;
pub mod effect;
pub mod reply;
pub mod trial;

pub use call::{CallRecordBody, CallsBody, RefusalBody};
pub use reply::{ReplyBody, TriedBody};
pub use trial::{EntityBody, LimitsBody, TrialBody};

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use tessera_core::plugin::Refusal;
use tessera_core::value::Field;
use tessera_core::{Error, Result};

use crate::json;
use crate::rest::unread;

/// Fields by name.
pub(crate) fn encode_fields(fields: &[Field]) -> BTreeMap<String, Json> {
    fields.iter().map(|field| (field.name.clone(), json::encode(&field.value))).collect()
}

/// The fields that a client wrote below `at`.
pub(crate) fn decode_fields(at: &str, fields: BTreeMap<String, Json>) -> Result<Vec<Field>> {
    let read = |(name, held): (String, Json)| {
        let value = json::decode(&format!("{at}.{name}"), held)?;
        Ok(Field { name, value })
    };
    fields.into_iter().map(read).collect()
}

/// What a client wrote for a schema to judge: what is no value of a field stays JSON.
pub(crate) fn decode_input(input: &Map<String, Json>) -> Vec<Field> {
    input.iter().map(|(name, held)| Field { name: name.clone(), value: json::decode_any(held) }).collect()
}

/// Reads a part of a body; a fault names its place below `at`.
pub(crate) fn part<T: DeserializeOwned>(at: &str, json: &Json) -> Result<T> {
    T::deserialize(json).map_err(|_| unread::part::<T>(at, json))
}

/// JSON text as JSON; null when there is none.
pub(crate) fn of_text(text: &str) -> Json {
    if text.is_empty() {
        return Json::Null;
    }
    serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()))
}

/// JSON as the text that plugins get; an object without members is none.
pub(crate) fn as_text(object: Option<Map<String, Json>>) -> String {
    object
        .filter(|object| !object.is_empty())
        .map(|object| Json::Object(object).to_string())
        .unwrap_or_default()
}

/// The object that a client wrote as a JSON text in `field`; none when it is empty.
pub(crate) fn object(field: &str, text: &str) -> Result<Option<Map<String, Json>>> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = serde_json::from_str(text);
    read.map(Some).map_err(|error| Error::malformed(field, format!("is not a JSON object: {error}")))
}

/// Why a plugin refuses.
pub(crate) fn refusals(refusals: &[Refusal]) -> Vec<RefusalBody> {
    refusals.iter().map(Into::into).collect()
}
