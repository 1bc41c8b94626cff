//! What dry runs came to.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use tessera_core::plugin::{Manifest, PluginCommand, PriceAdjustments, Refusal, Reply};
use tessera_proto::common::v1 as common;
use tessera_proto::plugin::v1 as pb;
use tessera_proto::project::v1::Machine;

use crate::convert::call::refusal;
use crate::convert::scheme::machine as described;
use crate::convert::value::encode_named;
use crate::plugin_json::basket::AdjustmentBody;
use crate::plugin_json::effect::EffectBody;
use crate::plugin_json::of_text;

/// A plugin's answer; its form depends on the function that was called.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ReplyBody {
    /// Of `validate`, or a refusal of the others.
    Refusals {
        /// Why not; empty: it may.
        refusals: Vec<pb::Refusal>,
    },
    /// Of `describe-machine`.
    Machine {
        /// The machine; null: the plugin only reacts.
        machine: Option<Machine>,
    },
    /// Of `describe-commands`.
    Commands {
        /// The commands.
        commands: Vec<CommandBody>,
    },
    /// Of `guard`.
    Guard {
        /// For each move, why not; empty: it may be made.
        answers: Vec<Vec<pb::Refusal>>,
    },
    /// Of `on-change`, `on-timer` and `on-command`.
    Effects {
        /// What to do.
        effects: Vec<EffectBody>,
    },
    /// Of `quote`.
    Quote {
        /// The adjustments.
        adjustments: Vec<AdjustmentBody>,
        /// Codes that the plugin knows and refuses.
        refused_codes: Vec<RefusedCodeBody>,
        /// What else it says.
        attributes: BTreeMap<String, common::Value>,
    },
    /// Of `describe`.
    Manifest {
        /// What the plugin says of itself.
        manifest: ManifestBody,
    },
}

/// A command that a plugin adds to issues.
#[derive(Debug, Serialize)]
pub struct CommandBody {
    /// Its name.
    pub name: String,
    /// What the button says.
    pub title: String,
    /// The states in which it is offered; empty: all.
    pub states: Vec<String>,
    /// A JSON Schema of its input; null: it takes none.
    pub input_schema: Json,
}

/// A discount code that a plugin knows and refuses.
#[derive(Debug, Serialize)]
pub struct RefusedCodeBody {
    /// The code.
    pub code: String,
    /// Why.
    pub reason: String,
}

/// The manifest of a plugin.
#[derive(Debug, Serialize)]
pub struct ManifestBody {
    /// Unique within the tenant.
    pub name: String,
    /// A semantic version.
    pub version: String,
    /// In a line.
    pub summary: String,
    /// A JSON Schema that an installation's settings must pass; null: it takes none.
    pub settings_schema: Json,
    /// The kinds of entity that its hooks want to see; empty: all.
    pub kinds: Vec<String>,
    /// What its effects may do.
    pub needs: Vec<String>,
    /// What else it says.
    pub attributes: BTreeMap<String, common::Value>,
}

fn refusals(refusals: Vec<Refusal>) -> Vec<pb::Refusal> {
    refusals.into_iter().map(refusal).collect()
}

impl From<Reply> for ReplyBody {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Manifest(manifest) => Self::Manifest { manifest: manifest.into() },
            Reply::Verdict(why) | Reply::Effects(Err(why)) | Reply::Quote(Err(why)) => {
                Self::Refusals { refusals: refusals(why) }
            }
            Reply::Machine(machine) => Self::Machine { machine: machine.as_ref().map(described) },
            Reply::Commands(commands) => {
                Self::Commands { commands: commands.into_iter().map(Into::into).collect() }
            }
            Reply::Guard(answers) => Self::Guard { answers: answers.into_iter().map(refusals).collect() },
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
        Self { name, title, states, input_schema: of_text(&input_schema) }
    }
}

impl From<Manifest> for ManifestBody {
    fn from(manifest: Manifest) -> Self {
        Self {
            settings_schema: of_text(&manifest.settings_schema),
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
    fn the_form_of_an_answer_depends_on_what_was_called() {
        let refusal = Refusal { field: None, code: "NO".into(), message: "no".into() };
        let why = json!([{"field": null, "code": "NO", "message": "no"}]);
        for (reply, written) in [
            (Reply::Verdict(Vec::new()), json!({"refusals": []})),
            (Reply::Effects(Err(vec![refusal.clone()])), json!({"refusals": why})),
            (Reply::Guard(vec![Vec::new(), vec![refusal]]), json!({"answers": [[], why]})),
            (Reply::Machine(None), json!({"machine": null})),
            (Reply::Commands(Vec::new()), json!({"commands": []})),
            (Reply::Effects(Ok(Vec::new())), json!({"effects": []})),
        ] {
            assert_eq!(serde_json::to_value(ReplyBody::from(reply)).unwrap(), written);
        }
    }
}
