//! Effects: changes that a workflow requests.

use crate::time::Timestamp;
use crate::value::Field;

/// A change that a plugin requests.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Effect {
    /// An issue's id or a draft's key; `None`: the issue that the call is about.
    pub on: Option<String>,
    /// The action.
    pub action: Action,
}

/// An action on an issue.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Sets a field; `Value::None` removes it.
    SetField(Field),
    /// Makes a transition of the state machine.
    Transition(String),
    /// Adds a comment.
    Comment(String),
    /// Adds a label.
    AddLabel(String),
    /// Removes a label.
    RemoveLabel(String),
    /// Assigns it to a user; `None` removes the assignee.
    Assign(Option<String>),
    /// Links it: the relation, and the other issue's id or draft's key.
    Link(String, String),
    /// Creates another issue.
    Create(Draft),
    /// Sends a notice.
    Notify(Notice),
    /// Sets a timer; one of the same name is replaced.
    SetTimer(String, Timestamp),
    /// Removes a timer.
    CancelTimer(String),
    /// Publishes a fact of the plugin's own: a name and JSON.
    Emit(String, String),
    /// An action of a later contract, by name.
    Other(Field),
}

/// An issue to create.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Draft {
    /// The key by which the call's other effects name it.
    pub key: String,
    /// The project; `None`: the subject's.
    pub project: Option<String>,
    /// The kind: `issue`.
    pub kind: String,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// A notice to users.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Notice {
    /// Users' ids, or `role:<name>`.
    pub to: Vec<String>,
    /// The subject line.
    pub subject: String,
    /// The text.
    pub body: String,
}
