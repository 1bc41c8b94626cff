//! The machine of an issue as data: states, moves, and what a move needs.

use crate::value::Field;

/// How far work in a state has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Category {
    /// Not begun.
    Open,
    /// Begun.
    Active,
    /// Over; only here an issue has a resolution.
    Done,
}

/// A state.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct State {
    /// Its name.
    pub name: String,
    /// How far work has come.
    pub category: Category,
    /// What else is known of it, for whoever shows it.
    pub attributes: Vec<Field>,
}

/// A move.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Transition {
    /// Its name.
    pub name: String,
    /// The states that it leaves; empty: any.
    pub from: Vec<String>,
    /// The state that it reaches.
    pub to: String,
    /// Fields that must hold a value.
    pub requires: Vec<String>,
    /// What else is known of it, for whoever shows it.
    pub attributes: Vec<Field>,
}

/// What assigning an unassigned issue does to its state.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AssignMove {
    /// In this state,
    pub from: String,
    /// it moves there.
    pub to: String,
}

/// A machine.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Machine {
    /// The state of a new issue.
    pub initial: String,
    /// All states.
    pub states: Vec<State>,
    /// All moves.
    pub transitions: Vec<Transition>,
    /// What assigning does.
    pub on_assign: Option<AssignMove>,
}

impl Machine {
    /// The machine that every project begins with.
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

    /// The state of that name.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|state| state.name == name)
    }

    /// The moves that leave a state.
    pub fn leaving<'a>(&'a self, state: &str) -> impl Iterator<Item = &'a Transition> {
        self.transitions.iter().filter(move |move_| {
            (move_.from.is_empty() || move_.from.iter().any(|from| from == state)) && move_.to != state
        })
    }

    /// Whether work in a state is over.
    #[must_use]
    pub fn is_done(&self, state: &str) -> bool {
        self.state(state).is_some_and(|state| state.category == Category::Done)
    }
}
