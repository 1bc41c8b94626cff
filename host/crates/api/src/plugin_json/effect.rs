//! What plugins want done.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use tessera_core::plugin::{Action, Draft, Effect, Notice};
use tessera_proto::common::v1 as pb;

use crate::convert::value::{encode, encode_named};
use crate::plugin_json::of_text;

/// An effect that a plugin requests.
#[derive(Debug, Serialize)]
pub struct EffectBody {
    /// Absent: the issue that the call is about. Otherwise an issue's id, or a draft's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// What.
    #[serde(flatten)]
    pub action: ActionBody,
}

/// The action of an effect; `action` is its tag.
#[derive(Debug, Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum ActionBody {
    /// A field gets a value; null takes it away.
    SetField {
        /// The field.
        name: String,
        /// What it holds from now on.
        value: pb::Value,
    },
    /// A move of the machine is made.
    Transition {
        /// The move's name.
        name: String,
    },
    /// A comment is written.
    Comment {
        /// What it says.
        body: String,
    },
    /// A label is put on.
    AddLabel {
        /// The label.
        label: String,
    },
    /// A label is taken off.
    RemoveLabel {
        /// The label.
        label: String,
    },
    /// It is given to a user, or to nobody.
    Assign {
        /// The user; null: nobody.
        user: Option<String>,
    },
    /// It is linked to another issue.
    Link {
        /// What it is to the other.
        name: String,
        /// The other issue's id, or a draft's key.
        to: String,
    },
    /// Another issue is made.
    Create {
        /// By this the call's other effects speak of it.
        key: String,
        /// Its project; null: the subject's.
        project: Option<String>,
        /// `issue`, or another kind that shares its life.
        kind: String,
        /// What it says.
        fields: BTreeMap<String, pb::Value>,
    },
    /// Somebody is told something.
    Notify {
        /// Users' ids, or `role:<name>`.
        to: Vec<String>,
        /// What it is about.
        subject: String,
        /// What it says.
        body: String,
    },
    /// A timer is set.
    SetTimer {
        /// Its name.
        name: String,
        /// When it is due.
        at: String,
    },
    /// A timer is taken away.
    CancelTimer {
        /// Its name.
        name: String,
    },
    /// A fact of the plugin's own is published.
    Emit {
        /// Its name.
        name: String,
        /// What it says.
        data: Json,
    },
    /// What a later contract adds, by name.
    Other {
        /// Its name.
        name: String,
        /// What it holds.
        value: pb::Value,
    },
}

impl From<Effect> for EffectBody {
    fn from(effect: Effect) -> Self {
        Self { on: effect.on, action: effect.action.into() }
    }
}

impl From<Action> for ActionBody {
    fn from(action: Action) -> Self {
        match action {
            Action::SetField(field) => Self::SetField { name: field.name, value: encode(&field.value) },
            Action::Transition(name) => Self::Transition { name },
            Action::Comment(body) => Self::Comment { body },
            Action::AddLabel(label) => Self::AddLabel { label },
            Action::RemoveLabel(label) => Self::RemoveLabel { label },
            Action::Assign(user) => Self::Assign { user },
            Action::Link(name, to) => Self::Link { name, to },
            Action::Create(Draft { key, project, kind, fields }) => {
                Self::Create { key, project, kind, fields: encode_named(&fields) }
            }
            Action::Notify(Notice { to, subject, body }) => Self::Notify { to, subject, body },
            Action::SetTimer(name, at) => Self::SetTimer { name, at: at.to_string() },
            Action::CancelTimer(name) => Self::CancelTimer { name },
            Action::Emit(name, data) => Self::Emit { name, data: of_text(&data) },
            Action::Other(field) => Self::Other { name: field.name, value: encode(&field.value) },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tessera_core::Value;
    use tessera_core::value::Field;

    use super::*;

    #[test]
    fn an_effect_says_what_it_does_and_on_what() {
        let written = |on: Option<&str>, action: Action| {
            let effect = Effect { on: on.map(str::to_owned), action };
            serde_json::to_value(EffectBody::from(effect)).unwrap()
        };
        let field = Field { name: "priority".into(), value: Value::Text("CRITICAL".into()) };
        let set = json!({"action": "set-field", "name": "priority", "value": "CRITICAL"});
        assert_eq!(written(None, Action::SetField(field)), set);
        let comment = json!({"on": "new", "action": "comment", "body": "late"});
        assert_eq!(written(Some("new"), Action::Comment("late".into())), comment);
        let emit = json!({"action": "emit", "name": "late", "data": {"by": 1}});
        assert_eq!(written(None, Action::Emit("late".into(), "{\"by\":1}".into())), emit);
    }
}
