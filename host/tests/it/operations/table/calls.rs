//! Calls of an operation beside its row's own.

use serde_json::{Value, json};

/// Who sends a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The first key of the host.
    Root,
    /// No key: what is public in the tenant `default`.
    Public,
    /// The key that the fixture has under this name.
    Key(&'static str),
}

/// A call of an operation with another request than its row's.
#[derive(Clone)]
pub struct Further {
    pub name: &'static str,
    pub caller: Caller,
    /// The path, if it is not the row's.
    pub path: Option<&'static str>,
    /// The body over REST; of a GET, the query.
    pub rest: Value,
    /// The message of gRPC.
    pub grpc: Value,
}

/// A call whose gRPC request is REST's body, or REST's query, with the ids of the path.
pub(super) fn call(name: &'static str, path: &Value, rest: Value) -> Further {
    let grpc = joined(&rest, path);
    differing(name, rest, grpc)
}

/// A call whose gRPC request is not REST's body or query.
pub(super) fn differing(name: &'static str, rest: Value, grpc: Value) -> Further {
    Further { name, caller: Caller::Root, path: None, rest, grpc }
}

impl Further {
    /// The call with other objects in the path.
    pub(super) fn at(self, path: &'static str) -> Self {
        Self { path: Some(path), ..self }
    }

    /// The call by another caller.
    pub(super) fn by(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }
}

/// The same as a patch: the mask is the names of the fields, and a null is left out.
pub(super) fn patch(name: &'static str, path: &Value, rest: Value) -> Further {
    let fields = rest.as_object().unwrap();
    let mask: Vec<_> = fields.keys().map(|name| camel(name)).collect();
    let set = fields.iter().filter(|(_, value)| !value.is_null());
    let set = Value::Object(set.map(|(name, value)| (name.clone(), value.clone())).collect());
    let grpc = joined(&joined(&set, path), &json!({"update_mask": mask.join(",")}));
    differing(name, rest, grpc)
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| text + &word[..1].to_uppercase() + &word[1..])
}

pub(super) fn joined(value: &Value, more: &Value) -> Value {
    let mut fields = value.as_object().unwrap().clone();
    fields.extend(more.as_object().unwrap().clone());
    Value::Object(fields)
}
