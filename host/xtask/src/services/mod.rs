//! The servers that the tests run against: private instances on free loopback ports.
//!
//! An [`Instance`] is one set of all servers with its state in one folder. There is the developer's own, which stays up
//! until it is told to stop, and one [`Borrowed`] for each run of the tests, gone with the run. How one server is found,
//! started and stopped is in a file of its own; a further server is a further case of [`Service`] and a file.

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

/// What a developer can ask for.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Action {
    /// Starts the servers, and installs what is missing; changes nothing when they run
    Up {
        /// Without fsync: faster, and nothing that survives a power cut
        #[arg(long)]
        fast: bool,
    },
    /// Stops the servers
    Down {
        /// Throws their data away as well
        #[arg(long)]
        wipe: bool,
    },
    /// Prints the variables by which tests find the servers, for `eval`
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

    /// Finds or installs the program and prepares a folder for its data, below `wanted` where the server can get there.
    fn prepare(self, wanted: &Path, durable: bool) -> Result<Running> {
        match self {
            Self::Postgres => postgres::prepare(wanted, durable),
        }
    }

    fn start(self, server: &mut Running) -> Result<()> {
        match self {
            Self::Postgres => postgres::start(server),
        }
    }

    fn runs(self, server: &Running) -> bool {
        match self {
            Self::Postgres => postgres::runs(server),
        }
    }

    fn stop(self, server: &Running) -> Result<()> {
        match self {
            Self::Postgres => postgres::stop(server),
        }
    }

    /// By which variable, and with which value, tests find the server.
    fn env(self, server: &Running) -> (&'static str, String) {
        match self {
            Self::Postgres => ("TESSERA_TEST_POSTGRES", postgres::url(server)),
        }
    }
}

/// Carries out what a developer asked for.
pub(crate) fn by_hand(paths: &Paths, action: Action) -> Result<()> {
    let instance = Instance::at(paths.services());
    match action {
        Action::Up { fast } => {
            let _alone = lock(paths)?;
            let servers = instance.up(!fast)?;
            for server in servers {
                eprintln!("{server}");
            }
            Ok(())
        }
        Action::Down { wipe } => {
            let _alone = lock(paths)?;
            instance.down()?;
            if wipe { instance.wipe() } else { Ok(()) }
        }
        Action::Env => {
            let servers = instance.servers()?;
            if servers.len() < Service::ALL.len() || !servers.iter().all(|server| server.service.runs(server))
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

/// Keeps two callers from starting or sweeping at a time; held until dropped.
fn lock(paths: &Paths) -> Result<File> {
    let folder = paths.services();
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let file = File::create(folder.join("lock"))?;
    file.lock()?;
    Ok(file)
}

/// One set of all servers, with its state in one folder.
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

    /// Starts what does not run as it is wanted.
    fn up(&self, durable: bool) -> Result<Vec<Running>> {
        for service in Service::ALL {
            interrupt::check()?;
            let mut server = self.prepared(service, durable)?;
            let running = service.runs(&server);
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

    /// The server as it is remembered or, new, remembered before its start: no interruption leaves one unknown.
    fn prepared(&self, service: Service, durable: bool) -> Result<Running> {
        let known = self.servers()?.into_iter().find(|server| server.service == service);
        if let Some(server) = known.filter(|server| server.folder.is_dir()) {
            return Ok(server);
        }
        let server = service.prepare(&self.folder.join(service.name()), durable)?;
        self.state.put(server.clone())?;
        Ok(server)
    }

    /// Stops all servers; one that does not stop keeps no other from being stopped.
    fn down(&self) -> Result<()> {
        let mut outcome = Ok(());
        for server in self.servers()? {
            if server.service.runs(&server) {
                outcome = outcome.and(server.service.stop(&server));
            }
        }
        outcome
    }

    /// Removes the data, wherever it is, and the state.
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

/// Servers for one run of the tests: stopped and removed when dropped.
///
/// Its folder is locked for as long as we live, so a later run knows what one that was killed left behind.
#[derive(Debug)]
pub(crate) struct Borrowed {
    instance: Instance,
    servers: Vec<Running>,
    _alive: File,
}

impl Borrowed {
    /// Starts a set of servers of its own, after removing what killed runs left.
    pub(crate) fn start(paths: &Paths, durable: bool) -> Result<Self> {
        let alone = lock(paths)?;
        sweep(&paths.services())?;
        let folder = paths.services().join(format!("test-{}", process::id()));
        fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let alive = File::create(folder.join("lock"))?;
        alive.lock()?;
        let mut borrowed = Self { instance: Instance::at(folder), servers: Vec::new(), _alive: alive };
        drop(alone);
        borrowed.servers = borrowed.instance.up(durable)?;
        Ok(borrowed)
    }

    /// The variables by which tests find the servers.
    pub(crate) fn env(&self) -> Vec<(&'static str, String)> {
        env_of(&self.servers)
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Err(error) = discard(&self.instance) {
            eprintln!("the tests' servers were not removed wholly: {error:#}");
        }
    }
}

fn discard(instance: &Instance) -> Result<()> {
    instance.down()?;
    instance.wipe()?;
    fs::remove_dir_all(&instance.folder)
        .with_context(|| format!("{} cannot be removed", instance.folder.display()))
}

/// Stops and removes the servers of runs that are no more.
fn sweep(services: &Path) -> Result<()> {
    for entry in fs::read_dir(services)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("test-") {
            continue;
        }
        let owner = File::create(entry.path().join("lock"))?;
        match owner.try_lock() {
            Ok(()) => {
                eprintln!("removing what an interrupted run left in {}", entry.path().display());
                discard(&Instance::at(entry.path()))?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Ok(())
}
