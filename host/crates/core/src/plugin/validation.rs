//! Requests to validations: the objects that a changeset writes, as they are stored and as they would be.

use crate::changeset::{Changeset, Record, Versioned as _, Write};
use crate::id::{EventId, ProjectId};
use crate::plugin::entity::merge_changes;
use crate::plugin::{Entity, Validation};
use crate::value::Change;

/// The project or the event that an object belongs to.
type Place = (Option<ProjectId>, Option<EventId>);

/// Returns a request for each object that a changeset writes, with where the object belongs.
pub(super) fn requests(changeset: &Changeset) -> Vec<(Validation, Place)> {
    let requests = changeset.writes.iter().filter_map(|write| {
        let (operation, record, stored_version) = match write {
            Write::Insert(record) => ("create", record, None),
            Write::Update(record, stored) => ("update", record, Some(*stored)),
            Write::Delete(record) => ("delete", record, None),
            _ => return None,
        };
        let (subject, place) = entity(record)?;
        let changes = changes_of(changeset, record);
        let before = match operation {
            "create" => None,
            "delete" => Some(subject.clone()),
            _ => Some(subject.before(&changes, stored_version.unwrap_or_default())),
        };
        let operation = operation.to_owned();
        Some((Validation { operation, subject, before, changes }, place))
    });
    requests.collect()
}

/// Merges the changes of all facts about an object.
fn changes_of(changeset: &Changeset, record: &Record) -> Vec<Change> {
    let row = record.expect();
    let facts = changeset.facts.iter();
    let facts = facts.filter(|fact| fact.object.kind == row.kind && fact.object.id == row.id);
    facts.fold(Vec::new(), |changes, fact| merge_changes(&changes, &fact.changes))
}

/// Returns the record as plugins see it, and where it belongs; `None` for records that plugins do not see.
fn entity(record: &Record) -> Option<(Entity, Place)> {
    match record {
        Record::Issue(issue) => Some((Entity::issue(issue), (Some(issue.project), None))),
        Record::Project(project) => Some((Entity::project(project), (Some(project.id), None))),
        Record::User(user) => Some((Entity::user(user), (None, None))),
        Record::Event(event) => Some((Entity::event(event), (None, Some(event.id)))),
        Record::TicketType(ticket_type) => {
            Some((Entity::ticket_type(ticket_type), (None, Some(ticket_type.event))))
        }
        Record::Tenant(_)
        | Record::Key(_)
        | Record::Release(_)
        | Record::Installation(_)
        | Record::Venue(_)
        | Record::Series(_)
        | Record::Pool(_)
        | Record::Lock(_)
        | Record::Reservation(_)
        | Record::Ticket(_)
        | Record::SigningKey(_)
        | Record::Queue(_)
        | Record::Booking(_)
        | Record::TenantHoldRules(_)
        | Record::PricingRule(_)
        | Record::Quote(_)
        | Record::Promotion(_) => None,
    }
}
