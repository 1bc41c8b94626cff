//! Workflows: they own the life of issues, or follow it.

use crate::{Change, Context, Entity, Field, Timestamp, Value, Verdict, Violation};

pub use crate::bindings::workflow::exports::tessera::plugin::workflow::{
    Action, Category, Command, CustomEvent, Draft, Effect, Machine, Notice, Relation, State, Timer,
    Transition,
};

/// What a plugin wants done, or why it refuses.
pub type Effects = Result<Vec<Effect>, Vec<Violation>>;

/// Owns or follows the life of issues. Every function may be left out.
pub trait Workflow {
    /// The machine for a kind of issue; none: the plugin only reacts.
    #[must_use]
    fn machine(_kind: &str) -> Option<Machine> {
        None
    }

    /// The plugin's own commands for a kind of issue.
    #[must_use]
    fn commands(_kind: &str) -> Vec<Command> {
        Vec::new()
    }

    /// May this actor make this move now?
    fn guard(_context: &Context, _issue: &Entity, _transition: &str) -> Verdict {
        Ok(())
    }

    /// What follows from a change? `before` is none for a new issue.
    fn on_change(
        _context: &Context,
        _issue: &Entity,
        _before: Option<&Entity>,
        _changes: &[Change],
    ) -> Effects {
        Ok(Vec::new())
    }

    /// What follows, now that a timer is due?
    fn on_timer(_context: &Context, _issue: &Entity, _timer: &str) -> Effects {
        Ok(Vec::new())
    }

    /// What does one of the plugin's commands do?
    fn on_command(_context: &Context, _issue: &Entity, command: &str, _input: &[Field]) -> Effects {
        Err(vec![Violation::new("UNKNOWN_COMMAND", format!("{command} is no command of this plugin"))])
    }
}

impl Machine {
    /// A machine whose issues begin in this state.
    #[must_use]
    pub fn new(initial: &str) -> Self {
        Self { initial: initial.to_owned(), states: Vec::new(), transitions: Vec::new() }
    }

    /// With a state.
    #[must_use]
    pub fn state(mut self, name: &str, category: Category) -> Self {
        self.states.push(State { name: name.to_owned(), category, attributes: Vec::new() });
        self
    }

    /// With something else to know of the state that was added last, for whoever shows it.
    #[must_use]
    pub fn state_attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Some(state) = self.states.last_mut() {
            state.attributes.push(Field { name: name.to_owned(), value: value.into() });
        }
        self
    }

    /// With something else to know of the move that was added last, for whoever shows it.
    #[must_use]
    pub fn transition_attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Some(made) = self.transitions.last_mut() {
            made.attributes.push(Field { name: name.to_owned(), value: value.into() });
        }
        self
    }

    /// With a move from some states (none: from any) to one, for which fields must hold a value.
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
    /// A command that is offered in all states and takes no input.
    #[must_use]
    pub fn new(name: &str, title: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            states: Vec::new(),
            input_schema: String::new(),
        }
    }

    /// Offered in these states only.
    #[must_use]
    pub fn in_states(mut self, states: &[&str]) -> Self {
        self.states = states.iter().map(|&state| state.to_owned()).collect();
        self
    }

    /// With input that passes a JSON Schema.
    #[must_use]
    pub fn with_input(mut self, schema: &str) -> Self {
        schema.clone_into(&mut self.input_schema);
        self
    }
}

impl Effect {
    /// An action on the issue that the call is about.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self { on: None, action }
    }

    /// The same on another issue, or on a draft of this call.
    #[must_use]
    pub fn on(mut self, id: &str) -> Self {
        self.on = Some(id.to_owned());
        self
    }

    /// Gives a field a value.
    #[must_use]
    pub fn set(name: &str, value: impl Into<Value>) -> Self {
        Self::new(Action::SetField(Field::new(name, value)))
    }

    /// Takes a field's value away.
    #[must_use]
    pub fn clear(name: &str) -> Self {
        Self::new(Action::SetField(Field { name: name.to_owned(), value: Value::None }))
    }

    /// Makes a move of the machine.
    #[must_use]
    pub fn transition(name: &str) -> Self {
        Self::new(Action::Transition(name.to_owned()))
    }

    /// Writes a comment.
    #[must_use]
    pub fn comment(body: impl Into<String>) -> Self {
        Self::new(Action::Comment(body.into()))
    }

    /// Puts a label on.
    #[must_use]
    pub fn add_label(label: &str) -> Self {
        Self::new(Action::AddLabel(label.to_owned()))
    }

    /// Takes a label off.
    #[must_use]
    pub fn remove_label(label: &str) -> Self {
        Self::new(Action::RemoveLabel(label.to_owned()))
    }

    /// Gives the issue to a user.
    #[must_use]
    pub fn assign(user: &str) -> Self {
        Self::new(Action::Assign(Some(user.to_owned())))
    }

    /// Gives the issue to nobody.
    #[must_use]
    pub fn unassign() -> Self {
        Self::new(Action::Assign(None))
    }

    /// Links the issue with another: `blocks`, `duplicates`, `relates`, `parent`.
    #[must_use]
    pub fn link(relation: &str, to: &str) -> Self {
        Self::new(Action::Link(Relation { name: relation.to_owned(), to: to.to_owned() }))
    }

    /// Makes another issue in the same project; other effects speak of it by the key.
    #[must_use]
    pub fn create(key: &str, fields: Vec<Field>) -> Self {
        Self::new(Action::Create(Draft {
            key: key.to_owned(),
            project: None,
            kind: "issue".to_owned(),
            fields,
        }))
    }

    /// Tells users (their ids) or roles (`role:admin`) something.
    #[must_use]
    pub fn notify(to: &[&str], subject: impl Into<String>, body: impl Into<String>) -> Self {
        Self::new(Action::Notify(Notice {
            to: to.iter().map(|&to| to.to_owned()).collect(),
            subject: subject.into(),
            body: body.into(),
        }))
    }

    /// Sets a timer; one of the same name is replaced.
    #[must_use]
    pub fn set_timer(name: &str, at: Timestamp) -> Self {
        Self::new(Action::SetTimer(Timer { name: name.to_owned(), at }))
    }

    /// Takes a timer away.
    #[must_use]
    pub fn cancel_timer(name: &str) -> Self {
        Self::new(Action::CancelTimer(name.to_owned()))
    }

    /// Publishes a fact of the plugin's own, with JSON.
    #[must_use]
    pub fn emit(name: &str, json: impl Into<String>) -> Self {
        Self::new(Action::Emit(CustomEvent { name: name.to_owned(), data: json.into() }))
    }
}

/// What becomes of a field, if it changes.
#[must_use]
pub fn change<'a>(changes: &'a [Change], field: &str) -> Option<&'a Change> {
    changes.iter().find(|change| change.field == field)
}
