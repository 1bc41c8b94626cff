//! Machine code on disk: made here, for this version of wasmtime and this configuration, authenticated, and
//! loaded by mapping. What was read and is not exactly that is thrown away; what could not be read stays.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tessera_core::plugin::Digest;
use tessera_core::{Error, Result};
use wasmtime::Engine;
use wasmtime::component::Component;

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
        Ok(Self { folder: folder.to_owned(), key, engine })
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
        Ok(Some(map(engine, &file, &code)?))
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

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // Written aside and renamed, so that nobody reads half of it.
    let aside = path.with_extension(format!("{}.part", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    fs::rename(&aside, path)
}
