//! The service of pricing rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::access::{ObjectKind, Operation};
use crate::changeset::{Changeset, Guard};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, RuleId, TenantId, TicketTypeId};
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::pricing::PricingSettings;
use crate::pricing::rule::{ChangeRule, MAX_RULES, PricingRule, WriteRule};
use crate::value::diff;

/// Creates, reads, changes and deletes pricing rules.
#[derive(Clone)]
pub struct PricingRules {
    store: Arc<dyn Store>,
    commands: Commands,
    settings: PricingSettings,
}

impl PricingRules {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, settings: PricingSettings) -> Self {
        Self { store, commands, settings }
    }

    /// Creates a rule.
    pub async fn create(&self, ctx: &Ctx, command: WriteRule) -> Result<PricingRule> {
        let decide = || async {
            command.check()?;
            self.settings.check_applies(&command)?;
            check_references(&*self.store, ctx.tenant, command.event, &types(&command)).await?;
            if self.store.pricing_rules(ctx.tenant).await?.len() >= MAX_RULES {
                let message = format!("the tenant has {MAX_RULES} pricing rules, and may have no more");
                return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
            }
            let (id, attributes) = (RuleId::generate(), command.clone());
            let rule = PricingRule { id, attributes, created_at: ctx.now, updated_at: ctx.now, version: 1 };
            let fact = fact(ctx, "pricing_rule.created", None, &rule);
            let changeset = Changeset::new(ctx).guard(Guard::FewerRules(MAX_RULES)).fact(fact);
            Ok(Decision::change(changeset.insert(rule.clone()), rule))
        };
        self.commands.run(ctx, Operation::PricingRuleCreate, &command, decide).await
    }

    /// Returns a rule.
    pub async fn get(&self, ctx: &Ctx, id: RuleId) -> Result<PricingRule> {
        ctx.allow(Operation::PricingRuleGet)?;
        self.found(ctx, id).await
    }

    /// Returns a page of rules.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<PricingRule>> {
        ctx.allow(Operation::PricingRuleList)?;
        self.store.pricing_rule_page(ctx.tenant, page).await
    }

    /// Returns the rules that may apply to an event, in the order in which they apply.
    pub async fn of_event(&self, ctx: &Ctx, event: EventId) -> Result<Vec<PricingRule>> {
        ctx.allow(Operation::PricingRulesOfEvent)?;
        self.store.event(ctx.tenant, event).await?.ok_or_else(|| Error::not_found("event"))?;
        let mut rules = self.store.pricing_rules(ctx.tenant).await?;
        rules.retain(|rule| rule.applies_to(event) && self.settings.applies(rule.attributes.kind));
        rules.sort_by_key(PricingRule::rank);
        Ok(rules)
    }

    /// Changes a rule.
    pub async fn update(&self, ctx: &Ctx, id: RuleId, command: ChangeRule) -> Result<PricingRule> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let attributes = command.clone().apply_to(&before.attributes);
            let mut after = PricingRule { attributes, ..before.clone() };
            after.attributes.check()?;
            self.settings.check_applies(&after.attributes)?;
            let (old, new) = (&before.attributes, &after.attributes);
            // A rule whose ticket type was deleted can still be disabled.
            if (new.event, &new.ticket_types) != (old.event, &old.ticket_types) {
                check_references(&*self.store, ctx.tenant, new.event, &types(new)).await?;
            }
            if after == before {
                return Ok(Decision::nothing(after));
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let fact = fact(ctx, "pricing_rule.updated", Some(&before), &after);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(after.clone()), after))
        };
        self.commands.run(ctx, Operation::PricingRuleUpdate, &(id, &command, &ctx.if_version), decide).await
    }

    /// Deletes a rule. Quotes that it was applied to stay as they are.
    pub async fn delete(&self, ctx: &Ctx, id: RuleId) -> Result<()> {
        let decide = || async {
            let rule = self.found(ctx, id).await?;
            ctx.check_version(rule.version)?;
            let object = object(&rule, rule.version + 1);
            let fact = NewFact::new(ctx, "pricing_rule.deleted", object, diff(Some(&rule), None));
            Ok(Decision::change(Changeset::new(ctx).fact(fact).delete(rule), ()))
        };
        self.commands.run(ctx, Operation::PricingRuleDelete, &(id, &ctx.if_version), decide).await
    }

    async fn found(&self, ctx: &Ctx, id: RuleId) -> Result<PricingRule> {
        let rule = self.store.pricing_rule(ctx.tenant, id).await?;
        rule.ok_or_else(|| Error::not_found("pricing-rule"))
    }
}

/// Returns the ticket types that a rule names, with the field.
fn types(rule: &WriteRule) -> [(&'static str, &BTreeSet<TicketTypeId>); 1] {
    [("ticket_type_ids", &rule.ticket_types)]
}

/// Refuses an event or ticket types that do not exist. If there is an event, the ticket types must be its own.
pub(super) async fn check_references(
    store: &dyn Store,
    tenant: TenantId,
    event: Option<EventId>,
    named: &[(&'static str, &BTreeSet<TicketTypeId>)],
) -> Result<()> {
    let mut known = BTreeSet::new();
    if let Some(event) = event {
        if store.event(tenant, event).await?.is_none() {
            return Err(Error::invalid("event_id", "is not an event of the tenant"));
        }
        if named.iter().any(|(_, types)| !types.is_empty()) {
            let types = store.ticket_types(tenant, event).await?;
            known.extend(types.into_iter().map(|ticket_type| ticket_type.id));
        }
    } else {
        for (_, types) in named {
            for id in *types {
                let ticket_type = store.ticket_type(tenant, *id).await?;
                known.extend(ticket_type.map(|ticket_type| ticket_type.id));
            }
        }
    }
    for (field, types) in named {
        if let Some(id) = types.difference(&known).next() {
            let message = format!("names {id}, which is not a ticket type of the event or the tenant");
            return Err(Error::invalid(field, message));
        }
    }
    Ok(())
}

fn object(rule: &PricingRule, version: u64) -> ObjectRef {
    ObjectRef { kind: ObjectKind::PricingRule, id: rule.id.to_string(), version }
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&PricingRule>, after: &PricingRule) -> NewFact {
    NewFact::new(ctx, fact_type, object(after, after.version), diff(before, Some(after)))
}
