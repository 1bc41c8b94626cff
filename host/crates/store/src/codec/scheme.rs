//! A project's scheme, and machines, which plugins describe as well.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::tracker::{
    AssignMove, Category, FieldDefinition, FieldType, Machine, Scheme, State, Transition,
};

use super::corrupt;
use super::value::{AttributesForm, attributes, attributes_form};

#[derive(Serialize, Deserialize)]
pub(crate) struct SchemeForm {
    types: Vec<String>,
    priorities: Vec<String>,
    resolutions: Vec<String>,
    default_type: String,
    default_priority: String,
    #[serde(flatten)]
    machine: MachineForm,
    fields: Vec<FieldForm>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct MachineForm {
    initial: String,
    states: Vec<StateForm>,
    transitions: Vec<TransitionForm>,
    on_assign: Option<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct StateForm {
    name: String,
    category: String,
    #[serde(default)]
    attributes: AttributesForm,
}

#[derive(Serialize, Deserialize)]
struct TransitionForm {
    name: String,
    from: Vec<String>,
    to: String,
    requires: Vec<String>,
    #[serde(default)]
    attributes: AttributesForm,
}

#[derive(Serialize, Deserialize)]
struct FieldForm {
    name: String,
    #[serde(rename = "type")]
    field_type: String,
    required: bool,
    options: Vec<String>,
}

pub(crate) fn scheme_form(scheme: &Scheme) -> SchemeForm {
    SchemeForm {
        types: scheme.types.clone(),
        priorities: scheme.priorities.clone(),
        resolutions: scheme.resolutions.clone(),
        default_type: scheme.default_type.clone(),
        default_priority: scheme.default_priority.clone(),
        machine: machine_form(&scheme.machine),
        fields: scheme.fields.iter().map(field_form).collect(),
    }
}

pub(crate) fn scheme(form: SchemeForm) -> Result<Scheme> {
    Ok(Scheme {
        types: form.types,
        priorities: form.priorities,
        resolutions: form.resolutions,
        default_type: form.default_type,
        default_priority: form.default_priority,
        machine: machine(form.machine)?,
        fields: form.fields.into_iter().map(field).collect::<Result<_>>()?,
    })
}

pub(crate) fn machine_form(machine: &Machine) -> MachineForm {
    let Machine { initial, states, transitions, on_assign } = machine.clone();
    MachineForm {
        initial,
        states: states
            .into_iter()
            .map(|State { name, category, attributes }| StateForm {
                name,
                category: category_name(category).to_owned(),
                attributes: attributes_form(&attributes),
            })
            .collect(),
        transitions: transitions
            .into_iter()
            .map(|Transition { name, from, to, requires, attributes }| TransitionForm {
                name,
                from,
                to,
                requires,
                attributes: attributes_form(&attributes),
            })
            .collect(),
        on_assign: on_assign.map(|on| (on.from, on.to)),
    }
}

pub(crate) fn machine(form: MachineForm) -> Result<Machine> {
    Ok(Machine {
        initial: form.initial,
        states: form.states.into_iter().map(state).collect::<Result<_>>()?,
        transitions: form.transitions.into_iter().map(transition).collect::<Result<_>>()?,
        on_assign: form.on_assign.map(|(from, to)| AssignMove { from, to }),
    })
}

fn state(form: StateForm) -> Result<State> {
    let known = [Category::Open, Category::Active, Category::Done];
    let category = known.into_iter().find(|known| category_name(*known) == form.category);
    let category = category.ok_or_else(|| corrupt("a state's category", &form.category))?;
    Ok(State { name: form.name, category, attributes: attributes(form.attributes)? })
}

fn transition(form: TransitionForm) -> Result<Transition> {
    let TransitionForm { name, from, to, requires, attributes: held } = form;
    Ok(Transition { name, from, to, requires, attributes: attributes(held)? })
}

fn category_name(category: Category) -> &'static str {
    match category {
        Category::Open => "open",
        Category::Active => "active",
        Category::Done => "done",
    }
}

fn field_form(field: &FieldDefinition) -> FieldForm {
    FieldForm {
        name: field.name.clone(),
        field_type: field.field_type.name().to_owned(),
        required: field.required,
        options: field.options.clone(),
    }
}

fn field(form: FieldForm) -> Result<FieldDefinition> {
    let known = FieldType::ALL.into_iter().find(|(_, name)| *name == form.field_type);
    let (field_type, _) = known.ok_or_else(|| corrupt("a field's type", &form.field_type))?;
    Ok(FieldDefinition { name: form.name, field_type, required: form.required, options: form.options })
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
        let text = serde_json::to_string(&scheme_form(&full)).unwrap();
        assert_eq!(scheme(serde_json::from_str(&text).unwrap()).unwrap(), full);
    }

    #[test]
    fn a_machine_that_was_kept_before_there_were_attributes_is_read() {
        let kept = r#"{"initial": "A", "states": [{"name": "A", "category": "open"}],
            "transitions": [{"name": "go", "from": [], "to": "A", "requires": []}], "on_assign": null}"#;
        let read = machine(serde_json::from_str(kept).unwrap()).unwrap();
        assert!(read.states[0].attributes.is_empty() && read.transitions[0].attributes.is_empty());
    }
}
