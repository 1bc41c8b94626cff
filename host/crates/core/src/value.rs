//! Values of fields by name: what custom fields hold, what facts say changed, what plugins will see.

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
    /// A moment.
    Time(Timestamp),
    /// An amount of money.
    Money(Money),
    /// Several texts, in their order.
    Texts(Vec<String>),
    /// Whatever else, as JSON text.
    Json(String),
}

impl Value {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// A count, where there is one.
    #[must_use]
    pub fn count(number: Option<u64>) -> Self {
        number.map_or(Self::None, |number| Self::Integer(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    /// Its size in bytes, for the bound on an object's fields.
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

/// An exact decimal, kept as the text that was given: an optional minus, digits, an optional fraction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Decimal(String);

impl Decimal {
    /// Reads a decimal of at most 38 digits.
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

    /// The decimal as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An amount in minor units of a currency.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Money {
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
}

/// A value with its name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Field {
    /// The field.
    pub name: String,
    /// What it holds.
    pub value: Value,
}

impl Field {
    /// A field that holds `value`.
    pub fn new(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// What became of one field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The field.
    pub field: String,
    /// What it held.
    pub before: Value,
    /// What it holds now.
    pub after: Value,
}

/// An object that can be shown as fields by name.
pub trait Snapshot {
    /// All that can be said of it, each name once.
    fn snapshot(&self) -> Vec<Field>;
}

/// What differs between two snapshots of one object; none stands for its absence.
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
    fn a_diff_names_what_came_what_went_and_what_changed() {
        let before = Bag(vec![("same", "1"), ("gone", "2"), ("changed", "3")]);
        let after = Bag(vec![("same", "1"), ("changed", "4"), ("came", "5")]);
        let changes = diff(Some(&before), Some(&after));
        let said: Vec<_> = changes.iter().map(|c| (c.field.as_str(), &c.before, &c.after)).collect();
        assert_eq!(
            said,
            [
                ("changed", &Value::from("3"), &Value::from("4")),
                ("came", &Value::None, &Value::from("5")),
                ("gone", &Value::from("2"), &Value::None),
            ]
        );
    }

    #[test]
    fn a_decimal_is_digits_and_at_most_one_point() {
        for good in ["0", "12.50", "-1.0", "00012"] {
            assert_eq!(Decimal::parse("d", good).unwrap().as_str(), good);
        }
        for bad in ["", "-", ".5", "5.", "1e3", "1.2.3", "+1", "١"] {
            assert!(Decimal::parse("d", bad).is_err(), "{bad}");
        }
    }
}
