//! Look-ups that a plugin makes during a call.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::plugin::entity::Entity;

/// A look-up as the record of its call has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LookupRecord {
    /// The request.
    pub request: LookupRequest,
    /// The number of entities that were found; `None`: it was refused.
    pub found: Option<u32>,
}

/// A request of a look-up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LookupRequest {
    /// Returns one entity, by its kind and id.
    Get(String, String),
    /// Returns matching entities: their kind, the filter, and the maximum.
    Find(String, String, u32),
}

/// The reason why a look-up failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LookupError {
    /// An unknown kind or field, or an invalid filter.
    Unsupported(String),
    /// The store is unavailable.
    Unavailable,
}

/// The entities that a look-up found.
pub type LookupResult = Result<Vec<Entity>, LookupError>;

/// Executes a call's look-ups within the data of its tenant.
#[derive(Clone)]
pub struct Lookup(Arc<dyn Fn(LookupRequest) -> LookupFuture + Send + Sync>);

type LookupFuture = Pin<Box<dyn Future<Output = LookupResult> + Send>>;

impl Lookup {
    /// Executes look-ups with `execute`.
    pub fn new<F, A>(execute: F) -> Self
    where
        F: Fn(LookupRequest) -> A + Send + Sync + 'static,
        A: Future<Output = LookupResult> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(execute(request))))
    }

    /// Executes a look-up.
    pub async fn execute(&self, request: LookupRequest) -> LookupResult {
        (self.0)(request).await
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}
