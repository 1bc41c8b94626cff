//! What a machine must have before anything is built or tested, beyond the servers themselves.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

use crate::paths::Paths;
use crate::process;

/// Makes sure of the toolchain, components and targets of `rust-toolchain.toml`.
pub(crate) fn rust(paths: &Paths) -> Result<()> {
    if find("rustup").is_none() {
        eprintln!("no rustup here: taking the Rust that is installed as it is");
        return Ok(());
    }
    // Without a name it is the repository's toolchain. What is there already is not fetched again.
    let mut install = Command::new("rustup");
    install.args(["toolchain", "install"]).current_dir(&paths.root);
    // Cargo's proxy names the toolchain here, which would hide the file with the components and targets.
    install.env_remove("RUSTUP_TOOLCHAIN");
    process::output(&mut install).context("the toolchain of rust-toolchain.toml cannot be installed")?;
    Ok(())
}

/// Installs packages of Debian or Ubuntu; elsewhere it fails with `otherwise`, which says what to do.
pub(crate) fn apt(packages: &[&str], otherwise: &str) -> Result<()> {
    if find("apt-get").is_none() {
        bail!("{otherwise}");
    }
    eprintln!("installing {} with apt-get", packages.join(", "));
    process::run_in_foreground(apt_get()?.arg("update"))?;
    process::run_in_foreground(
        apt_get()?.args(["install", "--yes", "--no-install-recommends"]).args(packages),
    )
    .context("apt-get could not install what is missing")
}

/// Makes sure of the library by which tests show a host another time.
pub(crate) fn faketime() -> Result<()> {
    let folders = ["lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "lib64", "lib"];
    let found = |folder: &&str| Path::new("/usr").join(folder).join("faketime/libfaketime.so.1").is_file();
    if folders.iter().any(found) {
        return Ok(());
    }
    apt(&["libfaketime"], "libfaketime is needed: install it with your system's package manager")
}

fn apt_get() -> Result<Command> {
    let mut command = if geteuid().is_root() {
        Command::new("env")
    } else if find("sudo").is_some() {
        let mut sudo = Command::new("sudo");
        sudo.arg("env");
        sudo
    } else {
        bail!("packages are missing and only root can install them: run this as root or install sudo");
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]);
    Ok(command)
}

/// The program of this name on PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}
