//! JSON of plugin dry runs: the texts `input_json` and `reply_json`, and the files of the command line.

pub mod basket;
mod dry_run;
pub mod dry_run_request;
pub mod effect;
pub mod reply;

pub use dry_run::{read_dry_run, show_basket, show_dry_run};
pub use reply::ReplyBody;

use serde_json::{Map, Value as Json};
use tessera_core::value::Field;
use tessera_core::{Error, Result, Value};
use tessera_proto::common::v1 as pb;

use crate::convert::value;

/// Decodes the input of a command; a member that is not a field value is kept as JSON.
pub(crate) fn decode_input(input: &Map<String, Json>) -> Vec<Field> {
    let read = |json: &Json| -> Option<Value> {
        let message: pb::Value = serde_json::from_value(json.clone()).ok()?;
        value::decode("", message).ok()
    };
    let field = |(name, json): (&String, &Json)| Field {
        name: name.clone(),
        value: read(json).unwrap_or_else(|| Value::Json(json.to_string())),
    };
    input.iter().map(field).collect()
}

/// Parses JSON text. Empty text becomes null, and text that is not JSON a string.
pub(crate) fn parse_json(text: &str) -> Json {
    if text.is_empty() {
        return Json::Null;
    }
    serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()))
}

/// Formats an object as plugins receive it; an object without members is empty text.
pub(crate) fn object_text(object: Option<Map<String, Json>>) -> String {
    object
        .filter(|object| !object.is_empty())
        .map(|object| Json::Object(object).to_string())
        .unwrap_or_default()
}

/// Parses a JSON object that a client sent as text in `field`; `None` if the text is empty.
pub(crate) fn parse_object(field: &str, text: &str) -> Result<Option<Map<String, Json>>> {
    if text.is_empty() {
        return Ok(None);
    }
    let object = serde_json::from_str(text);
    object.map(Some).map_err(|error| Error::malformed(field, format!("is not a JSON object: {error}")))
}
