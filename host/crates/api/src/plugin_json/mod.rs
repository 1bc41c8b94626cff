//! The input of dry runs and the replies of plugins as JSON: the text of `input_json` and `reply_json`, and the command
//! line's files.

pub mod basket;
mod dry_run;
pub mod effect;
pub mod question;
pub mod reply;

pub use dry_run::{read_dry_run, show_dry_run};
pub use reply::ReplyBody;

use serde_json::{Map, Value as Json};
use tessera_core::value::Field;
use tessera_core::{Error, Result, Value};
use tessera_proto::common::v1 as pb;

use crate::convert::value;

/// Reads the input of a command: a member that is no field value stays JSON.
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

/// Parses JSON text; empty text is null.
pub(crate) fn of_text(text: &str) -> Json {
    if text.is_empty() {
        return Json::Null;
    }
    serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()))
}

/// The text of an object as plugins get it; an object without members is empty text.
pub(crate) fn as_text(object: Option<Map<String, Json>>) -> String {
    object
        .filter(|object| !object.is_empty())
        .map(|object| Json::Object(object).to_string())
        .unwrap_or_default()
}

/// Parses the object that a client wrote as text in `field`; `None` where it is empty.
pub(crate) fn object(field: &str, text: &str) -> Result<Option<Map<String, Json>>> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = serde_json::from_str(text);
    read.map(Some).map_err(|error| Error::malformed(field, format!("is not a JSON object: {error}")))
}
