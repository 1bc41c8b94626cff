//! Machine code on disk: made here, for this version of wasmtime and this configuration, authenticated, and
//! loaded by mapping. What was read and is not exactly that is thrown away; what could not be read stays. What other
//! versions and configurations have left is removed once nobody has used it for long.

use std::fs::{self, File, Metadata};
use std::hash::{Hash, Hasher};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tessera_core::plugin::Digest;
use tessera_core::{Error, Result};
use wasmtime::Engine;
use wasmtime::component::Component;

/// For so long what another engine has left stays after its last use: until then the host may be put back to the
/// version before, and hosts of two versions may share the folder while one replaces the other.
const LEFT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The machine code of a host's releases.
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; 32],
    /// What the engine's version and configuration come to.
    engine: String,
}

struct Blake(blake3::Hasher);

impl Hasher for Blake {
    fn finish(&self) -> u64 {
        let bytes = *self.0.finalize().as_bytes();
        bytes.first_chunk::<8>().map_or(0, |head| u64::from_le_bytes(*head))
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

impl Cache {
    /// Opens the folder, which nobody else may look into.
    pub(crate) fn open(folder: &Path, key: [u8; 32], engine: &Engine) -> Result<Self> {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Error::internal)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(Error::internal)?;
        let mut hasher = Blake(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine = format!("{:016x}", hasher.finish());
        let cache = Self { folder: folder.to_owned(), key, engine };
        if let Err(error) = cache.sweep(machine_time()) {
            tracing::warn!(?error, "machine code that other versions have left cannot be looked for");
        }
        Ok(cache)
    }

    /// Removes what no engine like this one loads and nobody has used for long. Whoever has it mapped goes on with it,
    /// and whoever misses it makes it again.
    fn sweep(&self, now: SystemTime) -> io::Result<()> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| self.is_left(name)) {
                continue;
            }
            // Of a link, what it is itself is looked at.
            let unused = entry.metadata().is_ok_and(|held| held.is_file() && is_unused(&held, now));
            removed += usize::from(unused && fs::remove_file(entry.path()).is_ok());
        }
        if removed > 0 {
            tracing::info!(removed, "files of machine code that other versions have left are removed");
        }
        Ok(())
    }

    /// Whether a file is one of ours that an engine like this one does not load: another engine's, or written half.
    fn is_left(&self, name: &str) -> bool {
        let Some((stem, extension)) = name.split_once('.') else { return false };
        let Some((digest, engine)) = stem.split_once('-') else { return false };
        let hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let half = extension.strip_suffix(".part").is_some_and(|of| of.bytes().all(|b| b.is_ascii_digit()));
        let other = matches!(extension, "code" | "mac") && engine != self.engine;
        hex(digest, 64) && hex(engine, 16) && (half || other)
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{digest}-{}.code", self.engine))
    }

    /// What authenticates the code of a release: a MAC over its name and its bytes.
    fn mac(&self, digest: Digest, code: &[u8]) -> blake3::Hash {
        let mut mac = blake3::Hasher::new_keyed(&self.key);
        mac.update(&digest.0);
        mac.update(self.engine.as_bytes());
        mac.update(code);
        mac.finalize()
    }

    /// The machine code of a release, if it is there and is what this host made. An error says that it could not
    /// be told: too many open files, no memory, no permission. That proves nothing against the code.
    pub(crate) fn load(&self, engine: &Engine, digest: Digest) -> anyhow::Result<Option<Component>> {
        let path = self.path(digest);
        let Some(mut file) = if_there(File::open(&path))? else { return Ok(None) };
        let mut code = Vec::new();
        file.read_to_end(&mut code)?;
        let held = if_there(fs::read(path.with_extension("mac")))?;
        if !held.is_some_and(|held| self.is_mac(digest, &code, held)) {
            tracing::warn!(release = %digest, "machine code is not what was kept; it is made again");
            self.forget(digest);
            return Ok(None);
        }
        self.note_use(digest);
        Ok(Some(map(engine, &file, &code)?))
    }

    /// Whether reading is noted by itself depends on how the disk is mounted.
    fn note_use(&self, digest: Digest) {
        let path = self.path(digest);
        for path in [path.with_extension("mac"), path] {
            let _ = File::open(path).and_then(|file| file.set_modified(machine_time()));
        }
    }

    fn is_mac(&self, digest: Digest, code: &[u8], held: Vec<u8>) -> bool {
        let held = <[u8; 32]>::try_from(held).map(blake3::Hash::from_bytes);
        // The comparison of hashes takes the same time wherever they differ.
        held.is_ok_and(|held| held == self.mac(digest, code))
    }

    /// Keeps machine code.
    pub(crate) fn keep(&self, digest: Digest, code: &[u8]) -> io::Result<()> {
        let path = self.path(digest);
        write_private(&path.with_extension("mac"), self.mac(digest, code).as_bytes())?;
        write_private(&path, code)
    }

    /// Forgets the machine code of a release.
    pub(crate) fn forget(&self, digest: Digest) {
        let path = self.path(digest);
        let _ = fs::remove_file(path.with_extension("mac"));
        let _ = fs::remove_file(path);
    }
}

/// Maps the very file whose bytes were checked, by its descriptor: another file of that name is not taken.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "machine code is loaded, which is trusted by its MAC")]
fn map(engine: &Engine, file: &File, _code: &[u8]) -> wasmtime::Result<Component> {
    use std::os::fd::AsRawFd as _;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: the bytes were made by this host's compiler and are authenticated by its key; the folder is
    // this user's alone, so that nobody else changes them below the mapping.
    unsafe { Component::deserialize_file(engine, path) }
}

#[cfg(not(target_os = "linux"))]
#[allow(unsafe_code, reason = "machine code is loaded, which is trusted by its MAC")]
fn map(engine: &Engine, _file: &File, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes were made by this host's compiler and are authenticated by its key.
    unsafe { Component::deserialize(engine, code) }
}

/// Machine code that was made just now.
#[allow(unsafe_code, reason = "machine code is loaded, which was made just now")]
pub(crate) fn load_fresh(engine: &Engine, code: &[u8]) -> Result<Component> {
    // SAFETY: the bytes come from the compiler that this host has started, over a pipe that only it holds.
    let loaded = unsafe { Component::deserialize(engine, code) };
    loaded.map_err(|error| Error::internal(anyhow::Error::from(error)))
}

/// What was opened or read; none when it is not there.
fn if_there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The time by which this machine dates files.
#[expect(clippy::disallowed_methods, reason = "files have this machine's times, and not the store's")]
fn machine_time() -> SystemTime {
    SystemTime::now()
}

/// Whether a file was neither written nor read for long.
fn is_unused(held: &Metadata, now: SystemTime) -> bool {
    [held.modified(), held.accessed()]
        .into_iter()
        .all(|used| used.is_ok_and(|used| now.duration_since(used).is_ok_and(|span| span > LEFT)))
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // Written aside and renamed, so that nobody reads half of it.
    let aside = path.with_extension(format!("{}.part", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    fs::rename(&aside, path)
}
