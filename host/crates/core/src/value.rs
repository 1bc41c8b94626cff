//! Values of named fields, in custom fields, facts and entities of plugins.

use std::fmt;

use crate::error::{Error, Result};
use crate::time::Timestamp;

/// The value of one field.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    None,
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// An exact decimal.
    Decimal(Decimal),
    /// True or false.
    Boolean(bool),
    /// A time.
    Time(Timestamp),
    /// An amount of money.
    Money(Money),
    /// A list of texts.
    Texts(Vec<String>),
    /// Any other value, as JSON text.
    Json(String),
}

impl Value {
    /// Returns whether it is `None`.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Converts a count, if there is one.
    #[must_use]
    pub fn count(number: Option<u64>) -> Self {
        number.map_or(Self::None, |number| Self::Integer(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    /// Returns the size in bytes that counts towards the bound of an object's fields.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::None | Self::Boolean(_) => 1,
            Self::Integer(_) | Self::Time(_) => 8,
            Self::Money(_) => 11,
            Self::Decimal(decimal) => decimal.as_str().len(),
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Texts(texts) => texts.iter().map(|text| text.len() + 2).sum(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Time(at)
    }
}

impl<T: fmt::Display> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, |value| Self::Text(value.to_string()))
    }
}

/// An exact decimal, stored as text: an optional minus, digits, an optional fraction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Decimal(String);

impl Decimal {
    /// Parses a decimal of at most 38 digits.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let fits = all_digits(whole)
            && fraction.is_none_or(all_digits)
            && whole.len() + fraction.map_or(0, str::len) <= 38;
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(field, "is not a decimal such as 12.50"))
        }
    }

    /// Returns the decimal as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An amount in minor units of a currency.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Money {
    /// The number of minor units.
    pub amount: i64,
    /// The currency, a code of ISO 4217.
    pub currency: String,
}

/// A named value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Field {
    /// The name.
    pub name: String,
    /// The value.
    pub value: Value,
}

impl Field {
    /// Creates a field.
    pub fn new(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// The change of a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The name of the field.
    pub field: String,
    /// The value before.
    pub before: Value,
    /// The value after.
    pub after: Value,
}

/// An object that can be represented by named fields.
pub trait Snapshot {
    /// Returns the fields, with unique names.
    fn snapshot(&self) -> Vec<Field>;
}

/// Returns the differences between two states of an object; `None` means that it does not exist.
pub fn diff<T: Snapshot>(before: Option<&T>, after: Option<&T>) -> Vec<Change> {
    let mut olds = before.map(Snapshot::snapshot).unwrap_or_default();
    let mut changes = Vec::new();
    for new in after.map(Snapshot::snapshot).unwrap_or_default() {
        let old = olds.iter().position(|old| old.name == new.name).map(|at| olds.swap_remove(at).value);
        let old = old.unwrap_or_default();
        if old != new.value {
            changes.push(Change { field: new.name, before: old, after: new.value });
        }
    }
    olds.retain(|old| !old.value.is_none());
    olds.sort_by(|a, b| a.name.cmp(&b.name));
    changes.extend(olds.into_iter().map(|old| Change {
        field: old.name,
        before: old.value,
        after: Value::None,
    }));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bag(Vec<(&'static str, &'static str)>);

    impl Snapshot for Bag {
        fn snapshot(&self) -> Vec<Field> {
            self.0.iter().map(|(name, value)| Field::new(*name, *value)).collect()
        }
    }

    #[test]
    fn diff_lists_added_removed_and_changed_fields() {
        let before = Bag(vec![("same", "1"), ("gone", "2"), ("changed", "3")]);
        let after = Bag(vec![("same", "1"), ("changed", "4"), ("came", "5")]);
        let changes = diff(Some(&before), Some(&after));
        let fields: Vec<_> = changes.iter().map(|c| (c.field.as_str(), &c.before, &c.after)).collect();
        assert_eq!(
            fields,
            [
                ("changed", &Value::from("3"), &Value::from("4")),
                ("came", &Value::None, &Value::from("5")),
                ("gone", &Value::from("2"), &Value::None),
            ]
        );
    }

    #[test]
    fn decimal_is_digits_with_an_optional_fraction() {
        for good in ["0", "12.50", "-1.0", "00012"] {
            assert_eq!(Decimal::parse("d", good).unwrap().as_str(), good);
        }
        for bad in ["", "-", ".5", "5.", "1e3", "1.2.3", "+1", "١"] {
            assert!(Decimal::parse("d", bad).is_err(), "{bad}");
        }
    }
}
