//! How plugins are told of objects: as entities, from what a changeset writes.

use std::collections::BTreeMap;

use crate::admission::Ticket;
use crate::catalog::{Event, TicketType};
use crate::ctx::{Ctx, Principal};
use crate::inventory::Reservation;
use crate::plugin::{CallContext, Entity, PluginRequest};
use crate::tracker::{Issue, Project, User};
use crate::value::{Change, Field, Snapshot, Value};

impl PluginRequest {
    /// The contract's function that is called.
    #[must_use]
    pub const fn function(&self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Validate(..) => "validate",
            Self::DescribeMachine(_) => "describe-machine",
            Self::DescribeCommands(_) => "describe-commands",
            Self::Guard(..) => "guard",
            Self::OnChange(..) => "on-change",
            Self::OnTimer(..) => "on-timer",
            Self::OnCommand(..) => "on-command",
            Self::Quote(..) => "quote",
        }
    }

    /// What it is about: a kind and an id.
    #[must_use]
    pub fn subject(&self) -> Option<(String, String)> {
        let entity = match self {
            Self::Validate(_, request) => &request.subject,
            Self::Guard(_, issue, _)
            | Self::OnChange(_, issue, ..)
            | Self::OnTimer(_, issue, _)
            | Self::OnCommand(_, issue, ..) => issue,
            Self::Describe | Self::DescribeMachine(_) | Self::DescribeCommands(_) | Self::Quote(..) => {
                return None;
            }
        };
        Some((entity.kind.clone(), entity.id.clone()))
    }
}

impl CallContext {
    /// The circumstances of a request; `invocation` is the same for every attempt at one call.
    #[must_use]
    pub fn of(ctx: &Ctx, invocation: String, cause: Vec<String>) -> Self {
        let (actor, roles) = match &ctx.principal {
            Principal::Key { user: Some(user), roles, .. } => (user.to_string(), &**roles),
            Principal::Key { roles, .. } => (ctx.principal.to_string(), &**roles),
            Principal::System | Principal::Anonymous => (ctx.principal.to_string(), &[][..]),
        };
        Self {
            tenant: ctx.tenant.to_string(),
            invocation,
            now: ctx.now,
            actor,
            roles: roles.iter().map(|role| role.name().to_owned()).collect(),
            dry_run: false,
            cause,
            attributes: vec![Field::new("transport", ctx.transport.name())],
        }
    }
}

impl Entity {
    /// An issue.
    #[must_use]
    pub fn issue(issue: &Issue) -> Self {
        let times = [("created_at", issue.created_at), ("modified_at", issue.modified_at)];
        Self::of(&issue.kind, issue.id.to_string(), issue.version, issue, &times)
    }

    /// A project.
    #[must_use]
    pub fn project(project: &Project) -> Self {
        let times = [("created_at", project.created_at), ("updated_at", project.updated_at)];
        Self::of("project", project.id.to_string(), project.version, project, &times)
    }

    /// A user.
    #[must_use]
    pub fn user(user: &User) -> Self {
        let times = [("created_at", user.created_at), ("updated_at", user.updated_at)];
        Self::of("user", user.id.to_string(), user.version, user, &times)
    }

    /// An event.
    #[must_use]
    pub fn event(event: &Event) -> Self {
        let times = [("created_at", event.created_at), ("updated_at", event.updated_at)];
        Self::of("event", event.id.to_string(), event.version, event, &times)
    }

    /// A ticket type.
    #[must_use]
    pub fn ticket_type(held: &TicketType) -> Self {
        let times = [("created_at", held.created_at), ("updated_at", held.updated_at)];
        Self::of("ticket-type", held.id.to_string(), held.version, held, &times)
    }

    /// A reservation.
    #[must_use]
    pub fn reservation(held: &Reservation) -> Self {
        let times = [("created_at", held.created_at), ("updated_at", held.updated_at)];
        let mut entity = Self::of("reservation", held.id.to_string(), held.version, held, &times);
        entity.fields.push(Field::new("quantity", Value::count(Some(held.units.len() as u64))));
        entity
    }

    /// A ticket.
    #[must_use]
    pub fn ticket(held: &Ticket) -> Self {
        let times = [("created_at", held.created_at), ("updated_at", held.updated_at)];
        Self::of("ticket", held.id.to_string(), held.version, held, &times)
    }

    fn of(
        kind: &str,
        id: String,
        version: u64,
        held: &impl Snapshot,
        times: &[(&str, crate::Timestamp)],
    ) -> Self {
        let mut fields = held.snapshot();
        fields.retain(|field| !field.value.is_none());
        fields.extend(times.iter().map(|(name, at)| Field::new(*name, *at)));
        Self { kind: kind.to_owned(), id, version, fields }
    }

    /// The entity as it was before the changes.
    #[must_use]
    pub fn before(&self, changes: &[Change], version: u64) -> Self {
        let mut fields = self.fields.clone();
        for change in changes {
            fields.retain(|field| field.name != change.field);
            // What hangs on the object is told as a change, and is no field of it.
            let is_field = !change.field.starts_with("comments.") && !change.field.starts_with("links.");
            if is_field && !change.before.is_none() {
                fields.push(Field { name: change.field.clone(), value: change.before.clone() });
            }
        }
        Self { kind: self.kind.clone(), id: self.id.clone(), version, fields }
    }

    /// What differs between two entities; none stands for absence.
    #[must_use]
    pub fn changes(before: Option<&Self>, after: &Self) -> Vec<Change> {
        let olds: BTreeMap<_, _> =
            before.into_iter().flat_map(|held| &held.fields).map(|f| (f.name.as_str(), &f.value)).collect();
        let news: BTreeMap<_, _> = after.fields.iter().map(|f| (f.name.as_str(), &f.value)).collect();
        let names = olds.keys().chain(news.keys()).collect::<std::collections::BTreeSet<_>>();
        let held = |fields: &BTreeMap<&str, &Value>, name: &str| {
            fields.get(name).map_or(Value::None, |value| (*value).clone())
        };
        names
            .into_iter()
            .map(|name| Change {
                field: (*name).to_owned(),
                before: held(&olds, name),
                after: held(&news, name),
            })
            .filter(|change| change.before != change.after)
            .collect()
    }
}

/// One change out of two that followed each other.
#[must_use]
pub(crate) fn merged(first: &[Change], then: &[Change]) -> Vec<Change> {
    let mut all = first.to_vec();
    for change in then {
        match all.iter_mut().find(|held| held.field == change.field) {
            Some(held) => held.after = change.after.clone(),
            None => all.push(change.clone()),
        }
    }
    all.retain(|change| change.before != change.after);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(field: &str, before: &str, after: &str) -> Change {
        let value = |text: &str| if text.is_empty() { Value::None } else { Value::from(text) };
        Change { field: field.into(), before: value(before), after: value(after) }
    }

    #[test]
    fn what_was_before_is_found_from_what_changed() {
        let entity = |fields: &[(&str, &str)], version| Entity {
            kind: "issue".into(),
            id: "1".into(),
            version,
            fields: fields.iter().map(|(name, value)| Field::new(*name, *value)).collect(),
        };
        let after = entity(&[("same", "1"), ("new", "2"), ("changed", "4")], 7);
        let changes = [change("new", "", "2"), change("changed", "3", "4"), change("comments.x", "", "hi")];
        let before = after.before(&changes, 6);
        assert_eq!(before, entity(&[("same", "1"), ("changed", "3")], 6));
        let said = Entity::changes(Some(&before), &after);
        assert_eq!(said, [change("changed", "3", "4"), change("new", "", "2")]);
    }

    #[test]
    fn changes_that_follow_each_other_are_one() {
        let first = [change("a", "1", "2"), change("b", "", "x")];
        let then = [change("a", "2", "3"), change("b", "x", ""), change("c", "", "y")];
        assert_eq!(merged(&first, &then), [change("a", "1", "3"), change("c", "", "y")]);
    }
}
