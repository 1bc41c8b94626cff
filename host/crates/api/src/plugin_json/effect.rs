//! Encodes the effects that plugins request.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use tessera_core::plugin::{Action, Draft, Effect, Notice};
use tessera_proto::common::v1 as pb;

use crate::convert::value::{encode, encode_named};
use crate::plugin_json::parse_json;

/// An effect that a plugin requests.
#[derive(Debug, Serialize)]
pub struct EffectBody {
    /// The id of an issue or the key of a draft; absent: the issue of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// The action.
    #[serde(flatten)]
    pub action: ActionBody,
}

/// The action of an effect; `action` is its tag.
#[derive(Debug, Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum ActionBody {
    /// Sets a field; null removes it.
    SetField {
        /// The field.
        name: String,
        /// The new value.
        value: pb::Value,
    },
    /// Makes a transition of the state machine.
    Transition {
        /// The name of the transition.
        name: String,
    },
    /// Adds a comment.
    Comment {
        /// The text of the comment.
        body: String,
    },
    /// Adds a label.
    AddLabel {
        /// The label.
        label: String,
    },
    /// Removes a label.
    RemoveLabel {
        /// The label.
        label: String,
    },
    /// Assigns the issue.
    Assign {
        /// The user; null: unassigned.
        user: Option<String>,
    },
    /// Links the issue to another issue.
    Link {
        /// The relation to the other issue.
        name: String,
        /// The other issue's id, or a draft's key.
        to: String,
    },
    /// Creates an issue.
    Create {
        /// The key by which other effects of the call refer to the new issue.
        key: String,
        /// The project; null: the project of the call's issue.
        project: Option<String>,
        /// `issue`, or another kind with the life cycle of issues.
        kind: String,
        /// The fields of the new issue.
        fields: BTreeMap<String, pb::Value>,
    },
    /// Sends a notification.
    Notify {
        /// The recipients: ids of users, or `role:<name>`.
        to: Vec<String>,
        /// The subject line.
        subject: String,
        /// The text of the notification.
        body: String,
    },
    /// Sets a timer.
    SetTimer {
        /// The name of the timer.
        name: String,
        /// When the timer is due.
        at: String,
    },
    /// Cancels a timer.
    CancelTimer {
        /// The name of the timer.
        name: String,
    },
    /// Publishes a fact of the plugin.
    Emit {
        /// The name of the fact.
        name: String,
        /// The data of the fact.
        data: Json,
    },
    /// An action of a later contract version.
    Other {
        /// The name of the action.
        name: String,
        /// The value.
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
            Action::Emit(name, data) => Self::Emit { name, data: parse_json(&data) },
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
    fn effect_is_encoded_with_action_and_target() {
        let encode = |on: Option<&str>, action: Action| {
            let effect = Effect { on: on.map(str::to_owned), action };
            serde_json::to_value(EffectBody::from(effect)).unwrap()
        };
        let field = Field { name: "priority".into(), value: Value::Text("CRITICAL".into()) };
        let set = json!({"action": "set-field", "name": "priority", "value": "CRITICAL"});
        assert_eq!(encode(None, Action::SetField(field)), set);
        let comment = json!({"on": "new", "action": "comment", "body": "late"});
        assert_eq!(encode(Some("new"), Action::Comment("late".into())), comment);
        let emit = json!({"action": "emit", "name": "late", "data": {"by": 1}});
        assert_eq!(encode(None, Action::Emit("late".into(), "{\"by\":1}".into())), emit);
    }
}
