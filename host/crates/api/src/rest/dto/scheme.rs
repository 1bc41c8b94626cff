//! Schemes as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tessera_core::Result;
use tessera_core::text::Faults;
use tessera_core::tracker::{
    AssignMove, Category, FieldDefinition, FieldType, Machine, Project, Scheme, State, Transition,
};
use utoipa::ToSchema;

use crate::request::etag;
use crate::rest::plugin_json::{decode_fields, encode_fields};

/// A scheme: types, priorities, resolutions, the machine and the fields of a project's issues.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SchemeBody {
    /// What sorts of work there are.
    pub types: Vec<String>,
    /// How urgent it can be, most urgent first.
    pub priorities: Vec<String>,
    /// How it can end.
    #[serde(default)]
    pub resolutions: Vec<String>,
    /// The type of an issue that names none.
    pub default_type: String,
    /// The priority of an issue that names none.
    pub default_priority: String,
    /// Its states and moves.
    pub machine: MachineBody,
    /// Its own fields.
    #[serde(default)]
    pub fields: Vec<FieldBody>,
    /// Whether it is the one that every project begins with; ignored when it is written.
    #[serde(default)]
    pub built_in: bool,
    /// Names the project's version, for `If-Match`; ignored when it is written.
    #[serde(default)]
    pub etag: String,
}

/// A machine: states, and the moves between them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineBody {
    /// The state of a new issue.
    pub initial: String,
    /// All states.
    pub states: Vec<StateBody>,
    /// All moves.
    pub transitions: Vec<TransitionBody>,
    /// What assigning an unassigned issue does to its state.
    #[serde(default)]
    pub on_assign: Option<AssignBody>,
}

/// A state.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StateBody {
    /// Its name.
    pub name: String,
    /// `open`, `active` or `done`.
    pub category: String,
    /// What else is known of it, for whoever shows it: a colour, a text for people. At most 20, of 1,024 bytes each.
    #[serde(default)]
    pub attributes: BTreeMap<String, Json>,
}

/// A move.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransitionBody {
    /// Its name.
    pub name: String,
    /// The states that it leaves; empty: any.
    #[serde(default)]
    pub from: Vec<String>,
    /// The state that it reaches.
    pub to: String,
    /// Fields that must hold a value: `description`, `resolution`, `assignee_id`, `parent_id` or
    /// `fields.<name>`.
    #[serde(default)]
    pub requires: Vec<String>,
    /// What else is known of it, for whoever shows it. At most 20, of 1,024 bytes each.
    #[serde(default)]
    pub attributes: BTreeMap<String, Json>,
}

/// What assigning an unassigned issue does.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignBody {
    /// An issue in this state
    pub from: String,
    /// moves there.
    pub to: String,
}

/// A field of a project's own.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldBody {
    /// Its name.
    pub name: String,
    /// `text`, `integer`, `decimal`, `boolean`, `time` or `texts`.
    #[serde(rename = "type")]
    pub field_type: String,
    /// Whether an issue must have it.
    #[serde(default)]
    pub required: bool,
    /// The texts that it may hold; empty: any.
    #[serde(default)]
    pub options: Vec<String>,
}

/// A project's scheme.
#[derive(Debug, Serialize, ToSchema)]
pub struct SchemeAnswer {
    /// The scheme.
    pub scheme: SchemeBody,
}

const CATEGORIES: [(Category, &str); 3] =
    [(Category::Open, "open"), (Category::Active, "active"), (Category::Done, "done")];

fn category_name(category: Category) -> &'static str {
    match category {
        Category::Open => "open",
        Category::Active => "active",
        Category::Done => "done",
    }
}

impl From<&Project> for SchemeBody {
    fn from(project: &Project) -> Self {
        let scheme = project.scheme();
        let fields = scheme.fields.iter().map(|field| FieldBody {
            name: field.name.clone(),
            field_type: field.field_type.name().to_owned(),
            required: field.required,
            options: field.options.clone(),
        });
        Self {
            types: scheme.types.clone(),
            priorities: scheme.priorities.clone(),
            resolutions: scheme.resolutions.clone(),
            default_type: scheme.default_type.clone(),
            default_priority: scheme.default_priority.clone(),
            machine: (&scheme.machine).into(),
            fields: fields.collect(),
            built_in: project.scheme.is_none(),
            etag: etag(project.version),
        }
    }
}

impl From<&Machine> for MachineBody {
    fn from(machine: &Machine) -> Self {
        let state = |state: &State| StateBody {
            name: state.name.clone(),
            category: category_name(state.category).to_owned(),
            attributes: encode_fields(&state.attributes),
        };
        let transition = |move_: &Transition| TransitionBody {
            name: move_.name.clone(),
            from: move_.from.clone(),
            to: move_.to.clone(),
            requires: move_.requires.clone(),
            attributes: encode_fields(&move_.attributes),
        };
        let assign = |on: &AssignMove| AssignBody { from: on.from.clone(), to: on.to.clone() };
        Self {
            initial: machine.initial.clone(),
            states: machine.states.iter().map(state).collect(),
            transitions: machine.transitions.iter().map(transition).collect(),
            on_assign: machine.on_assign.as_ref().map(assign),
        }
    }
}

impl SchemeBody {
    /// The scheme.
    pub fn decode(self) -> Result<Scheme> {
        let mut faults = Faults::default();
        let machine = self.machine.decode(&mut faults);
        let fields =
            self.fields.into_iter().enumerate().filter_map(|(index, field)| field.decode(index, &mut faults));
        let fields = fields.collect();
        faults.into_result()?;
        Ok(Scheme {
            types: self.types,
            priorities: self.priorities,
            resolutions: self.resolutions,
            default_type: self.default_type,
            default_priority: self.default_priority,
            machine,
            fields,
        })
    }
}

impl MachineBody {
    fn decode(self, faults: &mut Faults) -> Machine {
        let states = self.states.into_iter().enumerate().filter_map(|(index, state)| {
            let found = CATEGORIES.into_iter().find(|(_, name)| *name == state.category);
            if found.is_none() {
                let at = format!("machine.states[{index}].category");
                faults.add(&at, "must be open, active or done");
            }
            let at = format!("machine.states[{index}].attributes");
            let attributes = faults.take(decode_fields(&at, state.attributes))?;
            found.map(|(category, _)| State { name: state.name, category, attributes })
        });
        let states = states.collect();
        let transitions = self.transitions.into_iter().enumerate().filter_map(|(index, move_)| {
            let TransitionBody { name, from, to, requires, attributes } = move_;
            let at = format!("machine.transitions[{index}].attributes");
            let attributes = faults.take(decode_fields(&at, attributes))?;
            Some(Transition { name, from, to, requires, attributes })
        });
        Machine {
            initial: self.initial,
            states,
            transitions: transitions.collect(),
            on_assign: self.on_assign.map(|on| AssignMove { from: on.from, to: on.to }),
        }
    }
}

impl FieldBody {
    fn decode(self, index: usize, faults: &mut Faults) -> Option<FieldDefinition> {
        let found = FieldType::ALL.into_iter().find(|(_, name)| *name == self.field_type);
        let Some((field_type, _)) = found else {
            let at = format!("fields[{index}].type");
            faults.add(&at, "must be text, integer, decimal, boolean, time or texts");
            return None;
        };
        Some(FieldDefinition { name: self.name, field_type, required: self.required, options: self.options })
    }
}
