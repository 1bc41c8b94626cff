//! Entities: the tenant's objects as plugins see them.

use std::collections::BTreeMap;

use crate::admission::Ticket;
use crate::catalog::{Event, TicketType};
use crate::inventory::Reservation;
use crate::tracker::{Issue, Project, User};
use crate::value::{Change, Field, Snapshot, Value};

/// An object as plugins see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entity {
    /// `issue`, `project`, `user`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its version; 0 if it is not stored yet.
    pub version: u64,
    /// Its fields.
    pub fields: Vec<Field>,
}

impl Entity {
    /// Returns an issue as an entity.
    #[must_use]
    pub fn issue(issue: &Issue) -> Self {
        let times = [("created_at", issue.created_at), ("modified_at", issue.modified_at)];
        Self::of(&issue.kind, issue.id.to_string(), issue.version, issue, &times)
    }

    /// Returns a project as an entity.
    #[must_use]
    pub fn project(project: &Project) -> Self {
        let times = [("created_at", project.created_at), ("updated_at", project.updated_at)];
        Self::of("project", project.id.to_string(), project.version, project, &times)
    }

    /// Returns a user as an entity.
    #[must_use]
    pub fn user(user: &User) -> Self {
        let times = [("created_at", user.created_at), ("updated_at", user.updated_at)];
        Self::of("user", user.id.to_string(), user.version, user, &times)
    }

    /// Returns an event as an entity.
    #[must_use]
    pub fn event(event: &Event) -> Self {
        let times = [("created_at", event.created_at), ("updated_at", event.updated_at)];
        Self::of("event", event.id.to_string(), event.version, event, &times)
    }

    /// Returns a ticket type as an entity.
    #[must_use]
    pub fn ticket_type(ticket_type: &TicketType) -> Self {
        let times = [("created_at", ticket_type.created_at), ("updated_at", ticket_type.updated_at)];
        Self::of("ticket-type", ticket_type.id.to_string(), ticket_type.version, ticket_type, &times)
    }

    /// Returns a reservation as an entity.
    #[must_use]
    pub fn reservation(reservation: &Reservation) -> Self {
        let times = [("created_at", reservation.created_at), ("updated_at", reservation.updated_at)];
        let mut entity =
            Self::of("reservation", reservation.id.to_string(), reservation.version, reservation, &times);
        entity.fields.push(Field::new("quantity", Value::count(Some(reservation.units.len() as u64))));
        entity
    }

    /// Returns a ticket as an entity.
    #[must_use]
    pub fn ticket(ticket: &Ticket) -> Self {
        let times = [("created_at", ticket.created_at), ("updated_at", ticket.updated_at)];
        Self::of("ticket", ticket.id.to_string(), ticket.version, ticket, &times)
    }

    fn of(
        kind: &str,
        id: String,
        version: u64,
        object: &impl Snapshot,
        times: &[(&str, crate::Timestamp)],
    ) -> Self {
        let mut fields = object.snapshot();
        fields.retain(|field| !field.value.is_none());
        fields.extend(times.iter().map(|(name, at)| Field::new(*name, *at)));
        Self { kind: kind.to_owned(), id, version, fields }
    }

    /// Returns the entity as it was before the changes.
    #[must_use]
    pub fn before(&self, changes: &[Change], version: u64) -> Self {
        let mut fields = self.fields.clone();
        for change in changes {
            fields.retain(|field| field.name != change.field);
            // Comments and links are changes of the object, but not fields of it.
            let is_field = !change.field.starts_with("comments.") && !change.field.starts_with("links.");
            if is_field && !change.before.is_none() {
                fields.push(Field { name: change.field.clone(), value: change.before.clone() });
            }
        }
        Self { kind: self.kind.clone(), id: self.id.clone(), version, fields }
    }

    /// Returns the differences between two entities; without `before`, all fields are new.
    #[must_use]
    pub fn changes(before: Option<&Self>, after: &Self) -> Vec<Change> {
        let olds: BTreeMap<_, _> = before
            .into_iter()
            .flat_map(|entity| &entity.fields)
            .map(|f| (f.name.as_str(), &f.value))
            .collect();
        let news: BTreeMap<_, _> = after.fields.iter().map(|f| (f.name.as_str(), &f.value)).collect();
        let names = olds.keys().chain(news.keys()).collect::<std::collections::BTreeSet<_>>();
        let value = |fields: &BTreeMap<&str, &Value>, name: &str| {
            fields.get(name).map_or(Value::None, |value| (*value).clone())
        };
        names
            .into_iter()
            .map(|name| Change {
                field: (*name).to_owned(),
                before: value(&olds, name),
                after: value(&news, name),
            })
            .filter(|change| change.before != change.after)
            .collect()
    }
}

/// Merges two lists of changes that followed each other.
#[must_use]
pub(crate) fn merge_changes(first: &[Change], then: &[Change]) -> Vec<Change> {
    let mut all = first.to_vec();
    for change in then {
        match all.iter_mut().find(|earlier| earlier.field == change.field) {
            Some(earlier) => earlier.after = change.after.clone(),
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
    fn earlier_entity_is_derived_from_changes() {
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
        let changes = Entity::changes(Some(&before), &after);
        assert_eq!(changes, [change("changed", "3", "4"), change("new", "", "2")]);
    }

    #[test]
    fn consecutive_changes_are_merged() {
        let first = [change("a", "1", "2"), change("b", "", "x")];
        let then = [change("a", "2", "3"), change("b", "x", ""), change("c", "", "y")];
        assert_eq!(merge_changes(&first, &then), [change("a", "1", "3"), change("c", "", "y")]);
    }
}
