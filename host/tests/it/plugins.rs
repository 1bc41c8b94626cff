//! Plugins as their authors, their tenants and their operators meet them.

mod author;
mod guests;
mod hooks;
mod life;

pub use guests::{component, install, newer, upload, varied, versioned};
