//! Installs the toolchain and the packages that builds and tests need, except servers.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

use crate::paths::Paths;
use crate::{process, versions};

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
fn curl() -> Result<()> {
    if find("curl").is_some() {
        return Ok(());
    }
    apt(&["curl"], "curl is needed: install it with your system's package manager")
}

/// Installs what the integration tests need besides servers.
pub(crate) fn tests(paths: &Paths) -> Result<()> {
    faketime()?;
    curl()?;
    javascript(paths)?;
    python(paths)
}

/// Installs componentize-qjs into the tools' folder, with which tests make plugins of JavaScript.
fn javascript(paths: &Paths) -> Result<()> {
    if find("node").is_none() || find("npm").is_none() {
        let instructions =
            "Node.js 18 or newer and npm are needed: install them with your system's package manager";
        apt(&["nodejs", "npm"], instructions)?;
    }
    let package = paths.tools().join("lib/node_modules/componentize-qjs/package.json");
    let version = format!("\"version\": \"{}\"", versions::COMPONENTIZE_QJS);
    if fs::read_to_string(package).is_ok_and(|text| text.contains(&version)) {
        return Ok(());
    }
    eprintln!("installing componentize-qjs {} into {}", versions::COMPONENTIZE_QJS, paths.tools().display());
    let mut install = Command::new("npm");
    install.args(["install", "--global", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
    install.arg(paths.tools()).arg(format!("componentize-qjs@{}", versions::COMPONENTIZE_QJS));
    process::run(&mut install).context("componentize-qjs cannot be installed")
}

/// Installs componentize-py into an environment in the tools' folder, with which tests make plugins of Python.
fn python(paths: &Paths) -> Result<()> {
    let (environment, link) = (paths.tools().join("python"), paths.tools().join("bin/componentize-py"));
    let version = process::output(Command::new(&link).arg("--version"));
    if version.is_ok_and(|text| text.split_whitespace().any(|word| word == versions::COMPONENTIZE_PY)) {
        return Ok(());
    }
    // Debian packages venv apart from Python.
    if process::output(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_err() {
        let instructions =
            "Python 3.10 or newer with venv is needed: install it with your system's package manager";
        apt(&["python3", "python3-venv"], instructions)?;
    }
    eprintln!("installing componentize-py {} into {}", versions::COMPONENTIZE_PY, environment.display());
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .context("an environment of Python cannot be created")?;
    let mut install = Command::new(environment.join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check"]);
    install.arg(format!("componentize-py=={}", versions::COMPONENTIZE_PY));
    process::run(&mut install).context("componentize-py cannot be installed")?;
    // Only this program of the environment goes on PATH: not its Python.
    fs::create_dir_all(paths.tools().join("bin"))?;
    if link.is_symlink() {
        fs::remove_file(&link)?;
    }
    symlink(environment.join("bin/componentize-py"), &link)?;
    Ok(())
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
