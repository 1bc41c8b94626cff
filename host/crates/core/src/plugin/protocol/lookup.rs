//! Look-ups that a plugin makes during a call.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::plugin::entity::Entity;

/// A look-up as it is recorded with its call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LookupRecord {
    /// What was asked.
    pub ask: LookupRequest,
    /// How many entities it found; none: it was refused.
    pub found: Option<u32>,
}

/// What a plugin looks up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LookupRequest {
    /// One entity: its kind and id.
    Get(String, String),
    /// Those that match: the kind, the filter, and how many at most.
    Find(String, String, u32),
}

/// Why a look-up found nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LookupError {
    /// No such kind or field, or a filter that cannot be read.
    Unsupported(String),
    /// The store does not answer.
    Unavailable,
}

/// What a look-up found.
pub type LookupResult = Result<Vec<Entity>, LookupError>;

/// Answers a call's look-ups: reads the tenant's own data, and nobody else's.
#[derive(Clone)]
pub struct Lookup(Arc<dyn Fn(LookupRequest) -> Answering + Send + Sync>);

type Answering = Pin<Box<dyn Future<Output = LookupResult> + Send>>;

impl Lookup {
    /// Look-ups that `answer` answers.
    pub fn new<F, A>(answer: F) -> Self
    where
        F: Fn(LookupRequest) -> A + Send + Sync + 'static,
        A: Future<Output = LookupResult> + Send + 'static,
    {
        Self(Arc::new(move |ask| Box::pin(answer(ask))))
    }

    /// What is found.
    pub async fn answer(&self, ask: LookupRequest) -> LookupResult {
        (self.0)(ask).await
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}
