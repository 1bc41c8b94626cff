//! The servers for tests: private instances on free loopback ports.
//!
//! An [`Instance`] is a set of all servers with its state in one folder. The developer's instance runs until
//! `services down`; each test run has a [`Temporary`] one. Finding, starting and stopping a server is in one file for
//! each; a new server is a new case of [`Service`] and a file.

mod postgres;
mod state;
mod user;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result};
use clap::Subcommand;

use self::state::{Running, State};
use crate::interrupt;
use crate::paths::Paths;

/// The actions of `cargo xtask services`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Action {
    /// Starts the servers that do not run, after installing what is missing
    Up {
        /// Disables fsync: faster, but not durable
        #[arg(long)]
        fast: bool,
    },
    /// Stops the servers
    Down {
        /// Deletes their data as well
        #[arg(long)]
        wipe: bool,
    },
    /// Prints the environment variables for tests, for `eval`
    Env,
}

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Postgres,
}

impl Service {
    const ALL: [Self; 1] = [Self::Postgres];

    const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// Finds or installs the program, and creates its data folder: `preferred` if the server's user can access it.
    fn prepare(self, preferred: &Path, durable: bool) -> Result<Running> {
        match self {
            Self::Postgres => postgres::prepare(preferred, durable),
        }
    }

    fn start(self, server: &mut Running) -> Result<()> {
        match self {
            Self::Postgres => postgres::start(server),
        }
    }

    fn is_running(self, server: &Running) -> bool {
        match self {
            Self::Postgres => postgres::is_running(server),
        }
    }

    fn stop(self, server: &Running) -> Result<()> {
        match self {
            Self::Postgres => postgres::stop(server),
        }
    }

    /// Returns the environment variable that tells tests the server's address.
    fn env(self, server: &Running) -> (&'static str, String) {
        match self {
            Self::Postgres => ("TESSERA_TEST_POSTGRES", postgres::url(server)),
        }
    }
}

/// Runs an action on the developer's instance.
pub(crate) fn run(paths: &Paths, action: Action) -> Result<()> {
    let instance = Instance::at(paths.services());
    match action {
        Action::Up { fast } => {
            let _lock = lock(paths)?;
            let servers = instance.up(!fast)?;
            for server in servers {
                eprintln!("{server}");
            }
            Ok(())
        }
        Action::Down { wipe } => {
            let _lock = lock(paths)?;
            instance.down()?;
            if wipe { instance.wipe() } else { Ok(()) }
        }
        Action::Env => {
            let servers = instance.servers()?;
            if servers.len() < Service::ALL.len()
                || !servers.iter().all(|server| server.service.is_running(server))
            {
                anyhow::bail!("the servers are not up: `cargo xtask services up` starts them");
            }
            for (name, value) in env_of(&servers) {
                println!("export {name}={value}");
            }
            Ok(())
        }
    }
}

fn env_of(servers: &[Running]) -> Vec<(&'static str, String)> {
    servers.iter().map(|server| server.service.env(server)).collect()
}

/// Locks starting and sweeping against other processes until the file is dropped.
fn lock(paths: &Paths) -> Result<File> {
    let folder = paths.services();
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    let file = File::create(folder.join("lock"))?;
    file.lock()?;
    Ok(file)
}

/// A set of all servers with its state in one folder.
#[derive(Debug)]
struct Instance {
    folder: PathBuf,
    state: State,
}

impl Instance {
    fn at(folder: PathBuf) -> Self {
        let state = State::at(folder.join("state"));
        Self { folder, state }
    }

    fn servers(&self) -> Result<Vec<Running>> {
        self.state.read()
    }

    /// Starts the servers that do not run with this durability.
    fn up(&self, durable: bool) -> Result<Vec<Running>> {
        for service in Service::ALL {
            interrupt::check()?;
            let mut server = self.find_or_prepare(service, durable)?;
            let running = service.is_running(&server);
            if running && server.durable == durable {
                continue;
            }
            if running {
                service.stop(&server)?;
            }
            server.durable = durable;
            service.start(&mut server)?;
            self.state.put(server)?;
        }
        self.servers()
    }

    /// Returns the recorded server, or prepares one. It is recorded before its start, so that an interruption leaves no
    /// unknown server.
    fn find_or_prepare(&self, service: Service, durable: bool) -> Result<Running> {
        let recorded = self.servers()?.into_iter().find(|server| server.service == service);
        if let Some(server) = recorded.filter(|server| server.folder.is_dir()) {
            return Ok(server);
        }
        let server = service.prepare(&self.folder.join(service.name()), durable)?;
        self.state.put(server.clone())?;
        Ok(server)
    }

    /// Stops all servers, also after a failure to stop one.
    fn down(&self) -> Result<()> {
        let mut result = Ok(());
        for server in self.servers()? {
            if server.service.is_running(&server) {
                result = result.and(server.service.stop(&server));
            }
        }
        result
    }

    /// Removes the data folders and the state.
    fn wipe(&self) -> Result<()> {
        for server in self.servers()? {
            match fs::remove_dir_all(&server.folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error)
                        .with_context(|| format!("{} cannot be removed", server.folder.display()));
                }
                Ok(()) | Err(_) => {}
            }
        }
        self.state.remove()
    }
}

/// Servers of one test run, stopped and removed when dropped.
///
/// The folder is locked while this process lives, so that later runs recognize the folders of killed ones.
#[derive(Debug)]
pub(crate) struct Temporary {
    instance: Instance,
    servers: Vec<Running>,
    _lock: File,
}

impl Temporary {
    /// Starts the servers, after removing those of killed runs.
    pub(crate) fn start(paths: &Paths, durable: bool) -> Result<Self> {
        let start_lock = lock(paths)?;
        sweep(&paths.services())?;
        let kind = if durable { "durable" } else { "fast" };
        let folder = paths.services().join(format!("test-{}-{kind}", process::id()));
        fs::create_dir(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
        let folder_lock = File::create(folder.join("lock"))?;
        folder_lock.lock()?;
        let mut temporary = Self { instance: Instance::at(folder), servers: Vec::new(), _lock: folder_lock };
        drop(start_lock);
        temporary.servers = temporary.instance.up(durable)?;
        Ok(temporary)
    }

    /// Returns the environment variables that tell tests the addresses.
    pub(crate) fn env(&self) -> Vec<(&'static str, String)> {
        env_of(&self.servers)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = discard(&self.instance) {
            eprintln!("the test servers cannot be removed: {error:#}");
        }
    }
}

fn discard(instance: &Instance) -> Result<()> {
    instance.down()?;
    instance.wipe()?;
    fs::remove_dir_all(&instance.folder)
        .with_context(|| format!("{} cannot be removed", instance.folder.display()))
}

/// The servers of a run of the tests: durable ones, and the same without fsync for tests that kill and restart nothing.
#[derive(Debug)]
pub(crate) struct TestServers {
    servers: Temporary,
    fast: Option<Temporary>,
}

impl TestServers {
    /// Starts the servers. If none is to be durable, the second ones are left out.
    pub(crate) fn start(paths: &Paths, durable: bool) -> Result<Self> {
        let servers = Temporary::start(paths, durable)?;
        let fast = if durable { Some(Temporary::start(paths, false)?) } else { None };
        Ok(Self { servers, fast })
    }

    /// Returns the environment variables that tell tests the addresses.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        let servers = self.servers.env().into_iter().map(|(name, url)| (name.to_owned(), url));
        let fast = self.fast.iter().flat_map(Temporary::env);
        servers.chain(fast.map(|(name, url)| (format!("{name}_WITHOUT_FSYNC"), url))).collect()
    }
}

/// Stops and removes the servers of killed runs.
fn sweep(services: &Path) -> Result<()> {
    for entry in fs::read_dir(services)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("test-") {
            continue;
        }
        let owner = File::create(entry.path().join("lock"))?;
        match owner.try_lock() {
            Ok(()) => {
                eprintln!("removing the servers of an interrupted run in {}", entry.path().display());
                discard(&Instance::at(entry.path()))?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Ok(())
}
