//! Commands that plugins offer for issues, as JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use tessera_core::Result;
use tessera_core::id::InstallationId;
use tessera_core::tracker::{CallCommand, OfferedCommand};
use utoipa::ToSchema;

use crate::rest::plugin_json::{decode_input, of_text};

/// A command that a plugin offers for an issue.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferedCommandBody {
    /// The installation that carries it out.
    pub installation_id: String,
    /// The plugin's name.
    pub plugin: String,
    /// Its name.
    pub name: String,
    /// What the button says.
    pub title: String,
    /// The states in which it is offered; empty: all.
    pub states: Vec<String>,
    /// A JSON Schema of its input; null: it takes none.
    pub input_schema: Json,
}

/// The commands that plugins offer for an issue.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommandsAnswer {
    /// The commands.
    pub commands: Vec<OfferedCommandBody>,
}

/// A call of a plugin's command.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallCommandBody {
    /// The command.
    #[serde(default)]
    #[schema(required = true)]
    pub name: String,
    /// Whose command; absent: that of the only installation which offers the name.
    #[serde(default)]
    pub installation_id: Option<String>,
    /// Its input.
    #[serde(default)]
    pub input: Map<String, Json>,
}

impl From<OfferedCommand> for OfferedCommandBody {
    fn from(offered: OfferedCommand) -> Self {
        let command = offered.command;
        Self {
            installation_id: offered.installation.to_string(),
            plugin: offered.plugin,
            name: command.name,
            title: command.title,
            states: command.states,
            input_schema: of_text(&command.input_schema),
        }
    }
}

/// The call that a client wrote.
pub(crate) fn call(name: String, installation: &str, input: Map<String, Json>) -> Result<CallCommand> {
    let named = Some(installation).filter(|id| !id.is_empty());
    Ok(CallCommand {
        installation: named.map(|id| InstallationId::parse("installation_id", id)).transpose()?,
        name,
        input: decode_input(&input),
        input_json: Json::Object(input).to_string(),
    })
}

impl CallCommandBody {
    /// The command.
    pub fn command(self) -> Result<CallCommand> {
        call(self.name, self.installation_id.as_deref().unwrap_or_default(), self.input)
    }
}
