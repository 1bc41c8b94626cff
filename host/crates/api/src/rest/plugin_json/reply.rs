//! What dry runs came to.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use tessera_core::plugin::{DryRunResult, Manifest, PluginCommand, PriceAdjustments, Reply};
use utoipa::ToSchema;

use crate::rest::dto::scheme::MachineBody;
use crate::rest::plugin_json::basket::AdjustmentBody;
use crate::rest::plugin_json::call::{CallRecordBody, RefusalBody};
use crate::rest::plugin_json::effect::EffectBody;
use crate::rest::plugin_json::{encode_fields, of_text, refusals};

/// What a dry run came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct TriedBody {
    /// The answer; null: the call failed, and the record says why.
    pub reply: Option<ReplyBody>,
    /// What the call used, logged and looked up.
    pub record: CallRecordBody,
}

/// A plugin's answer; its form depends on the function that was called.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ReplyBody {
    /// Of `validate`, or a refusal of the others.
    Refusals {
        /// Why not; empty: it may.
        refusals: Vec<RefusalBody>,
    },
    /// Of `describe-machine`.
    Machine {
        /// The machine; null: the plugin only reacts.
        machine: Option<MachineBody>,
    },
    /// Of `describe-commands`.
    Commands {
        /// The commands.
        commands: Vec<CommandBody>,
    },
    /// Of `guard`.
    Guard {
        /// For each move, why not; empty: it may be made.
        answers: Vec<Vec<RefusalBody>>,
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
        attributes: BTreeMap<String, Json>,
    },
    /// Of `describe`.
    Manifest {
        /// What the plugin says of itself.
        manifest: ManifestBody,
    },
}

/// A command that a plugin adds to issues.
#[derive(Debug, Serialize, ToSchema)]
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
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedCodeBody {
    /// The code.
    pub code: String,
    /// Why.
    pub reason: String,
}

/// What a plugin says of itself.
#[derive(Debug, Serialize, ToSchema)]
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
    pub attributes: BTreeMap<String, Json>,
}

impl From<DryRunResult> for TriedBody {
    fn from(tried: DryRunResult) -> Self {
        Self { reply: tried.reply.map(Into::into), record: tried.record.into() }
    }
}

impl From<Reply> for ReplyBody {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Manifest(manifest) => Self::Manifest { manifest: manifest.into() },
            Reply::Verdict(why) | Reply::Effects(Err(why)) | Reply::Quote(Err(why)) => {
                Self::Refusals { refusals: refusals(&why) }
            }
            Reply::Machine(machine) => Self::Machine { machine: machine.as_ref().map(Into::into) },
            Reply::Commands(commands) => {
                Self::Commands { commands: commands.into_iter().map(Into::into).collect() }
            }
            Reply::Guard(answers) => {
                Self::Guard { answers: answers.iter().map(|why| refusals(why)).collect() }
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
                attributes: encode_fields(&attributes),
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
            attributes: encode_fields(&manifest.attributes),
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
    use serde_json::json;
    use tessera_core::plugin::Refusal;

    use super::*;

    #[test]
    fn the_form_of_an_answer_depends_on_what_was_called() {
        let refusal = Refusal { field: None, code: "NO".into(), message: "no".into() };
        let why = json!([{"code": "NO", "message": "no"}]);
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
