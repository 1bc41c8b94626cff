//! Plugins as their authors, their tenants and their operators meet them.

mod author;
mod guests;
mod hooks;
mod life;
mod timers;

pub use guests::{component, install, newer, upload, varied, versioned};
