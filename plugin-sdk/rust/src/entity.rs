//! Access to fields by name, and constructors of fields, values and violations.

use crate::{Change, Context, Entity, Field, Money, Timestamp, Value, Violation};

/// Finds a field by its name.
pub(crate) fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Value> {
    fields.iter().find(|field| field.name == name).map(|field| &field.value)
}

impl Entity {
    /// Returns the value of a field, or `None` if it is empty. Custom fields of a project are named `fields.<name>`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        find(&self.fields, name).filter(|value| !matches!(value, Value::None))
    }

    /// Returns whether a field has a value. An empty text is no value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.is_empty())
    }

    /// Returns the value of a text field.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_text()
    }

    /// Returns the value of an integer field.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the value of a boolean field.
    #[must_use]
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Boolean(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Returns the value of a time field.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        match self.get(name)? {
            Value::Time(at) => Some(*at),
            _ => None,
        }
    }

    /// Returns the values of a list field, or an empty list if the field is empty.
    #[must_use]
    pub fn texts(&self, name: &str) -> &[String] {
        match self.get(name) {
            Some(Value::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// Returns the value of a custom field of the project.
    #[must_use]
    pub fn custom_field(&self, name: &str) -> Option<&Value> {
        self.get(&["fields.", name].concat())
    }
}

impl Value {
    /// Returns the text, or `None` if the value is of another type.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether there is no value, an empty text or an empty list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::Text(text) | Self::Json(text) | Self::Decimal(text) => text.is_empty(),
            Self::Texts(texts) => texts.is_empty(),
            Self::Integer(_) | Self::Boolean(_) | Self::Time(_) | Self::Money(_) => false,
        }
    }
}

impl Context {
    /// Returns an attribute of the call.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        find(&self.attributes, name)
    }

    /// Returns whether the actor has a role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.actor.roles.iter().any(|name| name == role)
    }
}

impl Change {
    /// Returns whether an empty field got a value.
    #[must_use]
    pub fn is_first_value(&self) -> bool {
        self.before.is_empty() && !self.after.is_empty()
    }
}

impl Violation {
    /// Makes a violation of a field. The code is for programs (`^[A-Z][A-Z0-9_]{0,62}$`), the message for the user.
    #[must_use]
    pub fn for_field(field: &str, code: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), code: code.to_owned(), message: message.into() }
    }

    /// Makes a violation by the request as a whole.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { field: None, code: code.to_owned(), message: message.into() }
    }
}

macro_rules! values {
    ($($type:ty => |$from:ident| $value:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($from: $type) -> Self {
                $value
            }
        }
    )*};
}

values! {
    &str => |text| Self::Text(text.to_owned());
    String => |text| Self::Text(text);
    i64 => |number| Self::Integer(number);
    bool => |flag| Self::Boolean(flag);
    Money => |money| Self::Money(money);
    Vec<String> => |texts| Self::Texts(texts);
    Vec<&str> => |texts| Self::Texts(texts.into_iter().map(str::to_owned).collect());
}

impl Field {
    /// Makes a field with a value.
    #[must_use]
    pub fn new(name: &str, value: impl Into<Value>) -> Self {
        Self { name: name.to_owned(), value: value.into() }
    }
}
