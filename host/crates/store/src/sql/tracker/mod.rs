//! Users, projects, issues and their parts.

pub(super) mod comment;
pub(in super::super) mod count;
pub(super) mod issue;
pub(super) mod link;
pub(super) mod project;
pub(super) mod purge;
pub(super) mod user;
pub(super) mod watcher;
