//! Settings and log of a plugin.

use serde_core::de::DeserializeOwned;

use crate::json;

pub use crate::bindings::base::tessera::plugin::host::Level;

/// Writes a line to the log of the call. The tenant can read it.
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::base::tessera::plugin::host::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::log(level, message);
}

/// Logs a message of level debug.
pub fn debug(message: &str) {
    log(Level::Debug, message);
}

/// Logs a message of level info.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// Logs a message of level warn.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}

/// Logs a message of level error.
pub fn error(message: &str) {
    log(Level::Error, message);
}

/// Returns the settings of the installation. They have passed the plugin's settings schema.
///
/// # Panics
///
/// If the settings do not fit the type. The call fails, and its log says where they differ.
#[must_use]
pub fn settings<T: DeserializeOwned>() -> T {
    #[cfg(target_arch = "wasm32")]
    let text = crate::bindings::base::tessera::plugin::host::settings();
    #[cfg(not(target_arch = "wasm32"))]
    let text = crate::testing::settings();
    let text = if text.is_empty() { "{}" } else { &text };
    match json::from_str(text) {
        Ok(settings) => settings,
        Err(error) => panic!("the settings pass the schema and do not fit the plugin's type: {error}"),
    }
}
