//! Workflow hook: defines the states of issues, and reacts to changes, timers and commands.

use crate::{Change, Context, Entity, Field, Timestamp, Value, Verdict, Violation};

pub use crate::bindings::workflow::exports::tessera::plugin::workflow::{
    Action, Category, Command, CustomEvent, Draft, Effect, Machine, Notice, Relation, State, Timer,
    Transition,
};

/// Effects, or the violations that refuse the change.
pub type Effects = Result<Vec<Effect>, Vec<Violation>>;

/// Defines the states of issues, or reacts to changes. Every function has a default.
pub trait Workflow {
    /// Returns the machine for a kind of issue, or `None` if the plugin only reacts to changes.
    #[must_use]
    fn machine(_kind: &str) -> Option<Machine> {
        None
    }

    /// Returns the plugin's commands for a kind of issue.
    #[must_use]
    fn commands(_kind: &str) -> Vec<Command> {
        Vec::new()
    }

    /// Accepts or refuses a transition for the context's actor.
    fn guard(_context: &Context, _issue: &Entity, _transition: &str) -> Verdict {
        Ok(())
    }

    /// Returns the effects of a change, or refuses it. `before` is `None` for a new issue.
    fn on_change(
        _context: &Context,
        _issue: &Entity,
        _before: Option<&Entity>,
        _changes: &[Change],
    ) -> Effects {
        Ok(Vec::new())
    }

    /// Returns the effects of a timer that is due.
    fn on_timer(_context: &Context, _issue: &Entity, _timer: &str) -> Effects {
        Ok(Vec::new())
    }

    /// Returns the effects of one of the plugin's commands.
    fn on_command(_context: &Context, _issue: &Entity, command: &str, _input: &[Field]) -> Effects {
        Err(vec![Violation::new("UNKNOWN_COMMAND", format!("the plugin has no command {command}"))])
    }
}

impl Machine {
    /// Makes a machine with the state of new issues.
    #[must_use]
    pub fn new(initial: &str) -> Self {
        Self { initial: initial.to_owned(), states: Vec::new(), transitions: Vec::new() }
    }

    /// Adds a state.
    #[must_use]
    pub fn state(mut self, name: &str, category: Category) -> Self {
        self.states.push(State { name: name.to_owned(), category, attributes: Vec::new() });
        self
    }

    /// Adds an attribute to the last added state, such as a colour.
    #[must_use]
    pub fn state_attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Some(state) = self.states.last_mut() {
            state.attributes.push(Field { name: name.to_owned(), value: value.into() });
        }
        self
    }

    /// Adds an attribute to the last added transition, such as the text of a button.
    #[must_use]
    pub fn transition_attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Some(transition) = self.transitions.last_mut() {
            transition.attributes.push(Field { name: name.to_owned(), value: value.into() });
        }
        self
    }

    /// Adds a transition from the source states (empty: any state) to the target. The required fields must have a
    /// value before it.
    #[must_use]
    pub fn transition(mut self, name: &str, source: &[&str], target: &str, requires: &[&str]) -> Self {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        self.transitions.push(Transition {
            name: name.to_owned(),
            source: texts(source),
            target: target.to_owned(),
            requires: texts(requires),
            attributes: Vec::new(),
        });
        self
    }
}

impl Command {
    /// Makes a command without input, available in all states.
    #[must_use]
    pub fn new(name: &str, title: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            states: Vec::new(),
            input_schema: String::new(),
        }
    }

    /// Makes the command available in these states only.
    #[must_use]
    pub fn in_states(mut self, states: &[&str]) -> Self {
        self.states = states.iter().map(|&state| state.to_owned()).collect();
        self
    }

    /// Sets the JSON Schema of the input.
    #[must_use]
    pub fn with_input(mut self, schema: &str) -> Self {
        schema.clone_into(&mut self.input_schema);
        self
    }
}

impl Effect {
    /// Makes an effect on the issue that the call is about.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self { on: None, action }
    }

    /// Applies the effect to another issue, by its id, or to a draft of this call, by its key.
    #[must_use]
    pub fn on(mut self, id: &str) -> Self {
        self.on = Some(id.to_owned());
        self
    }

    /// Sets a field.
    #[must_use]
    pub fn set(name: &str, value: impl Into<Value>) -> Self {
        Self::new(Action::SetField(Field::new(name, value)))
    }

    /// Clears a field.
    #[must_use]
    pub fn clear(name: &str) -> Self {
        Self::new(Action::SetField(Field { name: name.to_owned(), value: Value::None }))
    }

    /// Performs a transition of the machine.
    #[must_use]
    pub fn transition(name: &str) -> Self {
        Self::new(Action::Transition(name.to_owned()))
    }

    /// Adds a comment.
    #[must_use]
    pub fn comment(body: impl Into<String>) -> Self {
        Self::new(Action::Comment(body.into()))
    }

    /// Adds a label.
    #[must_use]
    pub fn add_label(label: &str) -> Self {
        Self::new(Action::AddLabel(label.to_owned()))
    }

    /// Removes a label.
    #[must_use]
    pub fn remove_label(label: &str) -> Self {
        Self::new(Action::RemoveLabel(label.to_owned()))
    }

    /// Assigns the issue to a user.
    #[must_use]
    pub fn assign(user: &str) -> Self {
        Self::new(Action::Assign(Some(user.to_owned())))
    }

    /// Unassigns the issue.
    #[must_use]
    pub fn unassign() -> Self {
        Self::new(Action::Assign(None))
    }

    /// Links the issue to another one: `blocks`, `duplicates`, `relates`, `parent`.
    #[must_use]
    pub fn link(relation: &str, to: &str) -> Self {
        Self::new(Action::Link(Relation { name: relation.to_owned(), to: to.to_owned() }))
    }

    /// Creates an issue in the same project. Other effects of the call refer to it by the key.
    #[must_use]
    pub fn create(key: &str, fields: Vec<Field>) -> Self {
        Self::new(Action::Create(Draft {
            key: key.to_owned(),
            project: None,
            kind: "issue".to_owned(),
            fields,
        }))
    }

    /// Sends a message to users (by id) or roles (`role:admin`).
    #[must_use]
    pub fn notify(to: &[&str], subject: impl Into<String>, body: impl Into<String>) -> Self {
        Self::new(Action::Notify(Notice {
            to: to.iter().map(|&to| to.to_owned()).collect(),
            subject: subject.into(),
            body: body.into(),
        }))
    }

    /// Sets a timer. A timer with the same name is replaced.
    #[must_use]
    pub fn set_timer(name: &str, at: Timestamp) -> Self {
        Self::new(Action::SetTimer(Timer { name: name.to_owned(), at }))
    }

    /// Cancels a timer.
    #[must_use]
    pub fn cancel_timer(name: &str) -> Self {
        Self::new(Action::CancelTimer(name.to_owned()))
    }

    /// Publishes a fact that the plugin defines, with JSON data.
    #[must_use]
    pub fn emit(name: &str, json: impl Into<String>) -> Self {
        Self::new(Action::Emit(CustomEvent { name: name.to_owned(), data: json.into() }))
    }
}

/// Returns the change of a field, or `None` if the field does not change.
#[must_use]
pub fn find_change<'a>(changes: &'a [Change], field: &str) -> Option<&'a Change> {
    changes.iter().find(|change| change.field == field)
}
