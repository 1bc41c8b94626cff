//! Schemes.

use tessera_core::text::Faults;
use tessera_core::tracker::{AssignMove, FieldDefinition, Machine, Project, Scheme, State, Transition};
use tessera_core::{Error, Result};
use tessera_proto::project::v1 as pb;

use crate::convert::names::{WireEnum as _, read_category, read_field_type};
use crate::convert::value;
use crate::state::etag;

/// Encodes the scheme of a project.
#[must_use]
pub(crate) fn scheme(project: &Project) -> pb::Scheme {
    let scheme = project.scheme();
    let fields = scheme.fields.iter().map(|field| pb::FieldDefinition {
        name: field.name.clone(),
        r#type: field.field_type.number(),
        required: field.required,
        options: field.options.clone(),
    });
    pb::Scheme {
        types: scheme.types.clone(),
        priorities: scheme.priorities.clone(),
        resolutions: scheme.resolutions.clone(),
        default_type: scheme.default_type.clone(),
        default_priority: scheme.default_priority.clone(),
        machine: Some(machine(&scheme.machine)),
        fields: fields.collect(),
        built_in: project.scheme.is_none(),
        etag: etag(project.version),
    }
}

/// Encodes a state machine.
#[must_use]
pub(crate) fn machine(machine: &Machine) -> pb::Machine {
    let state = |state: &State| pb::State {
        name: state.name.clone(),
        category: state.category.number(),
        attributes: value::encode_named(&state.attributes),
    };
    let transition = |move_: &Transition| pb::Transition {
        name: move_.name.clone(),
        from: move_.from.clone(),
        to: move_.to.clone(),
        requires: move_.requires.clone(),
        attributes: value::encode_named(&move_.attributes),
    };
    let assign = |on: &AssignMove| pb::AssignMove { from: on.from.clone(), to: on.to.clone() };
    pb::Machine {
        initial: machine.initial.clone(),
        states: machine.states.iter().map(state).collect(),
        transitions: machine.transitions.iter().map(transition).collect(),
        on_assign: machine.on_assign.as_ref().map(assign),
    }
}

/// Reads a scheme and reports all malformed fields.
pub(crate) fn read(scheme: Option<pb::Scheme>) -> Result<Scheme> {
    let scheme = scheme.ok_or_else(|| Error::invalid("scheme", "must be given"))?;
    let mut faults = Faults::default();
    let machine = read_machine(scheme.machine, &mut faults);
    let fields = scheme.fields.into_iter().enumerate();
    let fields = fields.filter_map(|(index, field)| read_field(index, field, &mut faults)).collect();
    faults.into_result()?;
    Ok(Scheme {
        types: scheme.types,
        priorities: scheme.priorities,
        resolutions: scheme.resolutions,
        default_type: scheme.default_type,
        default_priority: scheme.default_priority,
        machine,
        fields,
    })
}

fn read_machine(machine: Option<pb::Machine>, faults: &mut Faults) -> Machine {
    if machine.is_none() {
        faults.add("machine", "must be given");
    }
    let machine = machine.unwrap_or_default();
    let states = machine.states.into_iter().enumerate().filter_map(|(index, state)| {
        let category = read_category(&format!("machine.states[{index}].category"), state.category);
        let attributes =
            value::decode_named(&format!("machine.states[{index}].attributes"), state.attributes);
        let (category, attributes) = (faults.take(category), faults.take(attributes));
        Some(State { name: state.name, category: category?, attributes: attributes? })
    });
    let states = states.collect();
    let transitions = machine.transitions.into_iter().enumerate().filter_map(|(index, move_)| {
        let pb::Transition { name, from, to, requires, attributes } = move_;
        let at = format!("machine.transitions[{index}].attributes");
        let attributes = faults.take(value::decode_named(&at, attributes))?;
        Some(Transition { name, from, to, requires, attributes })
    });
    let transitions = transitions.collect();
    Machine {
        initial: machine.initial,
        states,
        transitions,
        on_assign: machine.on_assign.map(|on| AssignMove { from: on.from, to: on.to }),
    }
}

fn read_field(index: usize, field: pb::FieldDefinition, faults: &mut Faults) -> Option<FieldDefinition> {
    let field_type = read_field_type(&format!("fields[{index}].type"), field.r#type);
    let field_type = faults.take(field_type)?;
    let pb::FieldDefinition { name, required, options, .. } = field;
    Some(FieldDefinition { name, field_type, required, options })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use tessera_core::id::ProjectId;
    use tessera_core::tracker::FieldType;
    use tessera_core::{Field, Timestamp};

    fn project(scheme: Scheme) -> Project {
        Project {
            id: ProjectId::generate(),
            name: "p".into(),
            description: String::new(),
            scheme: Some(Arc::new(scheme)),
            machines: 0,
            issue_count: 0,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            version: 3,
        }
    }

    #[test]
    fn scheme_round_trips() {
        let mut model = Scheme::built_in();
        model.fields.push(FieldDefinition {
            name: "severity".into(),
            field_type: FieldType::Texts,
            required: true,
            options: vec!["low".into()],
        });
        model.machine.states[0].attributes.push(Field::new("colour", "red"));
        model.machine.transitions[1].attributes.push(Field::new("button", "Begin"));
        let message = scheme(&project(model.clone()));
        assert_eq!((message.built_in, message.etag.as_str()), (false, "3"));
        assert_eq!(read(Some(message)).unwrap(), model);
    }

    #[test]
    fn all_malformed_fields_are_reported() {
        let mut message = scheme(&project(Scheme::built_in()));
        message.fields.push(pb::FieldDefinition { name: "x".into(), ..Default::default() });
        message.machine.as_mut().unwrap().states[1].category = 9;
        let error = read(Some(message)).unwrap_err();
        let fields: Vec<_> = error.faults().iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["machine.states[1].category", "fields[0].type"]);
        assert!(read(None).is_err());
    }
}
