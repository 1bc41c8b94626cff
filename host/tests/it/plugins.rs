//! Plugins as their authors, their tenants and their operators meet them.

mod author;
mod components;
mod hooks;
mod lifecycle;
mod timers;

pub use components::{component, install, newer, upload, varied, versioned};
