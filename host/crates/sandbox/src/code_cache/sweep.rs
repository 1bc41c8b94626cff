//! Removal of machine code that this host does not load: of other versions and configurations, or half written.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How long the files of another engine stay after their last use: until then the host may be rolled back, and hosts of
/// two versions may share the folder while one replaces the other.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);

/// Removes files that an engine of this hash does not load and that were not used for long; returns how many. A host
/// that has such a file mapped keeps the mapping, and one that misses it compiles again.
pub(super) fn remove_stale(folder: &Path, engine_hash: &str, now: SystemTime) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(|name| is_foreign(name, engine_hash)) {
            continue;
        }
        // The metadata of a symbolic link is its own.
        let is_stale = entry.metadata().is_ok_and(|file| file.is_file() && is_unused(&file, now));
        removed += usize::from(is_stale && fs::remove_file(entry.path()).is_ok());
    }
    Ok(removed)
}

/// Whether a file's name is that of machine code of another engine, or of a file that was half written.
fn is_foreign(name: &str, engine_hash: &str) -> bool {
    let Some((stem, extension)) = name.split_once('.') else { return false };
    let Some((digest, engine)) = stem.split_once('-') else { return false };
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let process = extension.strip_suffix(".part");
    let is_partial = process.is_some_and(|id| id.bytes().all(|b| b.is_ascii_digit()));
    let is_other = matches!(extension, "code" | "mac") && engine != engine_hash;
    is_hex(digest, 64) && is_hex(engine, 16) && (is_partial || is_other)
}

/// Whether a file was neither written nor read within the retention.
fn is_unused(file: &Metadata, now: SystemTime) -> bool {
    [file.modified(), file.accessed()]
        .into_iter()
        .all(|used| used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > RETENTION)))
}
