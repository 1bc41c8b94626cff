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
    SAMPLE, component, heavy, importing, install, leb128, newer, section, upload, varied, versioned,
    with_instances,
};
pub use timers::make_due;
#[cfg(target_os = "linux")]
pub use uploads::children;
