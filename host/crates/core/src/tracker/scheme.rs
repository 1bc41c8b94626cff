//! A project's scheme: its types, priorities, resolutions, state machine and fields.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::text::Faults;
use crate::tracker::machine::Machine;
use crate::value::{Field, Value};

/// Limits of a scheme.
const MAX_NAMES: usize = 50;
const MAX_TRANSITIONS: usize = 200;
const MAX_FIELDS: usize = 100;
const MAX_OPTIONS: usize = 200;
/// The most attributes of a state or a transition, and the most bytes of a value.
const MAX_ATTRIBUTES: usize = 20;
const MAX_ATTRIBUTE: usize = 1_024;

/// The fields of every issue that a transition may require.
const OWN_FIELDS: [&str; 4] = ["description", "resolution", "assignee_id", "parent_id"];

/// A scheme.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scheme {
    /// The types of issues.
    pub types: Vec<String>,
    /// The priorities, most urgent first.
    pub priorities: Vec<String>,
    /// The resolutions.
    pub resolutions: Vec<String>,
    /// The type of an issue that names none.
    pub default_type: String,
    /// The priority of an issue that names none.
    pub default_priority: String,
    /// The state machine.
    pub machine: Machine,
    /// The fields that it defines.
    pub fields: Vec<FieldDefinition>,
}

/// The type of a field.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FieldType {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// An exact decimal.
    Decimal,
    /// True or false.
    Boolean,
    /// A time.
    Time,
    /// Several texts.
    Texts,
}

/// The definition of a field.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FieldDefinition {
    /// Its name.
    pub name: String,
    /// Its type.
    pub field_type: FieldType,
    /// Whether every issue must have it.
    pub required: bool,
    /// The texts that it may have; empty: any.
    pub options: Vec<String>,
}

/// The number of issues of a project that use each name of its scheme.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// By state.
    pub states: BTreeMap<String, u64>,
    /// By type.
    pub types: BTreeMap<String, u64>,
    /// By priority.
    pub priorities: BTreeMap<String, u64>,
    /// By resolution.
    pub resolutions: BTreeMap<String, u64>,
}

impl FieldType {
    /// All types with their names.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Text, "text"),
        (Self::Integer, "integer"),
        (Self::Decimal, "decimal"),
        (Self::Boolean, "boolean"),
        (Self::Time, "time"),
        (Self::Texts, "texts"),
    ];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Time => "time",
            Self::Texts => "texts",
        }
    }
}

impl Scheme {
    /// Returns the built-in scheme.
    #[must_use]
    pub fn built_in() -> Self {
        let texts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            types: texts(&["COSMETIC", "BUG", "FEATURE", "PERFORMANCE"]),
            priorities: texts(&["CRITICAL", "MAJOR", "IMPORTANT", "MINOR"]),
            resolutions: texts(&["FIXED", "INVALID", "WONTFIX", "WORKSFORME"]),
            default_type: "BUG".to_owned(),
            default_priority: "MINOR".to_owned(),
            machine: Machine::built_in(),
            fields: Vec::new(),
        }
    }

    /// Checks a scheme, and reports all its faults.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        let states: Vec<_> = self.machine.states.iter().map(|state| state.name.clone()).collect();
        for (field, list) in [
            ("types", &self.types),
            ("priorities", &self.priorities),
            ("resolutions", &self.resolutions),
            ("machine.states", &states),
        ] {
            check_names(&mut faults, field, list, MAX_NAMES);
            if list.is_empty() && field != "resolutions" {
                faults.add(field, "must have at least one entry");
            }
        }
        one_of(&mut faults, "default_type", &self.default_type, "types", &self.types);
        one_of(&mut faults, "default_priority", &self.default_priority, "priorities", &self.priorities);
        self.check_machine(&mut faults, &states);
        self.check_fields(&mut faults);
        faults.into_result()
    }

    fn check_machine(&self, faults: &mut Faults, states: &[String]) {
        let machine = &self.machine;
        one_of(faults, "machine.initial", &machine.initial, "machine.states", states);
        let names: Vec<_> = machine.transitions.iter().map(|transition| transition.name.clone()).collect();
        check_names(faults, "machine.transitions", &names, MAX_TRANSITIONS);
        for (index, state) in machine.states.iter().enumerate() {
            check_attributes(faults, &format!("machine.states[{index}].attributes"), &state.attributes);
        }
        for (index, transition) in machine.transitions.iter().enumerate() {
            let at = format!("machine.transitions[{index}]");
            one_of(faults, &format!("{at}.to"), &transition.to, "machine.states", states);
            for from in &transition.from {
                one_of(faults, &format!("{at}.from"), from, "machine.states", states);
            }
            for field in &transition.requires {
                if !self.has_field(field) {
                    let own = OWN_FIELDS.join(", ");
                    faults.add(
                        &format!("{at}.requires"),
                        format_args!("names {field:?}; must be {own} or fields.<name> of the scheme"),
                    );
                }
            }
            check_attributes(faults, &format!("{at}.attributes"), &transition.attributes);
        }
        if let Some(assign) = &machine.on_assign {
            one_of(faults, "machine.on_assign.from", &assign.from, "machine.states", states);
            one_of(faults, "machine.on_assign.to", &assign.to, "machine.states", states);
        }
    }

    fn check_fields(&self, faults: &mut Faults) {
        let names: Vec<_> = self.fields.iter().map(|field| field.name.clone()).collect();
        check_names(faults, "fields", &names, MAX_FIELDS);
        for (index, field) in self.fields.iter().enumerate() {
            let at = format!("fields[{index}].options");
            let takes_options = matches!(field.field_type, FieldType::Text | FieldType::Texts);
            if !field.options.is_empty() && !takes_options {
                faults.add(&at, "are only allowed for text and texts");
            }
            if field.options.len() > MAX_OPTIONS {
                faults.add(&at, format_args!("has {} entries; at most {MAX_OPTIONS}", field.options.len()));
            }
            for option in &field.options {
                faults.text(&at, option, 1, 100);
            }
        }
    }

    fn has_field(&self, name: &str) -> bool {
        OWN_FIELDS.contains(&name)
            || name.strip_prefix("fields.").is_some_and(|name| self.field(name).is_some())
    }

    /// Returns the field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldDefinition> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Refuses a scheme that lacks names in use, with the counts.
    pub fn check_usage(&self, usage: &Usage) -> Result<()> {
        let mut faults = Faults::default();
        let states: Vec<_> = self.machine.states.iter().map(|state| state.name.clone()).collect();
        for (field, used, known) in [
            ("machine.states", &usage.states, &states),
            ("types", &usage.types, &self.types),
            ("priorities", &usage.priorities, &self.priorities),
            ("resolutions", &usage.resolutions, &self.resolutions),
        ] {
            for (name, count) in used.iter().filter(|(name, _)| !known.contains(name)) {
                let issues = if *count == 1 { "1 issue has it" } else { &format!("{count} issues have it") };
                faults.add(field, format_args!("lacks {name:?}, and {issues}"));
            }
        }
        faults.into_result().map_err(|error| error.with_reason("SCHEME_IN_USE"))
    }

    /// Returns the message for a name that is not in a list.
    #[must_use]
    pub fn unknown_name(name: &str, known: &[String]) -> String {
        format!("is {name:?}; must be one of {}", known.join(", "))
    }
}

impl FieldDefinition {
    /// Checks a value of the field.
    pub fn check(&self, value: &Value, faults: &mut Faults) {
        let at = format!("fields.{}", self.name);
        let known = |text: &String| self.options.is_empty() || self.options.contains(text);
        match (self.field_type, value) {
            (FieldType::Text, Value::Text(text)) => {
                faults.text(&at, text, 0, 32_768);
                if !known(text) {
                    faults.add(&at, Scheme::unknown_name(text, &self.options));
                }
            }
            (FieldType::Texts, Value::Texts(texts)) => {
                if texts.len() > 100 {
                    faults.add(&at, format_args!("has {} entries; at most 100", texts.len()));
                }
                for text in texts {
                    faults.text(&at, text, 0, 1_000);
                    if !known(text) {
                        faults.add(&at, Scheme::unknown_name(text, &self.options));
                    }
                }
            }
            (FieldType::Integer, Value::Integer(_))
            | (FieldType::Decimal, Value::Decimal(_))
            | (FieldType::Boolean, Value::Boolean(_))
            | (FieldType::Time, Value::Time(_)) => {}
            _ => faults.add(&at, format_args!("must be of the type {}", self.field_type.name())),
        }
    }
}

fn check_names(faults: &mut Faults, field: &str, names: &[String], max: usize) {
    if names.len() > max {
        faults.add(field, format_args!("has {} entries; at most {max}", names.len()));
    }
    let mut seen = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        let letter_first = name.chars().next().is_some_and(char::is_alphabetic);
        let plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-'));
        if !letter_first || !plain || name.chars().count() > 50 {
            let at = format!("{field}[{index}]");
            faults.add(
                &at,
                format_args!(
                    "is {name:?}; must be a letter, then letters, digits, spaces, _ or -, at most 50"
                ),
            );
        }
        if !seen.insert(name) {
            faults.add(&format!("{field}[{index}]"), format_args!("repeats {name:?}"));
        }
    }
}

fn check_attributes(faults: &mut Faults, at: &str, attributes: &[Field]) {
    if attributes.len() > MAX_ATTRIBUTES {
        faults.add(at, format_args!("has {} entries; at most {MAX_ATTRIBUTES}", attributes.len()));
    }
    let mut seen = BTreeSet::new();
    for Field { name, value } in attributes {
        faults.text(at, name, 1, 63);
        if !seen.insert(name) {
            faults.add(at, format_args!("repeats {name:?}"));
        }
        let at = format!("{at}.{name}");
        if value.size() > MAX_ATTRIBUTE {
            faults.add(&at, format_args!("has {} bytes; at most {MAX_ATTRIBUTE}", value.size()));
        }
        match value {
            Value::Text(text) => faults.text(&at, text, 0, MAX_ATTRIBUTE),
            Value::Texts(texts) => texts.iter().for_each(|text| faults.text(&at, text, 0, MAX_ATTRIBUTE)),
            _ => {}
        }
    }
}

fn one_of(faults: &mut Faults, field: &str, name: &String, list: &str, known: &[String]) {
    if !known.contains(name) {
        faults.add(field, format_args!("is {name:?}; must be one of {list}"));
    }
}

/// Checks that a name is in a scheme's list.
pub fn check_name(field: &str, name: &str, known: &[String]) -> Result<()> {
    if known.iter().any(|one| one == name) {
        return Ok(());
    }
    Err(Error::invalid(field, Scheme::unknown_name(name, known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_scheme_is_valid() {
        Scheme::built_in().check().unwrap();
    }

    #[test]
    fn all_faults_of_a_scheme_are_reported_together() {
        let mut scheme = Scheme::built_in();
        scheme.default_type = "NONE".into();
        scheme.types.push("BUG".into());
        scheme.machine.initial = "LOST".into();
        scheme.machine.transitions[0].to = "NOWHERE".into();
        scheme.machine.transitions[1].requires.push("fields.absent".into());
        scheme.fields.push(FieldDefinition {
            name: "points".into(),
            field_type: FieldType::Integer,
            required: false,
            options: vec!["1".into()],
        });
        let error = scheme.check().unwrap_err();
        let fields: Vec<_> = error.faults().iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "types[4]",
                "default_type",
                "machine.initial",
                "machine.transitions[0].to",
                "machine.transitions[1].requires",
                "fields[0].options",
            ]
        );
    }

    #[test]
    fn attributes_are_bounded_and_unique() {
        let mut scheme = Scheme::built_in();
        let named = |name: String| Field::new(name, "x");
        scheme.machine.states[0].attributes = (0..MAX_ATTRIBUTES).map(|n| named(format!("a{n}"))).collect();
        scheme.machine.transitions[2].attributes =
            vec![Field::new("text", "x".repeat(MAX_ATTRIBUTE).as_str())];
        scheme.check().unwrap();
        scheme.machine.states[0].attributes.push(named("a0".into()));
        let long = "x".repeat(MAX_ATTRIBUTE);
        scheme.machine.transitions[2].attributes = vec![
            Field { name: "texts".into(), value: Value::Texts(vec![long]) },
            Field::new("text", "a\0b"),
            named(String::new()),
        ];
        let error = scheme.check().unwrap_err();
        let fields: Vec<_> = error.faults().iter().map(|fault| fault.field.as_str()).collect();
        let (state, transition) = ("machine.states[0].attributes", "machine.transitions[2].attributes");
        let (texts, text) = (format!("{transition}.texts"), format!("{transition}.text"));
        assert_eq!(fields, [state, state, &texts, &text, transition]);
    }

    #[test]
    fn scheme_without_a_state_in_use_is_refused_with_the_count() {
        let mut scheme = Scheme::built_in();
        scheme.machine.states.retain(|state| state.name != "CLOSED");
        let usage = Usage { states: [("CLOSED".to_owned(), 3)].into(), ..Usage::default() };
        let error = scheme.check_usage(&usage).unwrap_err();
        assert_eq!(error.reason(), "SCHEME_IN_USE");
        assert!(error.message().contains("3 issues"), "{error}");
    }
}
