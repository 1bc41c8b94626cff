//! The state of the REST handlers.

use std::ops::Deref;

use crate::operations::Api;
use crate::state::ApiState;

/// The state of the REST handlers.
#[derive(Clone)]
pub(super) struct Rest(Api);

impl Rest {
    pub(super) fn new(api: Api) -> Self {
        Self(api)
    }

    pub(super) fn api(&self) -> &Api {
        &self.0
    }
}

impl Deref for Rest {
    type Target = ApiState;

    fn deref(&self) -> &ApiState {
        &self.0
    }
}
