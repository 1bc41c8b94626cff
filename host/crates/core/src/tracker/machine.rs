//! The state machine of issues as data: states, transitions, and the fields that a transition requires.

use crate::value::Field;

/// The progress of work in a state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Category {
    /// Work has not begun.
    Open,
    /// Work is in progress.
    Active,
    /// Work is done; only here an issue has a resolution.
    Done,
}

/// A state.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct State {
    /// Its name.
    pub name: String,
    /// The progress of work.
    pub category: Category,
    /// Further attributes for user interfaces.
    pub attributes: Vec<Field>,
}

/// A transition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Transition {
    /// Its name.
    pub name: String,
    /// The states that it starts from; empty: any.
    pub from: Vec<String>,
    /// The state that it leads to.
    pub to: String,
    /// The fields that must have a value.
    pub requires: Vec<String>,
    /// Further attributes for user interfaces.
    pub attributes: Vec<Field>,
}

/// The state change of an unassigned issue that is assigned.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AssignMove {
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
}

/// A state machine.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Machine {
    /// The state of a new issue.
    pub initial: String,
    /// All states.
    pub states: Vec<State>,
    /// All transitions.
    pub transitions: Vec<Transition>,
    /// The state change on assignment, which may be part of the creation.
    pub on_assign: Option<AssignMove>,
}

impl Machine {
    /// Returns the built-in state machine.
    #[must_use]
    pub fn built_in() -> Self {
        let state = |name: &str, category| State { name: name.to_owned(), category, attributes: Vec::new() };
        let transition = |name: &str, from: &[&str], to: &str, requires: &[&str]| Transition {
            name: name.to_owned(),
            from: from.iter().map(|&s| s.to_owned()).collect(),
            to: to.to_owned(),
            requires: requires.iter().map(|&s| s.to_owned()).collect(),
            attributes: Vec::new(),
        };
        Self {
            initial: "NEW".to_owned(),
            states: vec![
                state("NEW", Category::Open),
                state("ASSIGNED", Category::Open),
                state("IN_PROGRESS", Category::Active),
                state("RESOLVED", Category::Done),
                state("CLOSED", Category::Done),
                state("REOPENED", Category::Open),
            ],
            transitions: vec![
                transition("assign", &["NEW", "REOPENED"], "ASSIGNED", &[]),
                transition("start", &["ASSIGNED", "REOPENED"], "IN_PROGRESS", &[]),
                transition("resolve", &["ASSIGNED", "IN_PROGRESS"], "RESOLVED", &["resolution"]),
                transition("close", &["IN_PROGRESS", "RESOLVED"], "CLOSED", &["resolution"]),
                transition("reopen", &["RESOLVED", "CLOSED"], "REOPENED", &[]),
            ],
            on_assign: Some(AssignMove { from: "NEW".to_owned(), to: "ASSIGNED".to_owned() }),
        }
    }

    /// Returns the state of that name.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|state| state.name == name)
    }

    /// Returns the transitions that start from a state.
    pub fn leaving<'a>(&'a self, state: &str) -> impl Iterator<Item = &'a Transition> {
        self.transitions.iter().filter(move |transition| {
            let starts_here = transition.from.is_empty() || transition.from.iter().any(|from| from == state);
            starts_here && transition.to != state
        })
    }

    /// Returns the state that the assignment of an unassigned issue in `state` leads to, if it changes the state.
    #[must_use]
    pub fn assigned(&self, state: &str) -> Option<&str> {
        self.on_assign
            .as_ref()
            .filter(|on_assign| on_assign.from == state)
            .map(|on_assign| on_assign.to.as_str())
    }

    /// Whether an issue in a state must have a resolution.
    #[must_use]
    pub fn needs_resolution(&self, state: &str) -> bool {
        self.is_done(state)
            && self.transitions.iter().any(|transition| {
                transition.to == state && transition.requires.iter().any(|field| field == "resolution")
            })
    }

    /// Whether work in a state is done.
    #[must_use]
    pub fn is_done(&self, state: &str) -> bool {
        self.state(state).is_some_and(|state| state.category == Category::Done)
    }
}
