//! Machine code on disk, compiled by this host for one version and configuration of wasmtime, authenticated by a MAC and
//! loaded by mapping. A file that was read and fails authentication is deleted; one that could not be read stays. The
//! code of an upload is staged: its file gets its name when the release is stored, and is deleted otherwise.

mod sweep;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use tessera_core::plugin::Digest;
use tessera_core::{Error, Result};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Machine code of a host's releases.
pub(crate) struct CodeCache {
    folder: PathBuf,
    mac_key: [u8; 32],
    /// Hash of the engine's version and configuration.
    engine_hash: String,
}

/// Machine code of a release that this host has compiled and can load.
pub(crate) struct MachineCode {
    bytes: Vec<u8>,
    /// The file that the bytes were read from.
    file: Option<File>,
}

/// Machine code in a file that no load finds. The file is deleted when this is dropped.
pub(crate) struct StagedCode {
    file: PathBuf,
    /// Its place in the cache.
    path: PathBuf,
    mac: blake3::Hash,
}

impl StagedCode {
    /// Puts the code into the cache. A component that is mapped from the file stays mapped.
    pub(crate) fn keep(self) -> io::Result<()> {
        write_private(&self.path.with_extension("mac"), self.mac.as_bytes())?;
        fs::rename(&self.file, &self.path)
    }
}

impl Drop for StagedCode {
    fn drop(&mut self) {
        // It is not there if it was kept.
        let _ = fs::remove_file(&self.file);
    }
}

/// Adapts BLAKE3 to the standard library's trait.
struct Blake3Hasher(blake3::Hasher);

impl Hasher for Blake3Hasher {
    fn finish(&self) -> u64 {
        let bytes = *self.0.finalize().as_bytes();
        bytes.first_chunk::<8>().map_or(0, |head| u64::from_le_bytes(*head))
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

impl CodeCache {
    /// Opens the folder, creates it if need be, and removes what other versions have left there long ago.
    pub(crate) fn open(folder: &Path, mac_key: [u8; 32], engine: &Engine) -> Result<Self> {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Error::internal)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(Error::internal)?;
        let mut hasher = Blake3Hasher(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine_hash = format!("{:016x}", hasher.finish());
        let cache = Self { folder: folder.to_owned(), mac_key, engine_hash };
        cache.sweep();
        Ok(cache)
    }

    /// Removes old files of other versions and of interrupted uploads. Returns the releases whose machine code is in the
    /// cache.
    pub(crate) fn sweep(&self) -> BTreeSet<Digest> {
        match sweep::remove_stale(&self.folder, &self.engine_hash, machine_time()) {
            Ok((removed, digests)) => {
                if removed > 0 {
                    tracing::info!(removed, "stale machine code removed");
                }
                digests
            }
            Err(error) => {
                tracing::warn!(?error, "stale machine code cannot be listed");
                BTreeSet::new()
            }
        }
    }

    /// Reads the machine code of a release, or `None` if it is not there or fails authentication. An error means that it
    /// could not be read (too many open files, no memory, no permission), which is no reason to delete it.
    pub(crate) fn read(&self, digest: Digest) -> io::Result<Option<MachineCode>> {
        let path = self.path(digest);
        let Some(mut file) = if_found(File::open(&path))? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mac = if_found(fs::read(path.with_extension("mac")))?;
        if !mac.is_some_and(|mac| self.is_mac(digest, &bytes, mac)) {
            tracing::warn!(release = %digest, "machine code failed authentication and is compiled again");
            self.remove(digest);
            return Ok(None);
        }
        self.note_use(digest);
        Ok(Some(MachineCode { bytes, file: Some(file) }))
    }

    /// Writes the machine code of a release that was compiled just now into a file, and maps it from there.
    pub(crate) fn stage(
        &self,
        engine: &Engine,
        digest: Digest,
        code: &[u8],
    ) -> anyhow::Result<(StagedCode, Component)> {
        let path = self.path(digest);
        let staged = StagedCode { file: partial(&path), path, mac: self.mac(digest, code) };
        let mut file = create_private(&staged.file)?;
        file.write_all(code)?;
        let component = map(engine, &file, code)?;
        Ok((staged, component))
    }

    /// Removes the machine code of a release.
    pub(crate) fn remove(&self, digest: Digest) {
        let path = self.path(digest);
        let _ = fs::remove_file(path.with_extension("mac"));
        let _ = fs::remove_file(path);
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{digest}-{}.code", self.engine_hash))
    }

    /// Returns the MAC over a release's digest, the engine and the code.
    fn mac(&self, digest: Digest, code: &[u8]) -> blake3::Hash {
        let mut mac = blake3::Hasher::new_keyed(&self.mac_key);
        mac.update(&digest.0);
        mac.update(self.engine_hash.as_bytes());
        mac.update(code);
        mac.finalize()
    }

    fn is_mac(&self, digest: Digest, code: &[u8], mac: Vec<u8>) -> bool {
        let mac = <[u8; 32]>::try_from(mac).map(blake3::Hash::from_bytes);
        // The comparison of hashes takes the same time wherever they differ.
        mac.is_ok_and(|mac| mac == self.mac(digest, code))
    }

    /// Sets the time of the last use: whether reading sets it depends on how the disk is mounted.
    fn note_use(&self, digest: Digest) {
        let path = self.path(digest);
        for path in [path.with_extension("mac"), path] {
            let _ = File::open(path).and_then(|file| file.set_modified(machine_time()));
        }
    }
}

impl MachineCode {
    /// Wraps the compiler's output.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, file: None }
    }

    /// Returns the code.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Loads the code, by mapping where it was read from a file.
    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        match &self.file {
            Some(file) => map(engine, file, &self.bytes),
            None => load_compiled(engine, &self.bytes),
        }
    }
}

/// Maps the file whose bytes were checked, by its descriptor: another file of that name is not taken.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "machine code is loaded, which is trusted by its MAC")]
fn map(engine: &Engine, file: &File, _code: &[u8]) -> wasmtime::Result<Component> {
    use std::os::fd::AsRawFd as _;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: the bytes were compiled by this host and are authenticated by its key; the folder belongs to this user
    // alone, so that no other user changes them below the mapping.
    unsafe { Component::deserialize_file(engine, path) }
}

#[cfg(not(target_os = "linux"))]
#[allow(unsafe_code, reason = "machine code is loaded, which is trusted by its MAC")]
fn map(engine: &Engine, _file: &File, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes were compiled by this host and are authenticated by its key.
    unsafe { Component::deserialize(engine, code) }
}

/// Loads machine code that was compiled just now.
#[allow(unsafe_code, reason = "machine code is loaded, which was compiled just now")]
fn load_compiled(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes come from the compiler that this host has started, over a pipe that only it holds.
    unsafe { Component::deserialize(engine, code) }
}

/// Returns what was read, or `None` if it does not exist.
fn if_found<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the time by which this machine dates files.
#[expect(clippy::disallowed_methods, reason = "files have this machine's times, and not the store's")]
fn machine_time() -> SystemTime {
    SystemTime::now()
}

/// Writes a file that only this user can read; it is renamed into place, so that no reader sees half of it.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = partial(path);
    create_private(&partial)?.write_all(bytes)?;
    fs::rename(&partial, path)
}

/// Returns the name of a file that is being written; no two writers have the same.
fn partial(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_extension(format!("{}-{number}.part", std::process::id()))
}

/// Creates a file that only this user can read.
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
}
