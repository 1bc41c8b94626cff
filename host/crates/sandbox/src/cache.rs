//! Machine code on disk: made here, for this version of wasmtime and this configuration, authenticated, and
//! loaded by mapping. What is not exactly that is thrown away.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{Read as _, Write as _};
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

    /// The machine code of a release, if it is there and is what this host made.
    pub(crate) fn load(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let path = self.path(digest);
        let loaded = self.try_load(engine, digest, &path);
        if loaded.is_none() {
            let _ = fs::remove_file(path.with_extension("mac"));
            if fs::remove_file(&path).is_ok() {
                tracing::warn!(release = %digest, "machine code was not what was kept; it is made again");
            }
        }
        loaded
    }

    fn try_load(&self, engine: &Engine, digest: Digest, path: &Path) -> Option<Component> {
        let mut file = File::open(path).ok()?;
        let mut code = Vec::new();
        file.read_to_end(&mut code).ok()?;
        let held: [u8; 32] = fs::read(path.with_extension("mac")).ok()?.try_into().ok()?;
        // The comparison of hashes takes the same time wherever they differ.
        if self.mac(digest, &code) != blake3::Hash::from_bytes(held) {
            return None;
        }
        map(engine, &file, &code)
    }

    /// Keeps machine code.
    pub(crate) fn keep(&self, digest: Digest, code: &[u8]) -> std::io::Result<()> {
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
fn map(engine: &Engine, file: &File, _code: &[u8]) -> Option<Component> {
    use std::os::fd::AsRawFd as _;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: the bytes were made by this host's compiler and are authenticated by its key; the folder is
    // this user's alone, so that nobody else changes them below the mapping.
    unsafe { Component::deserialize_file(engine, path) }.ok()
}

#[cfg(not(target_os = "linux"))]
#[allow(unsafe_code, reason = "machine code is loaded, which is trusted by its MAC")]
fn map(engine: &Engine, _file: &File, code: &[u8]) -> Option<Component> {
    // SAFETY: the bytes were made by this host's compiler and are authenticated by its key.
    unsafe { Component::deserialize(engine, code) }.ok()
}

/// Machine code that was made just now.
#[allow(unsafe_code, reason = "machine code is loaded, which was made just now")]
pub(crate) fn load_fresh(engine: &Engine, code: &[u8]) -> Result<Component> {
    // SAFETY: the bytes come from the compiler that this host has started, over a pipe that only it holds.
    let loaded = unsafe { Component::deserialize(engine, code) };
    loaded.map_err(|error| Error::internal(anyhow::Error::from(error)))
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // Written aside and renamed, so that nobody reads half of it.
    let aside = path.with_extension(format!("{}.part", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    fs::rename(&aside, path)
}
