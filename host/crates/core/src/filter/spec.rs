//! What a list can be filtered and sorted by, and a filter that was read.

use uuid::Uuid;

use crate::time::Timestamp;

/// The kind of a field's values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text, compared exactly.
    Text,
    /// Text that may be absent (`none`).
    OptionalText,
    /// The id of an object, which may be absent (`none`).
    Id,
    /// The id of a user, `me` or `none`.
    User,
    /// A time, with all operators.
    Time,
    /// `true` or `false`.
    Boolean,
    /// Custom fields by name, such as `field.severity`, compared as text.
    Named,
}

/// The fields of a list for filters and orders.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The fields for filters, with their kinds.
    pub fields: &'static [(&'static str, Kind)],
    /// The fields for orders. The first is the default, in descending order.
    pub orders: &'static [&'static str],
}

/// A filter: the conjunction of its terms.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// The terms.
    pub terms: Vec<Term>,
}

/// A condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    /// Whether it is negated.
    pub negated: bool,
    /// The field of the spec.
    pub field: &'static str,
    /// The name of a custom field.
    pub name: Option<String>,
    /// The operator.
    pub op: Op,
    /// The operands: one unless `op` is `OneOf`.
    pub values: Vec<Operand>,
}

/// An operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// Equal to one of the operands.
    OneOf,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterOrEqual,
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
}

/// An operand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operand {
    /// Text.
    Text(String),
    /// The id of an object.
    Id(Uuid),
    /// A time.
    Time(Timestamp),
    /// True or false.
    Boolean(bool),
    /// `none`.
    None,
}

/// The order of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// The field of the spec.
    pub field: &'static str,
    /// Whether the order is descending.
    pub descending: bool,
}
