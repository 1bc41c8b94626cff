//! What the host offers to every plugin: its settings, and a log.

use serde::de::DeserializeOwned;

pub use crate::bindings::base::tessera::plugin::host::Level;

/// Writes a line into the call's log, which the tenant can read.
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::base::tessera::plugin::host::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::log(level, message);
}

/// Logs for the plugin's author.
pub fn debug(message: &str) {
    log(Level::Debug, message);
}

/// Logs what is as it should be.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// Logs what is strange.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}

/// Logs what is wrong.
pub fn error(message: &str) {
    log(Level::Error, message);
}

/// The installation's settings, which have passed the plugin's schema.
///
/// # Panics
/// When the type asks for something else than the schema does; the call fails, and says where they differ.
#[must_use]
pub fn settings<T: DeserializeOwned>() -> T {
    #[cfg(target_arch = "wasm32")]
    let json = crate::bindings::base::tessera::plugin::host::settings();
    #[cfg(not(target_arch = "wasm32"))]
    let json = crate::testing::settings();
    let json = if json.is_empty() { "{}" } else { &json };
    match serde_json::from_str(json) {
        Ok(settings) => settings,
        Err(problem) => panic!("the settings passed the schema and cannot be read: {problem}"),
    }
}
