//! Users, projects, issues, and the comments, links and watchers of issues.

pub mod comment;
pub mod issue;
pub mod issue_command;
pub mod issue_editor;
pub mod link;
pub mod machine;
pub mod project;
pub mod purge;
pub mod rules;
pub mod scheme;
pub mod updates;
pub mod user;

pub mod comments;
pub mod issues;
pub mod links;
mod load;
pub mod projects;
pub mod purger;
pub mod users;

pub use comment::Comment;
pub use comments::Comments;
pub use issue::Issue;
pub use issue_command::{CallCommand, OfferedCommand};
pub use issue_editor::PendingTransition;
pub use issues::{BulkChange, IssueDetails, Issues, OpenTransition};
pub use link::{Link, Relation};
pub use links::Links;
pub use machine::{AssignMove, Category, Machine, State, Transition};
pub use project::Project;
pub use projects::{ChangeProject, CreateProject, Projects};
pub use purge::Purge;
pub use purger::Purger;
pub use rules::{ChangeIssue, CreateIssue};
pub use scheme::{FieldDefinition, FieldType, Scheme, Usage};
pub use updates::{ProjectUpdate, ProjectUpdates};
pub use user::User;
pub use users::{ChangeUser, CreateUser, Users};
