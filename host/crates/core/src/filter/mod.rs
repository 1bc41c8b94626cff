//! Filters and orders of lists.
//!
//! ```text
//! filter  = { term }                      all terms must hold
//! term    = [ "-" ] field operator value { "," value }
//! operator= ":" | ">" | ">=" | "<" | "<="
//! value   = word | '"' text '"'           inside quotes, \" and \\ stand for themselves
//! order   = field [ "asc" | "desc" ]
//! ```
//! `:` holds when the field is one of the values; `-` negates a term. User fields accept `me`,
//! optional fields accept `none`. Errors name the column, counted from 1.

mod parse;
mod spec;

pub use spec::{Filter, Kind, Op, Operand, Order, Spec, Term};
