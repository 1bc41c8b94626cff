//! Effects: changes that a workflow requests.

use crate::time::Timestamp;
use crate::value::Field;

/// What a plugin wants done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Effect {
    /// None: the issue that the call is about. Otherwise an issue's id, or a draft's key.
    pub on: Option<String>,
    /// What.
    pub action: Action,
}

/// What a plugin can want done to an issue.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// A field gets a value; `Value::None` takes it away.
    SetField(Field),
    /// A move of the machine is made.
    Transition(String),
    /// A comment is written.
    Comment(String),
    /// A label is put on.
    AddLabel(String),
    /// A label is taken off.
    RemoveLabel(String),
    /// It is given to a user, or to nobody.
    Assign(Option<String>),
    /// It is linked: the relation, and the other issue's id or draft's key.
    Link(String, String),
    /// Another issue is made.
    Create(Draft),
    /// Somebody is told something.
    Notify(Notice),
    /// A timer is set; one of the same name is replaced.
    SetTimer(String, Timestamp),
    /// A timer is taken away.
    CancelTimer(String),
    /// A fact of the plugin's own is published: a name and JSON.
    Emit(String, String),
    /// What a later contract adds, by name.
    Other(Field),
}

/// An issue that a plugin wants made.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Draft {
    /// By this the call's other effects speak of it.
    pub key: String,
    /// None: the subject's project.
    pub project: Option<String>,
    /// `issue`, or another kind that shares its life.
    pub kind: String,
    /// What it says.
    pub fields: Vec<Field>,
}

/// What somebody is told.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Notice {
    /// Users' ids, or `role:<name>`.
    pub to: Vec<String>,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub body: String,
}
