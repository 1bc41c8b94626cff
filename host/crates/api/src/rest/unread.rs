//! What is wrong with a body or a query that cannot be read, in words for who wrote it.
//!
//! Only what was refused already comes here, to be read once more by a reader that knows where it is and what is
//! expected there. serde's own messages name types of this program, and are shown to nobody.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error as _, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::Number;
use tessera_core::Error;

/// Up to how many fields of an object are named where something else was given.
const NAMED: usize = 4;

/// How many characters are repeated of a name that is not known.
const SHOWN: usize = 64;

/// What is said where nothing better is known.
const UNREAD: &str = "cannot be read";

/// What is wrong with a body that `T` does not take.
pub(super) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Error {
    match serde_json::from_slice(bytes) {
        Ok(given) => told::<T>("body", &given),
        Err(error) => Error::malformed("body", format!("is not JSON: {error}")),
    }
}

/// What is wrong with the parameters of a query that `T` does not take.
pub(super) fn query<T: DeserializeOwned>(parameters: Vec<(String, String)>) -> Error {
    let given = parameters.into_iter().map(|(name, value)| (name, Given::Parameter(value)));
    told::<T>("query", &Given::Object(given.collect()))
}

/// What is wrong with a part of a body, at `at`, that `T` does not take.
pub(super) fn part<T: DeserializeOwned>(at: &str, json: &serde_json::Value) -> Error {
    match Given::deserialize(json) {
        Ok(given) => {
            let fault = fault::<T>(&given).inside(at);
            Error::malformed(&fault.at, fault.message)
        }
        Err(_) => Error::malformed(at, UNREAD),
    }
}

fn told<T: DeserializeOwned>(whole: &str, given: &Given) -> Error {
    let Fault { at, message } = fault::<T>(given);
    Error::malformed(if at.is_empty() { whole } else { &at }, message)
}

fn fault<T: DeserializeOwned>(given: &Given) -> Fault {
    // What this reader takes was not liked by the one that is faster.
    T::deserialize(Reader(given)).err().unwrap_or_else(|| Fault::of("", UNREAD))
}

/// What was given, with all that stands in it twice.
enum Given {
    Null,
    Truth(bool),
    Number(Number),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
    /// A parameter of a query: a text that may stand for something else.
    Parameter(String),
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whatever;

        impl<'de> Visitor<'de> for Whatever {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Given, E> {
                Ok(Given::Null)
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Given, E> {
                Ok(Given::Truth(truth))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Given, E> {
                Ok(Given::Number(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Given, E> {
                Ok(Given::Number(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Given, E> {
                Ok(Number::from_f64(number).map_or(Given::Null, Given::Number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Given, E> {
                Ok(Given::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Given, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Given::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Given, A::Error> {
                let mut object = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    object.push(entry);
                }
                Ok(Given::Object(object))
            }
        }

        deserializer.deserialize_any(Whatever)
    }
}

/// A fault, and where it is; empty: at the whole.
#[derive(Debug)]
struct Fault {
    at: String,
    message: String,
}

impl Fault {
    fn of(field: &str, message: impl fmt::Display) -> Self {
        Self { at: field.to_owned(), message: message.to_string() }
    }

    /// The same, seen from what holds it.
    fn inside(self, name: &str) -> Self {
        let point = if self.at.is_empty() || self.at.starts_with('[') { "" } else { "." };
        Self { at: format!("{name}{point}{}", self.at), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.message)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::of("", message)
    }

    fn invalid_type(given: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of("", format_args!("is {}; {} is expected", shown(given), plain(&expected.to_string())))
    }

    fn invalid_value(given: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(given, expected)
    }

    fn invalid_length(length: usize, _: &dyn Expected) -> Self {
        Self::of("", format_args!("has {length} entries, which is not as many as are expected"))
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        Self::of("", format_args!("is {:?}; {} is expected", head(name), one_of(known)))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        let expected = if known.is_empty() { "nothing".to_owned() } else { one_of(known) };
        Self::of(head(name), format_args!("is not known here; {expected} is expected"))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::of(name, "must be given")
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::of(name, "is given twice")
    }
}

fn one_of(known: &[&str]) -> String {
    match known {
        [one] => (*one).to_owned(),
        _ => format!("one of {}", known.join(", ")),
    }
}

fn shown(given: Unexpected<'_>) -> String {
    match given {
        Unexpected::Bool(truth) => truth.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => number.to_string(),
        Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => "a text".to_owned(),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map | Unexpected::NewtypeStruct => "an object".to_owned(),
        _ => "something else".to_owned(),
    }
}

/// The first characters of a name, which may be as long as the body.
fn head(name: &str) -> &str {
    name.char_indices().nth(SHOWN).map_or(name, |(end, _)| &name[..end])
}

/// What types call themselves, where what was expected is not known here already.
fn plain(expected: &str) -> &str {
    match expected {
        "a string" | "a character" | "a borrowed string" | "string" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "unit" => "null",
        "f32" | "f64" => "a number",
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "variant identifier" | "field identifier" => "a name",
        _ if expected.starts_with("a tuple") => "a list",
        _ if expected.starts_with("struct ") || expected.contains("enum ") => "an object",
        _ => expected,
    }
}

/// Reads what was given as what is expected.
struct Reader<'a>(&'a Given);

impl Reader<'_> {
    fn unlike(&self, expected: &str) -> Fault {
        let given = match self.0 {
            Given::Null => "null".to_owned(),
            Given::Truth(truth) => truth.to_string(),
            Given::Number(number) => number.to_string(),
            Given::Text(_) | Given::Parameter(_) => "a text".to_owned(),
            Given::List(_) => "a list".to_owned(),
            Given::Object(_) => "an object".to_owned(),
        };
        Fault::of("", format_args!("is {given}; {expected} is expected"))
    }

    fn whole(&self) -> Option<i128> {
        match self.0 {
            Given::Number(number) => number.as_i128(),
            Given::Parameter(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// An object, as what was given should have been.
fn object(fields: &[&str]) -> String {
    match fields {
        [.., last] if fields.len() <= NAMED => {
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
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.whole().and_then(|number| <$type>::try_from(number).ok()) {
                Some(number) => visitor.$visit(number),
                None => {
                    Err(self.unlike(&format!("a whole number from {} to {}", <$type>::MIN, <$type>::MAX)))
                }
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

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

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Given::Null => visitor.visit_unit(),
            Given::Truth(truth) => visitor.visit_bool(*truth),
            Given::Text(text) | Given::Parameter(text) => visitor.visit_str(text),
            Given::List(list) => visitor.visit_seq(Items(list.iter().enumerate())),
            Given::Object(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
            Given::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, number) => visitor.visit_f64(number.unwrap_or_default()),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Given::Truth(truth) => visitor.visit_bool(*truth),
            Given::Parameter(text) if text == "true" => visitor.visit_bool(true),
            Given::Parameter(text) if text == "false" => visitor.visit_bool(false),
            _ => Err(self.unlike("true or false")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = match self.0 {
            Given::Number(number) => number.as_f64(),
            Given::Parameter(text) => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => visitor.visit_f64(number),
            None => Err(self.unlike("a number")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Given::Text(text) | Given::Parameter(text) => visitor.visit_str(text),
            _ => Err(self.unlike("a text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Given::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Given::List(_) => self.deserialize_any(visitor),
            _ => Err(self.unlike("a list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Given::Object(_) => self.deserialize_any(visitor),
            _ => Err(self.unlike(&object(fields))),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Given::Text(text) | Given::Parameter(text) => {
                visitor.visit_enum(text.as_str().into_deserializer())
            }
            Given::Object(entries) => {
                visitor.visit_enum(MapAccessDeserializer::new(Entries { rest: entries.iter(), value: None }))
            }
            _ => Err(self.unlike(&one_of(known))),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { bytes byte_buf unit unit_struct }
}

/// The items of a list, each by its place.
struct Items<'a>(std::iter::Enumerate<std::slice::Iter<'a, Given>>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(item)).map(Some).map_err(|fault| fault.inside(&format!("[{index}]")))
    }
}

/// The entries of an object, each by its name.
struct Entries<'a> {
    rest: std::slice::Iter<'a, (String, Given)>,
    value: Option<&'a (String, Given)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.value = self.rest.next();
        let Some((name, _)) = self.value else { return Ok(None) };
        seed.deserialize(name.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, value) = self.value.take().ok_or_else(|| Fault::custom(UNREAD))?;
        seed.deserialize(Reader(value)).map_err(|fault| fault.inside(name))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::rest::dto::event::EventPatch;
    use crate::rest::dto::reservation::ReserveBody;
    use crate::rest::dto::ticket_type::{TicketTypePatch, WriteTicketTypeBody};

    fn refusal<T: DeserializeOwned>(json: &str) -> String {
        assert!(serde_json::from_str::<T>(json).is_err(), "{json}");
        body::<T>(json.as_bytes()).message().to_owned()
    }

    #[test]
    fn a_fault_names_its_field_what_was_given_and_what_is_expected() {
        let whole = "a whole number from -2147483648 to 2147483647 is expected";
        let object = "an object with amount and currency is expected";
        for (told, expected) in [
            (refusal::<WriteTicketTypeBody>(r#"{"price":5}"#), format!("price is 5; {object}")),
            (refusal::<TicketTypePatch>(r#"{"price":"12.50"}"#), format!("price is a text; {object}")),
            (refusal::<WriteTicketTypeBody>(r#"{"price":null}"#), format!("price is null; {object}")),
            (
                refusal::<WriteTicketTypeBody>(r#"{"price":{"amount":1.5}}"#),
                format!("price.amount is 1.5; a whole number from {} to {} is expected", i64::MIN, i64::MAX),
            ),
            (refusal::<WriteTicketTypeBody>(r#"{"metadata":{"a":1}}"#), "metadata.a is 1; a text is expected".into()),
            (refusal::<WriteTicketTypeBody>(r#"{"pools":"a"}"#), "pools is a text; a list is expected".into()),
            (refusal::<ReserveBody>(r#"{"quantity":"two"}"#), format!("quantity is a text; {whole}")),
            (refusal::<ReserveBody>(r#"{"quantity":99999999999}"#), format!("quantity is 99999999999; {whole}")),
            (
                refusal::<ReserveBody>(r#"{"lines":[{},{"quantity":true}]}"#),
                format!("lines[1].quantity is true; {whole}"),
            ),
            (
                refusal::<ReserveBody>(r#"{"lines":[7]}"#),
                "lines[0] is 7; an object with ticket_type_id, quantity and seat_numbers is expected".into(),
            ),
            (
                refusal::<ReserveBody>(r#"{"lines":[{"seat":"A1"}]}"#),
                "lines[0].seat is not known here; one of ticket_type_id, quantity, seat_numbers is expected".into(),
            ),
            (refusal::<ReserveBody>(r#"{"user_id":"a","user_id":"b"}"#), "user_id is given twice".into()),
            (refusal::<EventPatch>(r#"{"featured":"yes"}"#), "featured is a text; true or false is expected".into()),
            (part::<ReserveBody>("command", &serde_json::json!({"lines": [[]]})).message().to_owned(), "command.lines[0] is a list; an object with ticket_type_id, quantity and seat_numbers is expected".into()),
            (refusal::<EventPatch>(r#"{"title":"#), "body is not JSON: EOF while parsing a value at line 1 column 9".into()),
        ] {
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn what_a_tagged_object_lacks_is_told_without_names_of_types() {
        #[derive(Debug, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
        enum Shape {
            #[expect(dead_code, reason = "it is only read")]
            Square { side: u32 },
        }
        for (json, expected) in [
            (r#"{"kind":"circle"}"#, "kind is \"circle\"; square is expected"),
            (r#"{"side":1}"#, "kind must be given"),
            (
                &format!(r#"{{"kind":"{}"}}"#, "c".repeat(100)),
                &format!("kind is {:?}; square is expected", "c".repeat(64)),
            ),
            (r#"{"kind":"square","side":"a"}"#, "body is a text; a whole number is expected"),
            (r#"{"kind":"square"}"#, "side must be given"),
        ] {
            assert_eq!(refusal::<Shape>(json), expected, "{json}");
        }
    }

    #[test]
    fn a_parameter_is_told_by_its_name() {
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct Asked {
            page_size: i64,
            free: bool,
        }
        for (name, value, expected) in [
            (
                "page_size",
                "many",
                format!("page_size is a text; a whole number from {} to {} is expected", i64::MIN, i64::MAX),
            ),
            ("free", "yes", "free is a text; true or false is expected".to_owned()),
            ("size", "1", "size is not known here; one of page_size, free is expected".to_owned()),
        ] {
            assert_eq!(query::<Asked>(vec![(name.into(), value.into())]).message(), expected);
        }
    }
}
