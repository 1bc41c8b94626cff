//! How long reservations of a tenant are held where their event does not say.

use std::sync::Arc;

use crate::access::{ObjectKind, Operation};
use crate::catalog::event::HoldRules;
use crate::changeset::Changeset;
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::TenantId;
use crate::outbox::{NewFact, ObjectRef};
use crate::ports::Store;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value, diff};

/// A tenant's rules.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TenantHolds {
    /// The tenant.
    pub id: TenantId,
    /// The rules; what is absent is as Tessera has it.
    pub rules: HoldRules,
    /// When they were last changed.
    pub updated_at: Timestamp,
    /// Counts their changes; 0: nobody has said anything.
    pub version: u64,
}

impl Snapshot for TenantHolds {
    fn snapshot(&self) -> Vec<Field> {
        let seconds = |seconds: Option<u32>| Value::count(seconds.map(u64::from));
        vec![
            Field::new("hold_seconds", seconds(self.rules.usual)),
            Field::new("hold_min_seconds", seconds(self.rules.least)),
            Field::new("hold_max_seconds", seconds(self.rules.most)),
        ]
    }
}

/// Carries out what is done with a tenant's rules.
#[derive(Clone)]
pub struct Holding {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Holding {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Shows the tenant's rules.
    pub async fn get(&self, ctx: &Ctx) -> Result<TenantHolds> {
        ctx.allow(Operation::HoldRulesGet)?;
        self.held(ctx).await
    }

    /// Gives the tenant other rules. They hold for what is reserved or extended from then on.
    pub async fn set(&self, ctx: &Ctx, rules: HoldRules) -> Result<TenantHolds> {
        let decide = || async {
            let mut faults = Faults::default();
            rules.check(&mut faults);
            faults.into_result()?;
            let before = self.held(ctx).await?;
            ctx.check_version(before.version)?;
            if before.rules == rules && before.version > 0 {
                return Ok(Decision::nothing(before));
            }
            let after = TenantHolds { rules, updated_at: ctx.now, version: before.version + 1, ..before };
            let object =
                ObjectRef { kind: ObjectKind::TenantHolds, id: after.id.to_string(), version: after.version };
            let changes = diff(Some(&before), Some(&after));
            let changeset = Changeset::new(ctx).fact(NewFact::new(ctx, "hold_rules.set", object, changes));
            let changeset =
                if before.version == 0 { changeset.insert(after) } else { changeset.update(after) };
            Ok(Decision::change(changeset, after))
        };
        self.commands.run(ctx, Operation::HoldRulesSet, &(rules, ctx.if_version), decide).await
    }

    async fn held(&self, ctx: &Ctx) -> Result<TenantHolds> {
        let held = self.store.hold_rules(ctx.tenant).await?;
        let nothing =
            TenantHolds { id: ctx.tenant, rules: HoldRules::default(), updated_at: ctx.now, version: 0 };
        Ok(held.unwrap_or(nothing))
    }
}
