//! Parsed JSON: a tree that keeps duplicate members, and a deserializer that reports the path of each fault.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use crate::rest::decode_error::{DecodeError, one_of};

/// The most fields that a message lists for an expected object.
const MAX_LISTED_FIELDS: usize = 4;

/// Limit of values in one body, because a megabyte of `0,` takes 16 MB as a tree. The largest valid object, with fields
/// of 192 KiB in sum, has fewer.
const MAX_VALUES: usize = 100_000;

/// The message of a fault without details.
pub(super) const UNREADABLE: &str = "cannot be read";

/// A JSON value.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    List(Vec<Self>),
    /// Members in order, with duplicates.
    Object(Vec<(String, Self)>),
    /// A query parameter: text that may be read as a number or a boolean.
    Parameter(String),
}

impl Node {
    /// Parses JSON with a limited number of values.
    pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        let values = Cell::new(0);
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let node = NodeSeed(&values).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(node)
    }

    /// Converts parsed JSON.
    pub(super) fn of(json: &serde_json::Value) -> serde_json::Result<Self> {
        NodeSeed(&Cell::new(0)).deserialize(json)
    }
}

/// Builds nodes and counts them.
#[derive(Clone, Copy)]
struct NodeSeed<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.0.set(self.0.get() + 1);
        if self.0.get() > MAX_VALUES {
            return Err(D::Error::custom(format_args!("more than {MAX_VALUES} values")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Node, E> {
        Ok(Node::Boolean(boolean))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Number::from_f64(number).map_or(Node::Null, Node::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut object = Vec::new();
        while let Some(name) = members.next_key()? {
            object.push((name, members.next_value_seed(self)?));
        }
        Ok(Node::Object(object))
    }
}

/// Deserializes from a node; faults have their paths.
pub(super) struct NodeDeserializer<'a>(pub(super) &'a Node);

impl NodeDeserializer<'_> {
    fn mismatch(&self, expected: &str) -> DecodeError {
        let actual = match self.0 {
            Node::Null => "null".to_owned(),
            Node::Boolean(boolean) => boolean.to_string(),
            Node::Number(number) => number.to_string(),
            Node::Text(_) | Node::Parameter(_) => "a text".to_owned(),
            Node::List(_) => "a list".to_owned(),
            Node::Object(_) => "an object".to_owned(),
        };
        DecodeError::of("", format_args!("is {actual}; {expected} is expected"))
    }

    fn integer(&self) -> Option<i128> {
        match self.0 {
            Node::Number(number) => number.as_i128(),
            Node::Parameter(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// Describes an object with these fields, for messages.
fn describe_object(fields: &[&str]) -> String {
    match fields {
        [.., last] if fields.len() <= MAX_LISTED_FIELDS => {
            let first = fields[..fields.len() - 1].join(", ");
            if first.is_empty() {
                format!("an object with {last}")
            } else {
                format!("an object with {first} and {last}")
            }
        }
        _ => "an object".to_owned(),
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match self.integer().and_then(|number| <$type>::try_from(number).ok()) {
                Some(number) => visitor.$visit(number),
                None => {
                    Err(self.mismatch(&format!("a whole number from {} to {}", <$type>::MIN, <$type>::MAX)))
                }
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for NodeDeserializer<'_> {
    type Error = DecodeError;

    whole_numbers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Node::Null => visitor.visit_unit(),
            Node::Boolean(boolean) => visitor.visit_bool(*boolean),
            Node::Text(text) | Node::Parameter(text) => visitor.visit_str(text),
            Node::List(list) => visitor.visit_seq(Items(list.iter().enumerate())),
            Node::Object(members) => visitor.visit_map(Members::of(members, &[])),
            Node::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, number) => visitor.visit_f64(number.unwrap_or_default()),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Node::Boolean(boolean) => visitor.visit_bool(*boolean),
            Node::Parameter(text) if text == "true" => visitor.visit_bool(true),
            Node::Parameter(text) if text == "false" => visitor.visit_bool(false),
            _ => Err(self.mismatch("true or false")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let number = match self.0 {
            Node::Number(number) => number.as_f64(),
            Node::Parameter(text) => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => visitor.visit_f64(number),
            None => Err(self.mismatch("a number")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Node::Text(text) | Node::Parameter(text) => visitor.visit_str(text),
            _ => Err(self.mismatch("a text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Node::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Node::List(_) => self.deserialize_any(visitor),
            // A repeated parameter that is given once.
            Node::Parameter(_) => visitor.visit_seq(Items(std::slice::from_ref(self.0).iter().enumerate())),
            _ => Err(self.mismatch("a list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.0 {
            Node::Object(members) => visitor.visit_map(Members::of(members, fields)),
            _ => Err(self.mismatch(&describe_object(fields))),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.0 {
            Node::Text(text) | Node::Parameter(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Node::Object(members) => {
                visitor.visit_enum(MapAccessDeserializer::new(Members::of(members, &[])))
            }
            _ => Err(self.mismatch(&one_of(variants))),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { bytes byte_buf unit unit_struct }
}

/// The elements of a list, each with its index.
struct Items<'a>(std::iter::Enumerate<std::slice::Iter<'a, Node>>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some((index, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(NodeDeserializer(item))
            .map(Some)
            .map_err(|fault| fault.within(&format!("[{index}]")))
    }
}

/// The members of an object, each with its name.
struct Members<'a> {
    rest: std::slice::Iter<'a, (String, Node)>,
    value: Option<&'a (String, Node)>,
    /// The fields of the struct; empty for a map.
    fields: &'static [&'static str],
}

impl<'a> Members<'a> {
    fn of(members: &'a [(String, Node)], fields: &'static [&'static str]) -> Self {
        Self { rest: members.iter(), value: None, fields }
    }
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let fields = self.fields;
        // In a struct, null means that the field is absent; in a map, null is a value.
        let is_present = |(name, value): &&(String, Node)| {
            fields.is_empty() || !matches!(value, Node::Null) || !fields.contains(&&*field_name(name, fields))
        };
        self.value = self.rest.by_ref().find(is_present);
        let Some((name, _)) = self.value else { return Ok(None) };
        seed.deserialize((&*field_name(name, fields)).into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let (name, value) = self.value.take().ok_or_else(|| DecodeError::custom(UNREADABLE))?;
        seed.deserialize(NodeDeserializer(value))
            .map_err(|fault| fault.within(&field_name(name, self.fields)))
    }
}

/// Returns the field that a member sets: its name, or the snake_case form of a lowerCamelCase name.
pub(super) fn field_name<'a>(name: &'a str, fields: &[&str]) -> Cow<'a, str> {
    if fields.contains(&name) || !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    if fields.contains(&snake.as_str()) { Cow::Owned(snake) } else { Cow::Borrowed(name) }
}
