//! Schemes of projects and state machines.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::tracker::{
    AssignMove, Category, FieldDefinition, FieldType, Machine, Scheme, State, Transition,
};

use super::scalar::corrupt;
use super::value::{StoredAttributes, attributes, stored_attributes};

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredScheme {
    types: Vec<String>,
    priorities: Vec<String>,
    resolutions: Vec<String>,
    default_type: String,
    default_priority: String,
    #[serde(flatten)]
    machine: StoredMachine,
    fields: Vec<StoredField>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredMachine {
    initial: String,
    states: Vec<StoredState>,
    transitions: Vec<StoredTransition>,
    on_assign: Option<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct StoredState {
    name: String,
    category: String,
    #[serde(default)]
    attributes: StoredAttributes,
}

#[derive(Serialize, Deserialize)]
struct StoredTransition {
    name: String,
    from: Vec<String>,
    to: String,
    requires: Vec<String>,
    #[serde(default)]
    attributes: StoredAttributes,
}

#[derive(Serialize, Deserialize)]
struct StoredField {
    name: String,
    #[serde(rename = "type")]
    field_type: String,
    required: bool,
    options: Vec<String>,
}

pub(crate) fn stored_scheme(scheme: &Scheme) -> StoredScheme {
    StoredScheme {
        types: scheme.types.clone(),
        priorities: scheme.priorities.clone(),
        resolutions: scheme.resolutions.clone(),
        default_type: scheme.default_type.clone(),
        default_priority: scheme.default_priority.clone(),
        machine: stored_machine(&scheme.machine),
        fields: scheme.fields.iter().map(stored_field).collect(),
    }
}

pub(crate) fn scheme(stored: StoredScheme) -> Result<Scheme> {
    Ok(Scheme {
        types: stored.types,
        priorities: stored.priorities,
        resolutions: stored.resolutions,
        default_type: stored.default_type,
        default_priority: stored.default_priority,
        machine: machine(stored.machine)?,
        fields: stored.fields.into_iter().map(field).collect::<Result<_>>()?,
    })
}

pub(crate) fn stored_machine(machine: &Machine) -> StoredMachine {
    let Machine { initial, states, transitions, on_assign } = machine.clone();
    StoredMachine {
        initial,
        states: states
            .into_iter()
            .map(|State { name, category, attributes }| StoredState {
                name,
                category: category_name(category).to_owned(),
                attributes: stored_attributes(&attributes),
            })
            .collect(),
        transitions: transitions
            .into_iter()
            .map(|Transition { name, from, to, requires, attributes }| StoredTransition {
                name,
                from,
                to,
                requires,
                attributes: stored_attributes(&attributes),
            })
            .collect(),
        on_assign: on_assign.map(|on| (on.from, on.to)),
    }
}

pub(crate) fn machine(stored: StoredMachine) -> Result<Machine> {
    Ok(Machine {
        initial: stored.initial,
        states: stored.states.into_iter().map(state).collect::<Result<_>>()?,
        transitions: stored.transitions.into_iter().map(transition).collect::<Result<_>>()?,
        on_assign: stored.on_assign.map(|(from, to)| AssignMove { from, to }),
    })
}

fn state(stored: StoredState) -> Result<State> {
    let known = [Category::Open, Category::Active, Category::Done];
    let category = known.into_iter().find(|known| category_name(*known) == stored.category);
    let category = category.ok_or_else(|| corrupt("a state's category", &stored.category))?;
    Ok(State { name: stored.name, category, attributes: attributes(stored.attributes)? })
}

fn transition(stored: StoredTransition) -> Result<Transition> {
    let StoredTransition { name, from, to, requires, attributes: stored_attributes } = stored;
    Ok(Transition { name, from, to, requires, attributes: attributes(stored_attributes)? })
}

fn category_name(category: Category) -> &'static str {
    match category {
        Category::Open => "open",
        Category::Active => "active",
        Category::Done => "done",
    }
}

fn stored_field(field: &FieldDefinition) -> StoredField {
    StoredField {
        name: field.name.clone(),
        field_type: field.field_type.name().to_owned(),
        required: field.required,
        options: field.options.clone(),
    }
}

fn field(stored: StoredField) -> Result<FieldDefinition> {
    let known = FieldType::ALL.into_iter().find(|(_, name)| *name == stored.field_type);
    let (field_type, _) = known.ok_or_else(|| corrupt("a field's type", &stored.field_type))?;
    Ok(FieldDefinition { name: stored.name, field_type, required: stored.required, options: stored.options })
}

#[cfg(test)]
mod tests {
    use tessera_core::{Field, Value};

    use super::*;

    #[test]
    fn a_scheme_survives_being_written_and_read() {
        let mut full = Scheme::built_in();
        full.fields = FieldType::ALL
            .into_iter()
            .map(|(field_type, name)| FieldDefinition {
                name: name.to_owned(),
                field_type,
                required: true,
                options: vec!["a".to_owned()],
            })
            .collect();
        full.machine.states[1].attributes.push(Field::new("colour", "red"));
        full.machine.transitions[0].attributes.push(Field { name: "rank".into(), value: Value::Integer(3) });
        let text = serde_json::to_string(&stored_scheme(&full)).unwrap();
        assert_eq!(scheme(serde_json::from_str(&text).unwrap()).unwrap(), full);
    }

    #[test]
    fn machine_without_attributes_is_read() {
        let json = r#"{"initial": "A", "states": [{"name": "A", "category": "open"}],
            "transitions": [{"name": "go", "from": [], "to": "A", "requires": []}], "on_assign": null}"#;
        let machine = machine(serde_json::from_str(json).unwrap()).unwrap();
        assert!(machine.states[0].attributes.is_empty() && machine.transitions[0].attributes.is_empty());
    }
}
