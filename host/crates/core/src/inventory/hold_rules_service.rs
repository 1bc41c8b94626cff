//! The service of tenants' hold rules.

use std::sync::Arc;

use crate::access::{ObjectKind, Operation};
use crate::changeset::Changeset;
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::inventory::{HoldRules, TenantHoldRules};
use crate::outbox::{NewFact, ObjectRef};
use crate::ports::Store;
use crate::text::Faults;
use crate::value::diff;

/// Reads and sets hold rules.
#[derive(Clone)]
pub struct HoldRulesService {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl HoldRulesService {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Returns the tenant's rules.
    pub async fn get(&self, ctx: &Ctx) -> Result<TenantHoldRules> {
        ctx.allow(Operation::HoldRulesGet)?;
        self.current(ctx).await
    }

    /// Sets the tenant's rules. They apply to later reservations and extensions.
    pub async fn set(&self, ctx: &Ctx, rules: HoldRules) -> Result<TenantHoldRules> {
        let decide = || async {
            let mut faults = Faults::default();
            rules.check(&mut faults);
            faults.into_result()?;
            let before = self.current(ctx).await?;
            ctx.check_version(before.version)?;
            if before.rules == rules && before.version > 0 {
                return Ok(Decision::nothing(before));
            }
            let after = TenantHoldRules { rules, updated_at: ctx.now, version: before.version + 1, ..before };
            let object = ObjectRef {
                kind: ObjectKind::TenantHoldRules,
                id: after.id.to_string(),
                version: after.version,
            };
            let changes = diff(Some(&before), Some(&after));
            let changeset = Changeset::new(ctx).fact(NewFact::new(ctx, "hold_rules.set", object, changes));
            let changeset =
                if before.version == 0 { changeset.insert(after) } else { changeset.update(after) };
            Ok(Decision::change(changeset, after))
        };
        self.commands.run(ctx, Operation::HoldRulesSet, &(rules, &ctx.if_version), decide).await
    }

    async fn current(&self, ctx: &Ctx) -> Result<TenantHoldRules> {
        let stored = self.store.hold_rules(ctx.tenant).await?;
        let unset =
            TenantHoldRules { id: ctx.tenant, rules: HoldRules::default(), updated_at: ctx.now, version: 0 };
        Ok(stored.unwrap_or(unset))
    }
}
