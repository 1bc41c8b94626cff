//! Runs other programs so that none of them outlives this process.
//!
//! Each program leads a process group. Signals are forwarded to the whole group, and members that are left when the leader
//! has ended are killed.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

use crate::interrupt::{self, Interrupted};

/// Limit of time between a signal to end and SIGKILL.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

const POLL: Duration = Duration::from_millis(25);

/// A process group, killed when dropped.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Child,
    id: Pid,
}

impl Group {
    /// Starts a command without standard input as the leader of a group.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let leader = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} cannot be started", name(command)))?;
        let id = Pid::from_child(&leader);
        Ok(Self { leader, id })
    }

    /// Returns the exit status of the leader if it has ended.
    pub(crate) fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.leader.try_wait()?)
    }

    /// Sends `signal` to the group, and kills it after a timeout or at a second signal to this process.
    pub(crate) fn stop(&mut self, signal: Signal) -> Result<ExitStatus> {
        // Fails if the group has ended already.
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
        // Fails if the group has ended already.
        let _ = kill_process_group(self.id, Signal::KILL);
    }

    /// Waits for the leader. A signal to this process, or the limit of time, ends the group.
    fn wait(&mut self, limit: Option<Duration>) -> Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.exit_status()? {
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
        // Reaps the leader, which was killed. Its status does not matter.
        let _ = self.leader.wait();
    }
}

/// Runs a command and fails if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = Group::spawn(command)?.wait(None)?;
    check_status(command, status)
}

/// Runs a command with a limit of time, and returns whether it succeeded.
pub(crate) fn try_run(command: &mut Command, limit: Duration) -> Result<bool> {
    Ok(Group::spawn(command)?.wait(Some(limit))?.success())
}

/// Runs a command in the terminal's foreground group, since it may prompt for a password.
pub(crate) fn run_in_foreground(command: &mut Command) -> Result<()> {
    let mut child = command.spawn().with_context(|| format!("{} cannot be started", name(command)))?;
    let mut interrupted = None;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Some(signal) = interrupt::take() {
            // Fails if the command runs as root and this process does not. The terminal signals it then.
            let _ = kill_process(Pid::from_child(&child), signal);
            interrupted = Some(signal);
        }
        thread::sleep(POLL);
    };
    match interrupted {
        Some(signal) => bail!(Interrupted(signal)),
        None => check_status(command, status),
    }
}

/// Runs a short command in a process group of its own, and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .process_group(0)
        .output()
        .with_context(|| format!("{} cannot be started", name(command)))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}): {}", name(command), output.status, message.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("the output of {} is not UTF-8", name(command)))
}

fn check_status(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

fn name(command: &Command) -> String {
    command.get_program().display().to_string()
}

/// Returns the command as a line for the terminal.
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
    fn error_names_the_failed_command() {
        let error = run(&mut shell("exit 3")).unwrap_err().to_string();
        assert!(error.contains("sh -c exit 3") && error.contains("3"), "{error}");
    }

    #[test]
    fn members_of_a_group_are_killed_when_it_is_dropped() {
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
    fn command_is_ended_at_its_time_limit() {
        let started = Instant::now();
        assert!(!try_run(&mut shell("sleep 60"), Duration::from_millis(100)).unwrap());
        assert!(started.elapsed() < GRACE);
    }
}
