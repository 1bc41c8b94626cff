//! Fields by name: what an entity, a context or a violation says, and values from plain ones.

use crate::{Change, Context, Entity, Field, Money, Timestamp, Value, Violation};

/// Fields that are found by name.
fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Value> {
    fields.iter().find(|field| field.name == name).map(|field| &field.value)
}

impl Entity {
    /// What a field holds; nothing when it is empty. A project's own fields are named `fields.<name>`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        find(&self.fields, name).filter(|value| !matches!(value, Value::None))
    }

    /// Whether a field holds anything; an empty text is nothing.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.is_empty())
    }

    /// A field's text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_text()
    }

    /// A field's whole number.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// A field's truth.
    #[must_use]
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Boolean(flag) => Some(*flag),
            _ => None,
        }
    }

    /// A field's time.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        match self.get(name)? {
            Value::Time(at) => Some(*at),
            _ => None,
        }
    }

    /// A field's texts; none when it is empty.
    #[must_use]
    pub fn texts(&self, name: &str) -> &[String] {
        match self.get(name) {
            Some(Value::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// A field of the project's own.
    #[must_use]
    pub fn own(&self, name: &str) -> Option<&Value> {
        self.get(&format!("fields.{name}"))
    }
}

impl Value {
    /// The text that it is.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether there is nothing in it.
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
    /// What else is known, by name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        find(&self.attributes, name)
    }

    /// Whether the actor has a role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.actor.roles.iter().any(|held| held == role)
    }
}

impl Change {
    /// Whether it gave the field a value where there was none.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.before.is_empty() && !self.after.is_empty()
    }
}

impl Violation {
    /// A fault of a field. The code is for programs (`^[A-Z][A-Z0-9_]*$`), the message for a person.
    #[must_use]
    pub fn of(field: &str, code: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), code: code.to_owned(), message: message.into() }
    }

    /// A fault of no field in particular.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { field: None, code: code.to_owned(), message: message.into() }
    }
}

macro_rules! values {
    ($($type:ty => |$held:ident| $value:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($held: $type) -> Self {
                $value
            }
        }
    )*};
}

values! {
    &str => |held| Self::Text(held.to_owned());
    String => |held| Self::Text(held);
    i64 => |held| Self::Integer(held);
    bool => |held| Self::Boolean(held);
    Money => |held| Self::Money(held);
    Vec<String> => |held| Self::Texts(held);
    Vec<&str> => |held| Self::Texts(held.into_iter().map(str::to_owned).collect());
}

impl Field {
    /// A field that holds a value.
    #[must_use]
    pub fn new(name: &str, value: impl Into<Value>) -> Self {
        Self { name: name.to_owned(), value: value.into() }
    }
}
