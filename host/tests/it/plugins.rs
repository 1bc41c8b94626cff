//! Plugins: development, installation, hooks and timers.

mod author;
mod check;
mod components;
mod contract;
mod guests;
mod hooks;
mod languages;
mod lifecycle;
mod timers;
mod uploads;

pub use components::{
    SAMPLE, component, heavy, importing, install, install_hostile, leb128, newer, section, upload, varied,
    versioned, with_instances, without_pricing,
};
pub use timers::make_due;
#[cfg(target_os = "linux")]
pub use uploads::children;
