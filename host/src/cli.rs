//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::plugin::cli::PluginCommand;

/// Tessera: a multi-tenant host for issues, support tickets and event tickets.
#[derive(Parser, Debug)]
#[command(version, about, disable_help_subcommand = true, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// What to do; without a command, serve.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Settings for serving.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// The command by which the host starts itself to compile a plugin.
pub(crate) const COMPILE: &str = "compile-plugin";

/// What the binary can do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Serves gRPC and REST until it is told to stop. This is what happens without a command, too.
    Serve(Settings),
    /// Brings the store's schema up to date, and ends.
    Migrate(Settings),
    /// Writes, tries, uploads and installs plugins.
    Plugin {
        /// What to do.
        #[command(subcommand)]
        what: PluginCommand,
    },
    /// Compiles a component from standard input into machine code on standard output.
    #[command(name = COMPILE, hide = true)]
    CompilePlugin {
        /// The most memory, in bytes.
        memory: u64,
        /// The most seconds of the processor.
        seconds: u64,
    },
    /// Checks or shows the configuration.
    Config {
        /// What to do with it.
        #[command(subcommand)]
        what: ConfigCommand,
    },
}

/// What can be done with the configuration.
#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    /// Tells every fault, and ends with 1 if there is one.
    Check(Settings),
    /// Shows every setting, where it comes from and what it does; secrets are hidden.
    Show(Settings),
}

/// Settings on the command line win over the environment, and that over the file.
#[derive(Args, Debug, Default, Clone)]
pub(crate) struct Settings {
    /// A TOML file of settings, their names in lower case (also: TESSERA_CONFIG).
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Fill an empty host with examples, as SEED_USER_COUNT, SEED_PROJECT_COUNT and SEED_RELATIONSHIPS say.
    #[arg(long)]
    pub(crate) demo: bool,
    /// The port of REST.
    #[arg(long, value_name = "PORT")]
    pub(crate) http_port: Option<String>,
    /// The port of gRPC.
    #[arg(long, value_name = "PORT")]
    pub(crate) grpc_port: Option<String>,
    /// The folder of what the host keeps.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<String>,
    /// Any other setting.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
}

impl Settings {
    /// The settings by their names.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = self.set.clone();
        for (name, value) in
            [("HTTP_PORT", &self.http_port), ("GRPC_PORT", &self.grpc_port), ("TESSERA_DATA_DIR", &self.data)]
        {
            pairs.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
        }
        if self.demo {
            pairs.push(("ENVIRONMENT".to_owned(), "development".to_owned()));
        }
        pairs
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is expected")?;
    Ok((name.to_owned(), value.to_owned()))
}
