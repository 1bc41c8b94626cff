//! Command line of `tessera plugin`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

use crate::config::Redacted;

/// Subcommands of `tessera plugin`.
#[derive(Subcommand, Debug)]
pub(crate) enum PluginCommand {
    /// Creates a plugin: a folder with an example rule, its tests and a build command.
    New {
        /// The plugin's name: a lower-case letter, then lower-case letters, digits and hyphens.
        name: String,
        /// The plugin's hook.
        #[arg(long, value_enum, default_value = "validation")]
        hook: Hook,
        /// The plugin's language.
        #[arg(long = "lang", value_enum, default_value = "rust")]
        language: Language,
        /// The folder to create. The default is the plugin's name.
        #[arg(long, value_name = "FOLDER")]
        path: Option<PathBuf>,
    },
    /// Builds a component from the crate of a plugin in Rust and prints its size.
    Build {
        /// The crate's folder.
        #[arg(default_value = ".")]
        path: PathBuf,
        /// The file to write. The default is NAME.component.wasm in the crate's target folder.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Prints a component's imports, exports and manifest.
    Inspect {
        /// The component.
        component: PathBuf,
    },
    /// Runs test cases against a component: input, expected result, maximum of instructions.
    Test {
        /// The component.
        component: PathBuf,
        /// The file of test cases (JSON).
        #[arg(long, value_name = "FILE", default_value = "cases.json")]
        cases: PathBuf,
        /// Limits of the calls.
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// Makes one call and prints the result.
    Run {
        /// The component.
        component: PathBuf,
        /// The call (JSON), or - for standard input: {"function": "validate", "settings": {…}, "input": {…}}
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
        /// Limits of the call.
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// Makes one call many times and prints its time, instructions and memory.
    Bench {
        /// The component.
        component: PathBuf,
        /// The call (JSON), or - for standard input.
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
        /// The number of calls.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        times: u32,
        /// Limits of the calls.
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// Checks a pricing plugin with generated baskets. If a basket shows a fault, prints the reason and the smallest such
    /// basket that is found (JSON).
    Check {
        /// The component.
        component: PathBuf,
        /// What to check.
        #[command(flatten)]
        args: CheckArgs,
        /// Limits of the calls.
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// Uploads a component to a host.
    Push {
        /// The component.
        component: PathBuf,
        /// The host and the API key.
        #[command(flatten)]
        remote: Remote,
    },
    /// Installs a release. If the plugin is already installed at that scope, the installation is updated.
    Install {
        /// What to install.
        #[command(flatten)]
        args: InstallArgs,
        /// The host and the API key.
        #[command(flatten)]
        remote: Remote,
    },
    /// Prints the last calls of an installation.
    Calls {
        /// The installation's id, or the plugin's name if it is installed once.
        installation: String,
        /// Keeps printing new calls.
        #[arg(long)]
        follow: bool,
        /// The host and the API key.
        #[command(flatten)]
        remote: Remote,
    },
    /// Prints the timers of an installation, the latest first, or retries its parked timers.
    Timers {
        /// The installation's id, or the plugin's name if it is installed once.
        installation: String,
        /// Only timers of this issue.
        #[arg(long, value_name = "ID")]
        issue: Option<String>,
        /// Only parked timers: they have failed too often and are not retried automatically.
        #[arg(long)]
        parked: bool,
        /// Retries the parked timers and prints them.
        #[arg(long)]
        retry: bool,
        /// The host and the API key.
        #[command(flatten)]
        remote: Remote,
    },
    /// Rolls an installation back to an earlier release.
    Rollback {
        /// The installation's id, or the plugin's name if it is installed once.
        installation: String,
        /// The version. The default is the previous release.
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        /// Replaces a state that the release's machine does not have.
        #[arg(long, value_name = "OLD=NEW", value_parser = pair)]
        map: Vec<(String, String)>,
        /// The host and the API key.
        #[command(flatten)]
        remote: Remote,
    },
}

/// Hook of a plugin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Hook {
    /// Accepts or refuses changes.
    Validation,
    /// Defines the states of issues, or reacts to their changes.
    Workflow,
    /// Adjusts prices.
    Pricing,
}

/// Language of a new plugin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum Language {
    /// Built by `tessera plugin build`, with the SDK.
    Rust,
    /// Built by componentize-qjs, from npm.
    JavaScript,
    /// Built by componentize-py, a Python package. The host must allow larger components: TESSERA_PLUGIN_MAX_BYTES.
    Python,
}

/// What happens when a plugin fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Policy {
    /// The request fails.
    Closed,
    /// The request continues without the plugin.
    Open,
}

/// The release to install, and the installation's properties.
#[derive(Args, Debug)]
pub(crate) struct InstallArgs {
    /// The release: PLUGIN (its newest release), PLUGIN@VERSION, or a digest.
    pub(crate) release: String,
    /// The project. The default is the whole tenant.
    #[arg(long, value_name = "ID")]
    pub(crate) project: Option<String>,
    /// The event, for plugins that price or validate. The default is the whole tenant.
    #[arg(long, value_name = "ID", conflicts_with = "project")]
    pub(crate) event: Option<String>,
    /// The settings: a JSON object, or a file with one.
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) settings: Option<String>,
    /// The plugin's position among the plugins of a hook; lower numbers are called first.
    #[arg(long)]
    pub(crate) order: Option<i32>,
    /// What happens when the plugin fails.
    #[arg(long, value_enum)]
    pub(crate) on_failure: Option<Policy>,
    /// A right of the plugin's effects, such as issue:update. The default is all rights that the manifest needs.
    #[arg(long, value_name = "RIGHT")]
    pub(crate) grant: Vec<String>,
    /// Replaces a state that the plugin's machine does not have.
    #[arg(long, value_name = "OLD=NEW", value_parser = pair)]
    pub(crate) map: Vec<(String, String)>,
    /// Installs the plugin disabled: it is not called.
    #[arg(long)]
    pub(crate) disabled: bool,
}

/// Settings and baskets of a check.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The settings: a JSON object, or a file with one. Baskets use their texts as codes, cities, categories and currencies.
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) settings: Option<String>,
    /// A text that baskets use beside those of the settings, such as a code that the plugin knows.
    #[arg(long, value_name = "TEXT")]
    pub(crate) code: Vec<String>,
    /// Requires that the total does not fall when a quantity grows.
    #[arg(long)]
    pub(crate) monotone: bool,
    /// The number of baskets.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) baskets: u32,
    /// The seed: the same one generates the same baskets.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Limits of a call. The defaults are those of a host.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct LimitArgs {
    /// Maximum of instructions.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) fuel: u64,
    /// Maximum of memory, in bytes.
    #[arg(long, default_value_t = 16 << 20)]
    pub(crate) memory: u64,
    /// Maximum of the plugin's own time, in milliseconds.
    #[arg(long, default_value_t = 250)]
    pub(crate) time_ms: u64,
}

/// The host and the API key.
#[derive(Args, Clone, Debug)]
pub(crate) struct Remote {
    /// The host's gRPC address.
    #[arg(long, env = "TESSERA_SERVER", default_value = "http://127.0.0.1:50052", value_name = "URL")]
    pub(crate) server: String,
    /// An API key with the role admin.
    #[arg(long, env = "TESSERA_KEY", hide_env_values = true, value_name = "KEY")]
    pub(crate) key: Option<Redacted>,
}

impl FromStr for Redacted {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (old, new) = text.split_once('=').ok_or("OLD=NEW is expected")?;
    Ok((old.to_owned(), new.to_owned()))
}
