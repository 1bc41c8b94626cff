//! The example plugins as components.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

/// Settings of required-fields that every issue of the benches meets.
pub(crate) const RULES_FOR_ALL: &str = r#"{"rules": [{"fields": ["description"]}]}"#;

/// Builds an example plugin.
pub(crate) fn build_component(binary: &Path, name: &str) -> Result<Vec<u8>> {
    let out = std::env::temp_dir().join(format!("tessera-bench-{name}-{}.wasm", std::process::id()));
    let folder = Path::new("plugins").join(name);
    let status =
        Command::new(binary).args(["plugin", "build"]).arg(&folder).arg("--out").arg(&out).status()?;
    ensure!(status.success(), "{} cannot be built", folder.display());
    let bytes = std::fs::read(&out)?;
    std::fs::remove_file(&out)?;
    Ok(bytes)
}

/// Returns the component with an additional custom section, so that its digest differs.
pub(crate) fn with_mark(component: &[u8], mark: u32) -> Vec<u8> {
    // A custom section: id 0, its size, the length of its name, its name, its bytes.
    let mark = mark.to_le_bytes();
    [component, &[0, 9, 4], b"mark", &mark].concat()
}
