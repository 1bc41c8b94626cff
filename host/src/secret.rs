//! The host's secret: given, or made once and kept in the data folder with mode 0600.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use tessera_core::secret::SecretKey;

use crate::config::Config;

/// The secret of this host.
pub(crate) fn of(config: &Config) -> Result<SecretKey> {
    let text = match &config.secret {
        Some(given) => given.0.clone(),
        None if config.keeps_files => kept(&config.data)?,
        None => SecretKey::generate_text()?,
    };
    Ok(SecretKey::from_text(&text)?)
}

fn kept(data: &Path) -> Result<String> {
    let path = data.join("secret.key");
    match fs::read_to_string(&path) {
        Ok(text) => return Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
    let text = SecretKey::generate_text()?;
    // Written aside and linked, so that no start ever sees half a secret, and of two starts one wins.
    let aside = data.join(format!("secret.key.{}", std::process::id()));
    write_private(&aside, &text).with_context(|| format!("{} cannot be written", aside.display()))?;
    let linked = fs::hard_link(&aside, &path);
    fs::remove_file(&aside)?;
    match linked {
        Ok(()) => Ok(text),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(fs::read_to_string(&path)?),
        Err(error) => Err(error).with_context(|| format!("{} cannot be written", path.display())),
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
