//! The binary `tessera`: the command line, the configuration, the wiring, start and stop. What it does
//! for its users lives in the crates beside it.

mod bootstrap;
mod cli;
mod config;
mod files;
mod impatient;
mod logs;
mod plugin;
mod secret;
mod server;
mod wiring;

mod serve;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;

use cli::{Cli, Command, ConfigCommand, Settings};
use config::{Config, SETTINGS, Said, Standing};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            say_error(&format!("tessera: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command.unwrap_or(Command::Serve(cli.settings)) {
        Command::Serve(settings) => {
            let config = read(&settings)?;
            logs::start(config.logs)?;
            files::lift_limit();
            runtime()?.block_on(serve::serve(config))?;
        }
        Command::Migrate(settings) => {
            let config = read(&settings)?;
            logs::start(config.logs)?;
            prepare_data(&config)?;
            runtime()?
                .block_on(tessera_store::migrate(config.store))
                .context("the store cannot be migrated")?;
            say("the schema is up to date\n")?;
        }
        Command::Plugin { what } => return plugin::run(what),
        Command::CompilePlugin { memory, seconds } => {
            return Ok(ExitCode::from(tessera_sandbox::compile_child(memory, seconds)));
        }
        Command::Config { what: ConfigCommand::Check(settings) } => {
            read(&settings)?;
            say("the configuration has no fault\n")?;
        }
        Command::Config { what: ConfigCommand::Show(settings) } => {
            let said = gather(&settings)?;
            say(&shown(&said))?;
            complain(&said)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")
}

/// Reads the environment, here and nowhere else.
#[expect(clippy::disallowed_methods, reason = "this is where the configuration is read")]
fn gather(settings: &Settings) -> Result<Said> {
    let path = settings.config.clone().or_else(|| std::env::var_os("TESSERA_CONFIG").map(PathBuf::from));
    let text = match &path {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            Some(text.with_context(|| format!("the configuration {} cannot be read", path.display()))?)
        }
        None => None,
    };
    let file = path.as_deref().zip(text.as_deref());
    let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    Ok(Said::gather(file, named, settings.pairs()))
}

fn read(settings: &Settings) -> Result<Config> {
    let said = gather(settings)?;
    complain(&said)
}

fn complain(said: &Said) -> Result<Config> {
    match Config::read(said) {
        Ok(config) => Ok(config),
        Err(faults) => {
            let lines: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
            bail!("the configuration has {} fault(s):{lines}", faults.len())
        }
    }
}

/// Makes the data folder, where the host keeps one.
fn prepare_data(config: &Config) -> Result<()> {
    if config.keeps_files {
        let data = &config.data;
        std::fs::create_dir_all(data)
            .with_context(|| format!("the folder {} cannot be made", data.display()))?;
    }
    Ok(())
}

fn shown(said: &Said) -> String {
    let mut text = String::new();
    for setting in SETTINGS {
        let (value, place) = said.get(setting);
        let value = if setting.secret && !value.is_empty() { "(hidden)" } else { value };
        let about = match setting.standing {
            Standing::Works => setting.about.to_owned(),
            Standing::Alias(of) => format!("another name for {of}"),
            Standing::NotBuilt(part, _) => format!("{part}: not built yet"),
        };
        let place = place.unwrap_or("default");
        text.push_str(&format!("{} = {value:?}  # {place}; {about}\n", setting.name.to_lowercase()));
    }
    text
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn say_error(text: &str) {
    // When not even standard error can be written to, there is nobody left to tell.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
