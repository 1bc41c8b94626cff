//! Removal of machine code that this host does not load: of other versions and configurations, or half written.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tessera_core::plugin::Digest;

/// How long the files of another engine stay after their last use: until then the host may be rolled back, and hosts of
/// two versions may share the folder while one replaces the other.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a file that is being written, or whose upload is not stored yet, stays: longer than any upload takes.
const PARTIAL_RETENTION: Duration = Duration::from_secs(3 * 3600);

/// The kind of a file in the folder.
enum FileKind {
    /// A file that this host loads.
    Own(Digest),
    /// A file of another engine.
    Foreign,
    /// A file that is being written.
    Partial,
}

/// Removes files that an engine of this hash does not load and that were not used for long. Returns how many, and the
/// digests of the files that it loads. A host that has a removed file mapped keeps the mapping, and one that misses it
/// compiles again.
pub(super) fn remove_stale(
    folder: &Path,
    engine_hash: &str,
    now: SystemTime,
) -> io::Result<(usize, BTreeSet<Digest>)> {
    let (mut removed, mut own) = (0, BTreeSet::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_name().to_str().and_then(|name| kind_of(name, engine_hash));
        let retention = match kind {
            None => continue,
            Some(FileKind::Own(digest)) => {
                own.insert(digest);
                continue;
            }
            Some(FileKind::Foreign) => RETENTION,
            Some(FileKind::Partial) => PARTIAL_RETENTION,
        };
        // The metadata of a symbolic link is its own.
        let is_stale = entry.metadata().is_ok_and(|file| file.is_file() && is_unused(&file, now, retention));
        removed += usize::from(is_stale && fs::remove_file(entry.path()).is_ok());
    }
    Ok((removed, own))
}

/// Returns the kind of a file by its name; `None` for files that are not the cache's.
fn kind_of(name: &str, engine_hash: &str) -> Option<FileKind> {
    let (stem, extension) = name.split_once('.')?;
    let (digest, engine) = stem.split_once('-')?;
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    if !is_hex(digest, 64) || !is_hex(engine, 16) {
        return None;
    }
    if let Some(writer) = extension.strip_suffix(".part") {
        return writer.bytes().all(|b| b.is_ascii_digit() || b == b'-').then_some(FileKind::Partial);
    }
    match extension {
        "code" | "mac" if engine == engine_hash => Digest::parse("digest", digest).ok().map(FileKind::Own),
        "code" | "mac" => Some(FileKind::Foreign),
        _ => None,
    }
}

/// Whether a file was neither written nor read within the retention.
fn is_unused(file: &Metadata, now: SystemTime, retention: Duration) -> bool {
    [file.modified(), file.accessed()]
        .into_iter()
        .all(|used| used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > retention)))
}
