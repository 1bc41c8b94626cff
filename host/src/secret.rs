//! The host's secret: from the configuration, or generated once and stored in the data folder with mode 0600.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use tessera_core::secret::SecretKey;

use crate::config::Config;
use crate::data_dir;

/// Loads the host's secret, and generates it at the first start.
pub(crate) fn load(config: &Config) -> Result<SecretKey> {
    if let Some(path) = config.secret_file.as_deref().filter(|path| data_dir::is_open_to_others(path)) {
        let path = path.display();
        tracing::warn!(%path, "other users can use the file of TESSERA_SECRET_KEY_FILE; give it the mode 0600");
    }
    let text = match &config.secret {
        Some(secret) => secret.0.clone(),
        None if config.uses_data_dir => load_or_generate(&config.data)?,
        None => SecretKey::generate_text()?,
    };
    Ok(SecretKey::from_text(&text)?)
}

fn load_or_generate(data: &Path) -> Result<String> {
    let path = data.join("secret.key");
    match fs::read_to_string(&path) {
        Ok(text) => return Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
    let text = SecretKey::generate_text()?;
    // A hard link to a complete file: no start reads half a secret, and of two starts at once one wins.
    let temporary = data.join(format!("secret.key.{}", std::process::id()));
    write_private(&temporary, &text).with_context(|| format!("{} cannot be written", temporary.display()))?;
    let linked = fs::hard_link(&temporary, &path);
    fs::remove_file(&temporary)?;
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
