//! Who may do what: roles, kinds of objects, and operations.

mod object_kind;
mod operation;
mod role;

pub use object_kind::ObjectKind;
pub use operation::Operation;
pub use role::Role;
