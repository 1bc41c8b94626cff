//! Model of a compiled JSON Schema: rules in one list, which refer to each other by index.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Number;

use super::pattern::Pattern;

/// Index of a rule in its schema.
pub(super) type RuleId = usize;

/// A compiled schema.
pub(super) struct Schema {
    pub(super) rules: Vec<Rule>,
    pub(super) root: RuleId,
    /// Whether a rule depends on which members and items others have evaluated.
    pub(super) tracks_evaluated: bool,
}

/// One schema object, or one of the two boolean schemas.
pub(super) enum Rule {
    /// Accepts every value.
    Accept,
    /// Accepts no value.
    Reject,
    /// Accepts what all keywords accept; those that depend on others stand last.
    Keywords(Vec<Keyword>),
}

/// A type of JSON values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    Null,
    Boolean,
    Object,
    Array,
    Number,
    Integer,
    String,
}

/// What a bound on a size counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Measure {
    Characters,
    Items,
    Members,
}

/// Which side of a limit is accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    AtLeast,
    AtMost,
    Above,
    Below,
}

/// One keyword of a schema object, or several that are evaluated together.
pub(super) enum Keyword {
    Reference(RuleId),
    Type(Vec<Type>),
    /// `enum` and `const`: canonical texts of the values.
    Enum {
        options: HashSet<String>,
        /// The values as a message shows them.
        text: String,
    },
    Compare(Comparison, Number),
    MultipleOf(Number),
    Size(Measure, Comparison, u64),
    Pattern(Arc<Pattern>),
    UniqueItems,
    Items {
        prefix: Vec<RuleId>,
        rest: Option<RuleId>,
    },
    Contains {
        rule: RuleId,
        min: u64,
        max: Option<u64>,
    },
    Properties {
        named: BTreeMap<String, RuleId>,
        patterns: Vec<(Arc<Pattern>, RuleId)>,
        rest: Option<RuleId>,
    },
    PropertyNames(RuleId),
    Required(Vec<String>),
    DependentRequired(BTreeMap<String, Vec<String>>),
    DependentSchemas(BTreeMap<String, RuleId>),
    AllOf(Vec<RuleId>),
    AnyOf(Vec<RuleId>),
    OneOf(Vec<RuleId>),
    Not(RuleId),
    If {
        condition: RuleId,
        then: Option<RuleId>,
        otherwise: Option<RuleId>,
    },
    UnevaluatedItems(RuleId),
    UnevaluatedProperties(RuleId),
}

impl Type {
    /// All types with their names in a schema.
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::Null, "null"),
        (Self::Boolean, "boolean"),
        (Self::Object, "object"),
        (Self::Array, "array"),
        (Self::Number, "number"),
        (Self::Integer, "integer"),
        (Self::String, "string"),
    ];

    /// The type's name in a schema.
    pub(super) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

impl Measure {
    /// What is counted, for a message.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Characters => "characters",
            Self::Items => "items",
            Self::Members => "members",
        }
    }
}

impl Comparison {
    /// The relation to the limit, for a message.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AtLeast => "at least",
            Self::AtMost => "at most",
            Self::Above => "more than",
            Self::Below => "less than",
        }
    }
}
