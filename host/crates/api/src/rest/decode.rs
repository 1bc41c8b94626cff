//! Decodes request messages from the path, the query and the body of a REST request.

use axum::extract::Query;
use axum::http::Uri;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use tessera_core::{Error, Result};

use crate::rest::decode_error::DecodeError;
use crate::rest::node::{Node, NodeDeserializer, UNREADABLE, field_name};

/// The update mask of a message.
const MASK: &str = "update_mask";

/// Fields that clients do not send: the version is in `If-Match`, and the members of the body are the mask.
pub(super) const RESERVED: [&str; 2] = ["etag", MASK];

/// Limit of parameters in one query.
const MAX_PARAMETERS: usize = 100;

/// Members of a request object.
pub(super) type Members = Vec<(String, Node)>;

/// How the update mask of a message is built.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum MaskRule {
    /// No mask: every field of the message counts.
    #[default]
    Absent,
    /// A merge patch: the mask has the members of the body, and the members of the given field instead of that field.
    Members(Option<&'static str>),
    /// A replacement: the mask has every writable field.
    Every,
}

/// Deserializes a request message from the members of the body or query and the path parameters. `source` names the
/// body or query in faults.
pub(super) fn message<T: DeserializeOwned>(
    members: Members,
    path: &[(&str, &str)],
    mask: MaskRule,
    source: &str,
) -> Result<T> {
    T::deserialize(MessageDeserializer { members, path, mask }).map_err(|fault| decode_fault(source, fault))
}

/// Deserializes parsed JSON; the paths of faults begin with `at`.
pub(crate) fn part<T: DeserializeOwned>(at: &str, json: &serde_json::Value) -> Result<T> {
    let node = Node::of(json).map_err(|_| Error::malformed(at, UNREADABLE))?;
    T::deserialize(NodeDeserializer(&node)).map_err(|fault| decode_fault("", fault.within(at)))
}

/// Deserializes a message from JSON text.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    message(body(bytes)?, &[], MaskRule::Absent, "body")
}

/// Parses the object in a body; null is an empty object.
pub(super) fn optional_body(bytes: &[u8]) -> Result<Members> {
    if bytes.trim_ascii() == b"null" { Ok(Members::new()) } else { body(bytes) }
}

/// Parses the object in a body.
pub(super) fn body(bytes: &[u8]) -> Result<Members> {
    match Node::parse(bytes) {
        Ok(Node::Object(members)) => Ok(members),
        Ok(_) => Err(Error::malformed("body", "must be a JSON object: {…}")),
        Err(error) => Err(Error::malformed("body", format!("is not JSON: {error}"))),
    }
}

/// Wraps members as an object.
pub(super) fn object(members: Members) -> Node {
    Node::Object(members)
}

/// Parses the query of a URI; a parameter that is given several times becomes a list.
pub(super) fn query(uri: &Uri) -> Result<Members> {
    let parameters = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let Query(parameters) = parameters.map_err(|_| Error::malformed("query", UNREADABLE))?;
    if parameters.len() > MAX_PARAMETERS {
        return Err(Error::malformed("query", format!("has more than {MAX_PARAMETERS} parameters")));
    }
    let mut members: Members = Vec::new();
    for (name, value) in parameters {
        let value = Node::Parameter(value);
        match members.iter_mut().find(|(member, _)| *member == name) {
            Some((_, Node::List(values))) => values.push(value),
            Some((_, node)) => {
                let first = std::mem::replace(node, Node::Null);
                *node = Node::List(vec![first, value]);
            }
            None => members.push((name, value)),
        }
    }
    Ok(members)
}

fn decode_fault(source: &str, fault: DecodeError) -> Error {
    let DecodeError { at, message, is_rule } = fault;
    let field = if at.is_empty() { source } else { &at };
    if is_rule { Error::invalid(field, message) } else { Error::malformed(field, message) }
}

/// Deserializes a message from members, path parameters and a mask rule.
struct MessageDeserializer<'a> {
    members: Members,
    path: &'a [(&'a str, &'a str)],
    mask: MaskRule,
}

impl MessageDeserializer<'_> {
    /// Refuses unknown members and members that clients must not send.
    fn check(&self, fields: &[&str]) -> Result<(), DecodeError> {
        for (name, _) in &self.members {
            let field = field_name(name, fields);
            if self.path.iter().any(|(part, _)| *part == field) {
                return Err(DecodeError::of(&field, "is part of the path and must not be sent here"));
            }
            if RESERVED.contains(&&*field) && fields.contains(&&*field) {
                let instead =
                    if field == MASK { "the members of the body are the mask" } else { "use If-Match" };
                return Err(DecodeError::of(&field, format_args!("must not be sent here; {instead}")));
            }
            if !fields.contains(&&*field) {
                let writable: Vec<_> = self.writable(fields).collect();
                return Err(DecodeError::unknown(&field, &writable));
            }
        }
        Ok(())
    }

    fn paths(&self, fields: &[&str]) -> Option<Vec<String>> {
        match self.mask {
            MaskRule::Absent => None,
            MaskRule::Members(expanded) => {
                Some(self.members.iter().flat_map(|member| paths_of(member, expanded, fields)).collect())
            }
            MaskRule::Every => Some(self.writable(fields).map(str::to_owned).collect()),
        }
    }

    /// Returns the fields that clients may send.
    fn writable<'f>(&self, fields: &'f [&'f str]) -> impl Iterator<Item = &'f str> {
        let is_writable =
            |field: &&str| !RESERVED.contains(field) && !self.path.iter().any(|(part, _)| part == field);
        fields.iter().copied().filter(is_writable)
    }
}

/// Returns the mask paths of a member.
fn paths_of((name, value): &(String, Node), expanded: Option<&str>, fields: &[&str]) -> Vec<String> {
    let field = field_name(name, fields);
    match value {
        Node::Object(parts) if expanded == Some(&*field) => {
            parts.iter().map(|(part, _)| format!("{field}.{part}")).collect()
        }
        _ => vec![field.into_owned()],
    }
}

impl<'de> Deserializer<'de> for MessageDeserializer<'_> {
    type Error = DecodeError;

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.check(fields)?;
        let paths = self.paths(fields).filter(|_| fields.contains(&MASK));
        let text = |text: &str| Node::Parameter(text.to_owned());
        self.members.extend(self.path.iter().map(|(name, value)| ((*name).to_owned(), text(value))));
        self.members.extend(paths.map(|paths| {
            let paths = paths.into_iter().map(Node::Text).collect();
            (MASK.to_owned(), Node::List(paths))
        }));
        NodeDeserializer(&Node::Object(self.members)).deserialize_struct(name, fields, visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_struct("", &[], visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
