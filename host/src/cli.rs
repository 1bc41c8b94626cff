//! The command line of `tessera`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::plugin::cli::PluginCommand;

/// Tessera: a multi-tenant host for issues, support tickets and event tickets.
#[derive(Parser, Debug)]
#[command(version, about, disable_help_subcommand = true, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// The command. Without one, the host serves.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Settings for serving.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// The hidden command with which the host starts a child process that compiles a plugin.
pub(crate) const COMPILE: &str = "compile-plugin";

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Serves gRPC and REST until SIGTERM or SIGINT. The default command.
    Serve(Settings),
    /// Migrates the store's schema to this version and exits.
    Migrate(Settings),
    /// Manages API keys on the host's machine, without a key.
    Keys {
        /// The command.
        #[command(subcommand)]
        what: KeysCommand,
    },
    /// Creates, tests, uploads and installs plugins.
    Plugin {
        /// The command.
        #[command(subcommand)]
        what: PluginCommand,
    },
    /// Reads a component from standard input and writes machine code to standard output.
    #[command(name = COMPILE, hide = true)]
    CompilePlugin {
        /// Limit of memory in bytes.
        memory: u64,
        /// Limit of processor time in seconds.
        seconds: u64,
    },
    /// Checks or shows the configuration.
    Config {
        /// The command.
        #[command(subcommand)]
        what: ConfigCommand,
    },
}

/// The commands of `tessera keys`.
#[derive(Subcommand, Debug)]
pub(crate) enum KeysCommand {
    /// Creates an operator's key in the configured store and prints it once, for operators who have lost theirs.
    Recover(Settings),
}

/// The commands of `tessera config`.
#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    /// Reports all faults, and exits with 1 if there is one.
    Check(Settings),
    /// Shows every setting with its value, source and description. Secrets are hidden.
    Show(Settings),
}

/// Settings of the command line. They take precedence over the environment, and the environment over the file.
#[derive(Args, Debug, Default, Clone)]
pub(crate) struct Settings {
    /// TOML file of settings, with their names in lower case [env: TESSERA_CONFIG].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Create example data in an empty host, as set by SEED_USER_COUNT, SEED_PROJECT_COUNT and SEED_RELATIONSHIPS.
    #[arg(long)]
    pub(crate) demo: bool,
    /// Port of REST.
    #[arg(long, value_name = "PORT")]
    pub(crate) http_port: Option<String>,
    /// Port of gRPC.
    #[arg(long, value_name = "PORT")]
    pub(crate) grpc_port: Option<String>,
    /// Folder of the host's files.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<String>,
    /// Any other setting; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_pair)]
    pub(crate) set: Vec<(String, String)>,
}

impl Settings {
    /// Returns the settings as pairs of name and value.
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

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
