//! The binary `tessera`: command line, configuration, wiring, start and stop. Everything else is in the crates.

mod bootstrap;
mod cli;
mod config;
mod data_dir;
mod logs;
mod plugin;
mod recovery;
mod rlimit;
mod secret;
mod serve;
mod server;
mod timeout_stream;
mod wiring;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;

use cli::{Cli, Command, ConfigCommand, KeysCommand, Settings};
use config::{Config, SETTINGS, Sources, Status};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            print_error(&format!("tessera: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command.unwrap_or(Command::Serve(cli.settings)) {
        Command::Serve(settings) => {
            let config = begin(&settings)?;
            rlimit::raise_open_files();
            runtime()?.block_on(serve::serve(config))?;
        }
        Command::Migrate(settings) => {
            let config = begin(&settings)?;
            data_dir::prepare(&config)?;
            runtime()?
                .block_on(tessera_store::migrate(config.store))
                .context("the store cannot be migrated")?;
            print("the schema is up to date\n")?;
        }
        Command::Keys { what: KeysCommand::Recover(settings) } => {
            let config = begin(&settings)?;
            let key = runtime()?.block_on(recovery::recover(&config))?;
            print(&format!(
                "A new key with the roles operator and admin in the tenant \"default\". It is not shown again:\n  \
                 export TESSERA_KEY={key}\n"
            ))?;
        }
        Command::Plugin { what } => return plugin::run(what),
        Command::CompilePlugin { memory, seconds } => {
            return Ok(ExitCode::from(tessera_sandbox::compile_child(memory, seconds)));
        }
        Command::Config { what: ConfigCommand::Check(settings) } => {
            let config = read(&settings)?;
            let hints: String = config.hints.iter().map(|hint| format!("note: {hint}\n")).collect();
            print(&format!("{hints}the configuration is valid\n"))?;
        }
        Command::Config { what: ConfigCommand::Show(settings) } => {
            let sources = collect_sources(&settings)?;
            print(&settings_text(&sources))?;
            parse(&sources)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")
}

/// Collects the settings of the file, the environment and the command line.
#[expect(clippy::disallowed_methods, reason = "the only place that reads the environment")]
fn collect_sources(settings: &Settings) -> Result<Sources> {
    let path = settings.config.clone().or_else(|| std::env::var_os("TESSERA_CONFIG").map(PathBuf::from));
    let text = match &path {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            Some(text.with_context(|| format!("the configuration {} cannot be read", path.display()))?)
        }
        None => None,
    };
    let file = path.as_deref().zip(text.as_deref());
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    Ok(Sources::collect(file, variables, settings.pairs()))
}

fn read(settings: &Settings) -> Result<Config> {
    parse(&collect_sources(settings)?)
}

/// Reads the configuration of a command that works on the store, and starts the log.
fn begin(settings: &Settings) -> Result<Config> {
    let config = read(settings)?;
    logs::init(config.logs)?;
    for hint in &config.hints {
        tracing::warn!(variable = %hint.key, hint = %hint, "variable ignored");
    }
    Ok(config)
}

fn parse(sources: &Sources) -> Result<Config> {
    match Config::parse(sources) {
        Ok(config) => Ok(config),
        Err(faults) => {
            let lines: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
            bail!("the configuration has {} fault(s):{lines}", faults.len())
        }
    }
}

/// Returns each setting with its value, its source and its description, a line for each.
fn settings_text(sources: &Sources) -> String {
    let mut text = String::new();
    for setting in SETTINGS {
        let (value, source) = sources.get(setting);
        let value = if setting.secret && !value.is_empty() { "(hidden)" } else { value };
        let description = match setting.status {
            Status::Supported => setting.description.to_owned(),
            Status::Alias(of) => format!("another name for {of}"),
            Status::NotBuilt(part, _) => format!("{part}: not built yet"),
        };
        let source = source.unwrap_or("default");
        text.push_str(&format!("{} = {value:?}  # {source}; {description}\n", setting.name.to_lowercase()));
    }
    text
}

/// Writes to standard output.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Writes a line to standard error.
fn print_error(text: &str) {
    // A failure to write to standard error cannot be reported anywhere.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
