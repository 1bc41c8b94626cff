//! The command line of `tessera plugin`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

use crate::config::Redacted;

/// What can be done with plugins.
#[derive(Subcommand, Debug)]
pub(crate) enum PluginCommand {
    /// Begins a plugin: a folder with a crate that builds, a rule, and cases to try it.
    New {
        /// Its name: a lower-case letter, then letters, digits and hyphens.
        name: String,
        /// Where it is called.
        #[arg(long, value_enum, default_value = "validation")]
        hook: Hook,
        /// The folder to make; without it, one of the plugin's name.
        #[arg(long, value_name = "FOLDER")]
        path: Option<PathBuf>,
    },
    /// Builds a plugin's crate into a component, and says how large it is.
    Build {
        /// The crate's folder.
        #[arg(default_value = ".")]
        path: PathBuf,
        /// The file to write; without it, NAME.wasm in the crate's target folder.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Shows what a component imports and exports, and what it says of itself.
    Inspect {
        /// The component.
        component: PathBuf,
    },
    /// Runs the cases of a file against a component: input, expected answer, most instructions.
    Test {
        /// The component.
        component: PathBuf,
        /// The file of cases (JSON).
        #[arg(long, value_name = "FILE", default_value = "cases.json")]
        cases: PathBuf,
        /// What holds the calls.
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// Makes one call, and shows the answer.
    Run {
        /// The component.
        component: PathBuf,
        /// The call (JSON), or - for standard input: {"function": "validate", "settings": {…}, "input": {…}}
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
        /// What holds the call.
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// Makes one call many times, and says what each takes.
    Bench {
        /// The component.
        component: PathBuf,
        /// The call (JSON), or - for standard input.
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
        /// How often.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        times: u32,
        /// What holds the calls.
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// Uploads a component to a host.
    Push {
        /// The component.
        component: PathBuf,
        /// Which host, and who asks.
        #[command(flatten)]
        remote: Remote,
    },
    /// Puts a release to work; where the plugin is installed at that scope already, it goes over to the release.
    Install {
        /// What to install.
        #[command(flatten)]
        args: InstallArgs,
        /// Which host, and who asks.
        #[command(flatten)]
        remote: Remote,
    },
    /// Shows the last calls of an installation.
    Calls {
        /// The installation's id, or the plugin's name where it is installed once.
        installation: String,
        /// Goes on with the calls that come.
        #[arg(long)]
        follow: bool,
        /// Which host, and who asks.
        #[command(flatten)]
        remote: Remote,
    },
    /// Shows the timers that an installation has set, the latest first, and has parked ones tried again.
    Timers {
        /// The installation's id, or the plugin's name where it is installed once.
        installation: String,
        /// Only those of this issue.
        #[arg(long, value_name = "ID")]
        issue: Option<String>,
        /// Only those that have failed too often to be tried again by themselves.
        #[arg(long)]
        parked: bool,
        /// Has those that are parked tried again, and shows which they are.
        #[arg(long)]
        retry: bool,
        /// Which host, and who asks.
        #[command(flatten)]
        remote: Remote,
    },
    /// Puts an installation back to an earlier release.
    Rollback {
        /// The installation's id, or the plugin's name where it is installed once.
        installation: String,
        /// The version; without it, the one that was at work before.
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        /// What becomes of a state that the release's machine lacks.
        #[arg(long, value_name = "OLD=NEW", value_parser = pair)]
        map: Vec<(String, String)>,
        /// Which host, and who asks.
        #[command(flatten)]
        remote: Remote,
    },
}

/// Where a plugin is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Hook {
    /// Accepts or refuses changes.
    Validation,
    /// Owns or follows the life of issues.
    Workflow,
    /// Adjusts prices.
    Pricing,
}

/// What happens when a plugin fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Policy {
    /// The request fails.
    Closed,
    /// The request goes on without it.
    Open,
}

/// What is installed, and how.
#[derive(Args, Debug)]
pub(crate) struct InstallArgs {
    /// The release: PLUGIN (its newest), PLUGIN@VERSION, or a digest.
    pub(crate) release: String,
    /// The project; without it, the whole tenant.
    #[arg(long, value_name = "ID")]
    pub(crate) project: Option<String>,
    /// The settings: a JSON object, or a file of one.
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) settings: Option<String>,
    /// Plugins of a hook are called in this order.
    #[arg(long)]
    pub(crate) order: Option<i32>,
    /// What happens when it fails.
    #[arg(long, value_enum)]
    pub(crate) on_failure: Option<Policy>,
    /// A right of its effects, such as issue:update; without any, all that it asks for.
    #[arg(long, value_name = "RIGHT")]
    pub(crate) grant: Vec<String>,
    /// What becomes of a state that its machine lacks.
    #[arg(long, value_name = "OLD=NEW", value_parser = pair)]
    pub(crate) map: Vec<(String, String)>,
    /// Installs it without calling it yet.
    #[arg(long)]
    pub(crate) disabled: bool,
}

/// What holds a call here, as on a host.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct LimitArgs {
    /// Instructions.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) fuel: u64,
    /// Bytes of memory.
    #[arg(long, default_value_t = 16 << 20)]
    pub(crate) memory: u64,
    /// Milliseconds of the plugin's own time.
    #[arg(long, default_value_t = 250)]
    pub(crate) time_ms: u64,
}

/// Which host, and who asks.
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
