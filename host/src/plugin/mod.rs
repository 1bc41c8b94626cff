//! `tessera plugin`: commands for authors of plugins. Local calls run in the same sandbox as on a host.

mod build;
mod check;
pub(crate) mod cli;
mod local;
mod module;
mod new;
mod records;
mod remote;
mod template;

use std::process::ExitCode;

use anyhow::Result;
use cli::PluginCommand;

use crate::runtime;

/// Runs a subcommand.
pub(crate) fn run(command: PluginCommand) -> Result<ExitCode> {
    match command {
        PluginCommand::New { name, hook, language, path } => new::new(&name, hook, language, path)?,
        PluginCommand::Build { path, out } => build::build(&path, out)?,
        PluginCommand::Inspect { component } => runtime()?.block_on(local::inspect(&component))?,
        PluginCommand::Test { component, cases, limits } => {
            let passed = runtime()?.block_on(local::test(&component, &cases, limits))?;
            return Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        PluginCommand::Run { component, input, limits } => {
            let answered = runtime()?.block_on(local::run(&component, &input, limits))?;
            return Ok(if answered { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        PluginCommand::Bench { component, input, times, limits } => {
            runtime()?.block_on(local::bench(&component, &input, times, limits))?;
        }
        PluginCommand::Check { component, args, limits } => {
            let passed = runtime()?.block_on(check::check(&component, &args, limits))?;
            return Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        PluginCommand::Push { component, remote } => {
            runtime()?.block_on(remote::push(&remote, &component))?
        }
        PluginCommand::Install { args, remote } => runtime()?.block_on(remote::install(&remote, &args))?,
        PluginCommand::Calls { installation, follow, remote } => {
            runtime()?.block_on(remote::calls(&remote, &installation, follow))?;
        }
        PluginCommand::Timers { installation, issue, parked, retry, remote } => {
            let issue = issue.unwrap_or_default();
            runtime()?.block_on(async {
                if retry {
                    remote::retry(&remote, &installation, issue).await
                } else {
                    remote::timers(&remote, &installation, &issue, parked).await
                }
            })?;
        }
        PluginCommand::Rollback { installation, to, map, remote } => {
            runtime()?.block_on(remote::rollback(&remote, &installation, to.as_deref(), &map))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
