//! Installs the toolchain and the packages that builds and tests need, except servers.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

use crate::paths::Paths;
use crate::process;

/// Installs the toolchain, components and targets of `rust-toolchain.toml` if rustup is available.
pub(crate) fn rust(paths: &Paths) -> Result<()> {
    if find("rustup").is_none() {
        eprintln!("rustup not found: using the installed Rust");
        return Ok(());
    }
    // Without a name, rustup installs the toolchain of the repository's file if it is missing.
    let mut install = Command::new("rustup");
    install.args(["toolchain", "install"]).current_dir(&paths.root);
    // Set by cargo's proxy; it would override the file with the components and targets.
    install.env_remove("RUSTUP_TOOLCHAIN");
    process::output(&mut install).context("the toolchain of rust-toolchain.toml cannot be installed")?;
    Ok(())
}

/// Installs packages with apt-get. Where there is none, fails with `instructions`.
pub(crate) fn apt(packages: &[&str], instructions: &str) -> Result<()> {
    if find("apt-get").is_none() {
        bail!("{instructions}");
    }
    eprintln!("installing {} with apt-get", packages.join(", "));
    process::run_in_foreground(apt_get()?.arg("update"))?;
    process::run_in_foreground(
        apt_get()?.args(["install", "--yes", "--no-install-recommends"]).args(packages),
    )
    .context("apt-get could not install the packages")
}

/// Installs libfaketime, with which tests set the clock of a host, if it is missing.
pub(crate) fn faketime() -> Result<()> {
    let folders = ["lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "lib64", "lib"];
    let has_library =
        |folder: &&str| Path::new("/usr").join(folder).join("faketime/libfaketime.so.1").is_file();
    if folders.iter().any(has_library) {
        return Ok(());
    }
    apt(&["libfaketime"], "libfaketime is needed: install it with your system's package manager")
}

/// Makes sure of curl, with which the README's commands are tried.
pub(crate) fn curl() -> Result<()> {
    if find("curl").is_some() {
        return Ok(());
    }
    apt(&["curl"], "curl is needed: install it with your system's package manager")
}

fn apt_get() -> Result<Command> {
    let mut command = if geteuid().is_root() {
        Command::new("env")
    } else if find("sudo").is_some() {
        let mut sudo = Command::new("sudo");
        sudo.arg("env");
        sudo
    } else {
        bail!("packages are missing: run this as root or install sudo");
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]);
    Ok(command)
}

/// Returns the path of a program on PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}
