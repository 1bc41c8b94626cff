//! Plugins: development, installation, hooks and timers.

mod author;
mod components;
mod guests;
mod hooks;
mod languages;
mod lifecycle;
mod timers;
mod uploads;

pub use components::{SAMPLE, component, install, newer, upload, varied, versioned};
