//! The open-file limit of a host.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Home, Host, Kind};

/// A child process, killed when dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The soft and the hard limit of a process.
fn limits(pid: u32) -> (String, String) {
    let all = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = all.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

#[tokio::test]
async fn open_file_limit_is_raised_to_the_hard_limit() {
    let home = Home::empty(Kind::Memory).await;
    let host = Host::command(&home, &[]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "ulimit -Sn 64 && exec \"$0\""]).arg(host.get_program()).env_clear();
    shell.envs(host.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(&home.folder).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Started(shell.spawn().unwrap());
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        // The shell replaces itself with the host; only then are its limits those of the host.
        let program = std::fs::read_link(format!("/proc/{}/exe", started.0.id())).unwrap();
        let (soft, hard) = limits(started.0.id());
        if program == Path::new(host.get_program()) && soft == hard {
            return;
        }
        assert!(Instant::now() < end, "{} may have {soft} files open of {hard}", program.display());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
