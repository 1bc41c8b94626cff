//! Encodes the replies of plugins to dry runs.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use tessera_core::plugin::{Manifest, PluginCommand, PriceAdjustments, Refusal, Reply};
use tessera_proto::common::v1 as common;
use tessera_proto::plugin::v1 as pb;
use tessera_proto::project::v1::Machine;

use crate::convert::call::refusal;
use crate::convert::scheme::machine as encode_machine;
use crate::convert::value::encode_named;
use crate::plugin_json::basket::AdjustmentBody;
use crate::plugin_json::effect::EffectBody;
use crate::plugin_json::parse_json;

/// The reply of a plugin; its form depends on the called function.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ReplyBody {
    /// Of `validate`, or a refusal by another function.
    Refusals {
        /// The refusals; empty: accepted.
        refusals: Vec<pb::Refusal>,
    },
    /// Of `describe-machine`.
    Machine {
        /// The state machine; null: the plugin has none and only reacts to changes.
        machine: Option<Machine>,
    },
    /// Of `describe-commands`.
    Commands {
        /// The commands.
        commands: Vec<CommandBody>,
    },
    /// Of `guard`.
    Guard {
        /// The refusals of each transition; empty: permitted.
        answers: Vec<Vec<pb::Refusal>>,
    },
    /// Of `on-change`, `on-timer` and `on-command`.
    Effects {
        /// The requested effects.
        effects: Vec<EffectBody>,
    },
    /// Of `quote`.
    Quote {
        /// The adjustments.
        adjustments: Vec<AdjustmentBody>,
        /// Discount codes that the plugin recognizes and refuses.
        refused_codes: Vec<RefusedCodeBody>,
        /// Other attributes.
        attributes: BTreeMap<String, common::Value>,
    },
    /// Of `describe`.
    Manifest {
        /// The manifest.
        manifest: ManifestBody,
    },
}

/// A command that a plugin adds to issues.
#[derive(Debug, Serialize)]
pub struct CommandBody {
    /// Its name.
    pub name: String,
    /// The text of the button.
    pub title: String,
    /// The states in which it is offered; empty: all.
    pub states: Vec<String>,
    /// A JSON Schema of the input; null: no input.
    pub input_schema: Json,
}

/// A discount code that a plugin recognizes and refuses.
#[derive(Debug, Serialize)]
pub struct RefusedCodeBody {
    /// The code.
    pub code: String,
    /// The reason, as text for people.
    pub reason: String,
}

/// The manifest of a plugin.
#[derive(Debug, Serialize)]
pub struct ManifestBody {
    /// Unique within the tenant.
    pub name: String,
    /// A semantic version.
    pub version: String,
    /// A summary in one line.
    pub summary: String,
    /// A JSON Schema of the settings of installations; null: no settings.
    pub settings_schema: Json,
    /// The kinds of object for which its hooks are called; empty: all.
    pub kinds: Vec<String>,
    /// The rights that its effects need.
    pub needs: Vec<String>,
    /// Other attributes.
    pub attributes: BTreeMap<String, common::Value>,
}

fn encode_refusals(refusals: Vec<Refusal>) -> Vec<pb::Refusal> {
    refusals.into_iter().map(refusal).collect()
}

impl From<Reply> for ReplyBody {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Manifest(manifest) => Self::Manifest { manifest: manifest.into() },
            Reply::Verdict(reasons) | Reply::Effects(Err(reasons)) | Reply::Quote(Err(reasons)) => {
                Self::Refusals { refusals: encode_refusals(reasons) }
            }
            Reply::Machine(machine) => Self::Machine { machine: machine.as_ref().map(encode_machine) },
            Reply::Commands(commands) => {
                Self::Commands { commands: commands.into_iter().map(Into::into).collect() }
            }
            Reply::Guard(answers) => {
                Self::Guard { answers: answers.into_iter().map(encode_refusals).collect() }
            }
            Reply::Effects(Ok(effects)) => {
                Self::Effects { effects: effects.into_iter().map(Into::into).collect() }
            }
            Reply::Quote(Ok(PriceAdjustments { adjustments, refused_codes, attributes })) => Self::Quote {
                adjustments: adjustments.into_iter().map(Into::into).collect(),
                refused_codes: refused_codes
                    .into_iter()
                    .map(|(code, reason)| RefusedCodeBody { code, reason })
                    .collect(),
                attributes: encode_named(&attributes),
            },
        }
    }
}

impl From<PluginCommand> for CommandBody {
    fn from(command: PluginCommand) -> Self {
        let PluginCommand { name, title, states, input_schema } = command;
        Self { name, title, states, input_schema: parse_json(&input_schema) }
    }
}

impl From<Manifest> for ManifestBody {
    fn from(manifest: Manifest) -> Self {
        Self {
            settings_schema: parse_json(&manifest.settings_schema),
            attributes: encode_named(&manifest.attributes),
            name: manifest.name,
            version: manifest.version,
            summary: manifest.summary,
            kinds: manifest.kinds,
            needs: manifest.needs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reply_body_depends_on_the_function() {
        let refusal = Refusal { field: None, code: "NO".into(), message: "no".into() };
        let refusals = json!([{"field": null, "code": "NO", "message": "no"}]);
        for (reply, expected) in [
            (Reply::Verdict(Vec::new()), json!({"refusals": []})),
            (Reply::Effects(Err(vec![refusal.clone()])), json!({"refusals": refusals})),
            (Reply::Guard(vec![Vec::new(), vec![refusal]]), json!({"answers": [[], refusals]})),
            (Reply::Machine(None), json!({"machine": null})),
            (Reply::Commands(Vec::new()), json!({"commands": []})),
            (Reply::Effects(Ok(Vec::new())), json!({"effects": []})),
        ] {
            assert_eq!(serde_json::to_value(ReplyBody::from(reply)).unwrap(), expected);
        }
    }
}
