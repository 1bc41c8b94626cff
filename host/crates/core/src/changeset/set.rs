//! What one command changes: built by services, stored whole or not at all.

use std::time::Instant;

use crate::changeset::{Expect, Guard, Record, Versioned, Write};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::TenantId;
use crate::idempotency::{IdempotencyClaim, IdempotencyRecord};
use crate::outbox::NewFact;
use crate::tracker::Project;

/// The most rows of one changeset. Larger changes are made in slices.
pub const MAX_ROWS: usize = 1_000;

/// What one command changes.
#[derive(Clone, Debug)]
pub struct Changeset {
    /// The tenant of all its rows.
    pub tenant: TenantId,
    /// The writes.
    pub writes: Vec<Write>,
    /// Versions of rows that the decision depends on but does not write.
    pub expects: Vec<Expect>,
    /// Further conditions, checked when all rows are locked.
    pub guards: Vec<Guard>,
    /// The facts about the writes.
    pub facts: Vec<NewFact>,
    /// The idempotency record.
    pub claim: Option<IdempotencyClaim>,
    /// The commit does not begin after this.
    pub deadline: Instant,
}

/// The result of a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Committed {
    /// Everything is stored.
    Stored,
    /// Nothing is stored, because another command used the key before.
    Replayed(Box<IdempotencyRecord>),
}

impl Changeset {
    /// Creates an empty changeset for the request's tenant.
    #[must_use]
    pub fn new(ctx: &Ctx) -> Self {
        Self {
            tenant: ctx.tenant,
            writes: Vec::new(),
            expects: Vec::new(),
            guards: Vec::new(),
            facts: Vec::new(),
            claim: None,
            deadline: ctx.deadline,
        }
    }

    /// Moves the changeset to another tenant, for operators.
    #[must_use]
    pub fn of_tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = tenant;
        self
    }

    /// Adds a write.
    #[must_use]
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// Adds a new row.
    #[must_use]
    pub fn insert(self, record: impl Into<Record>) -> Self {
        self.write(Write::Insert(record.into()))
    }

    /// Adds a changed row.
    #[must_use]
    pub fn update(self, record: impl Into<Record>) -> Self {
        let record = record.into();
        let stored = record.expect().version.saturating_sub(1);
        self.write(Write::Update(record, stored))
    }

    /// Adds the removal of a row.
    #[must_use]
    pub fn delete(self, record: impl Into<Record>) -> Self {
        self.write(Write::Delete(record.into()))
    }

    /// Adds a dependency on the version of a row that is not written.
    #[must_use]
    pub fn expect(mut self, record: &impl Versioned) -> Self {
        self.expects.push(record.expect());
        self
    }

    /// Adds a dependency on a project and its state machine.
    #[must_use]
    pub fn expect_machine(mut self, project: &Project) -> Self {
        self.expects.push(Expect { machines: Some(project.machines), ..project.expect() });
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guards.push(guard);
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, fact: NewFact) -> Self {
        self.facts.push(fact);
        self
    }

    /// Returns whether there is nothing to store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.facts.is_empty()
    }

    /// Refuses a changeset that is too large for one transaction.
    pub fn check(&self) -> Result<()> {
        let rows = self.writes.len() + self.facts.len();
        if rows > MAX_ROWS {
            let message = format!("the command would change {rows} rows at once; {MAX_ROWS} are allowed");
            return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
        }
        Ok(())
    }
}
