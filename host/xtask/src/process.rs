//! Running other programs so that none of them outlives us.
//!
//! A program that may start more programs gets a process group of its own: a signal that reaches us is passed on to the
//! whole group, and whatever is left of the group when its leader has ended is killed.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

use crate::interrupt::{self, Interrupted};

/// How long a program may take to end after it was asked to.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

const POLL: Duration = Duration::from_millis(25);

/// A child that leads a process group; dropped, the whole group is killed.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Child,
    id: Pid,
}

impl Group {
    /// Starts a command, without standard input, at the head of a group.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let leader = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} cannot be started", name(command)))?;
        let id = Pid::from_child(&leader);
        Ok(Self { leader, id })
    }

    /// How the leader ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.leader.try_wait()?)
    }

    /// Asks the group to end by `signal`, and kills it when it takes too long or a second signal reaches us.
    pub(crate) fn stop(&mut self, signal: Signal) -> Result<ExitStatus> {
        // A group that is gone already needs no signal.
        let _ = kill_process_group(self.id, signal);
        let deadline = Instant::now() + GRACE;
        while self.alive()? && Instant::now() < deadline && interrupt::take().is_none() {
            thread::sleep(POLL);
        }
        self.kill();
        Ok(self.leader.wait()?)
    }

    fn alive(&mut self) -> Result<bool> {
        let leader_runs = self.leader.try_wait()?.is_none();
        Ok(leader_runs || test_kill_process_group(self.id).is_ok())
    }

    fn kill(&self) {
        // Nothing left to kill is what is wanted.
        let _ = kill_process_group(self.id, Signal::KILL);
    }

    /// Waits for the end; a signal to us, or a limit of time, ends the group before.
    fn wait(&mut self, limit: Option<Duration>) -> Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if let Some(signal) = interrupt::take() {
                self.stop(signal)?;
                bail!(Interrupted(signal));
            }
            if limit.is_some_and(|limit| started.elapsed() > limit) {
                return self.stop(Signal::TERM);
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        // It was killed, so this does not wait long; how it ended is of no interest any more.
        let _ = self.leader.wait();
    }
}

/// Runs a command to its end and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = Group::spawn(command)?.wait(None)?;
    succeeded(command, status)
}

/// Runs a command to its end or for as long as `limit`; true when it succeeded.
pub(crate) fn try_run(command: &mut Command, limit: Duration) -> Result<bool> {
    Ok(Group::spawn(command)?.wait(Some(limit))?.success())
}

/// Runs a command that may ask for a password, so it stays in the terminal's foreground group.
pub(crate) fn run_in_foreground(command: &mut Command) -> Result<()> {
    let mut child = command.spawn().with_context(|| format!("{} cannot be started", name(command)))?;
    let mut interrupted = None;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Some(signal) = interrupt::take() {
            // When it runs as root and we do not, only the terminal's own signal reaches it.
            let _ = kill_process(Pid::from_child(&child), signal);
            interrupted = Some(signal);
        }
        thread::sleep(POLL);
    };
    match interrupted {
        Some(signal) => bail!(Interrupted(signal)),
        None => succeeded(command, status),
    }
}

/// Runs a short command out of reach of the terminal's signals, and gives what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .process_group(0)
        .output()
        .with_context(|| format!("{} cannot be started", name(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}): {}", name(command), output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} printed what is not text", name(command)))
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

fn name(command: &Command) -> String {
    command.get_program().display().to_string()
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words: Vec<_> = [program].into_iter().chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(&mut shell("exit 3")).unwrap_err().to_string();
        assert!(error.contains("sh -c exit 3") && error.contains("3"), "{error}");
    }

    #[test]
    fn nothing_of_a_group_outlives_its_leader() {
        let mut group = Group::spawn(&mut shell("sleep 60 & sleep 60 & exit 0")).unwrap();
        let id = group.id;
        assert!(group.wait(None).unwrap().success());
        drop(group);
        let deadline = Instant::now() + GRACE;
        while test_kill_process_group(id).is_ok() {
            assert!(Instant::now() < deadline, "members are left");
            thread::sleep(POLL);
        }
    }

    #[test]
    fn a_command_is_ended_at_its_limit() {
        let started = Instant::now();
        assert!(!try_run(&mut shell("sleep 60"), Duration::from_millis(100)).unwrap());
        assert!(started.elapsed() < GRACE);
    }
}
