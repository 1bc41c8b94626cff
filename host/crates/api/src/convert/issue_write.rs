//! Reads requests that change issues.

use std::collections::BTreeMap;

use tessera_core::id::{IssueId, ProjectId};
use tessera_core::text::Faults;
use tessera_core::tracker::{BulkChange, ChangeIssue, CreateIssue};
use tessera_core::{Ctx, Result, Value};
use tessera_proto::issues::v1 as pb;

use crate::convert::mask::Mask;
use crate::convert::names::name;
use crate::convert::{non_empty, user_or_nobody, value};

/// The paths of an update mask. `status_name` and `status` name the same field.
const PATHS: [&str; 12] = [
    "summary",
    "description",
    "status",
    "resolution",
    "type",
    "priority",
    "assignee_id",
    "fields",
    "status_name",
    "resolution_name",
    "type_name",
    "priority_name",
];

/// Reads a request to create an issue.
pub(crate) fn create(ctx: &Ctx, request: pb::CreateIssueRequest) -> Result<CreateIssue> {
    let parent = non_empty(request.parent_id).map(|id| IssueId::parse("parent_id", &id)).transpose()?;
    Ok(CreateIssue {
        project: ProjectId::parse("project_id", &request.project_id)?,
        summary: request.summary,
        description: request.description,
        issue_type: name::<pb::Type>("type", request.r#type, &request.type_name)?,
        priority: name::<pb::Priority>("priority", request.priority, &request.priority_name)?,
        assignee: user_or_nobody(ctx, "assignee_id", request.assignee_id.as_deref().unwrap_or_default())?,
        parent,
        labels: request.labels,
        fields: value::decode_fields(request.fields)?,
    })
}

/// Reads an update of an issue. Without a mask, unset and empty fields stay, except that an assignee or description
/// that is set and empty is removed.
pub(crate) fn change(ctx: &Ctx, request: pb::UpdateIssueRequest) -> Result<ChangeIssue> {
    let mask = Mask::read(request.update_mask.clone(), &PATHS, Some("fields"))?;
    if mask.is_absent() { change_set_fields(ctx, request) } else { change_masked(ctx, request, &mask) }
}

fn change_set_fields(ctx: &Ctx, request: pb::UpdateIssueRequest) -> Result<ChangeIssue> {
    let assignee = request.assignee_id.map(|text| user_or_nobody(ctx, "assignee_id", &text)).transpose()?;
    Ok(ChangeIssue {
        summary: non_empty(request.summary),
        description: request.description.map(non_empty),
        status: name::<pb::Status>("status", request.status, &request.status_name)?,
        resolution: name::<pb::Resolution>("resolution", request.resolution, &request.resolution_name)?
            .map(Some),
        issue_type: name::<pb::Type>("type", request.r#type, &request.type_name)?,
        priority: name::<pb::Priority>("priority", request.priority, &request.priority_name)?,
        assignee,
        fields: value::decode_fields(request.fields)?,
        ..ChangeIssue::default()
    })
}

fn change_masked(ctx: &Ctx, request: pb::UpdateIssueRequest, mask: &Mask) -> Result<ChangeIssue> {
    let is_masked = |path: &str| mask.names(path) || mask.names(&format!("{path}_name"));
    let mut faults = Faults::default();
    let mut required = |field: &str, name: Result<Option<String>>| {
        if !is_masked(field) {
            return None;
        }
        let name = faults.take(name)?;
        if name.is_none() {
            faults.add(field, "must be given, because every issue has one");
        }
        name
    };
    let status = required("status", name::<pb::Status>("status", request.status, &request.status_name));
    let issue_type = required("type", name::<pb::Type>("type", request.r#type, &request.type_name));
    let priority =
        required("priority", name::<pb::Priority>("priority", request.priority, &request.priority_name));
    let resolution = if is_masked("resolution") {
        faults.take(name::<pb::Resolution>("resolution", request.resolution, &request.resolution_name))
    } else {
        None
    };
    faults.into_result()?;
    let assignee = mask.names("assignee_id").then(|| request.assignee_id.unwrap_or_default());
    Ok(ChangeIssue {
        summary: mask.keep("summary", request.summary),
        description: mask.keep("description", request.description.and_then(non_empty)),
        status,
        resolution,
        issue_type,
        priority,
        assignee: assignee.map(|text| user_or_nobody(ctx, "assignee_id", &text)).transpose()?,
        fields: masked_fields(value::decode_fields(request.fields)?, mask),
        ..ChangeIssue::default()
    })
}

/// Selects the fields of a mask; a selected field without a value is removed.
fn masked_fields(mut fields: BTreeMap<String, Value>, mask: &Mask) -> BTreeMap<String, Value> {
    let parts = mask.parts("fields").map(|name| (name.to_owned(), fields.remove(name).unwrap_or_default()));
    let mut selected: BTreeMap<_, _> = parts.collect();
    if mask.names("fields") {
        selected.extend(fields);
    }
    selected
}

/// Reads a request for a transition.
#[must_use]
pub(crate) fn transition(request: pb::TransitionIssueRequest) -> ChangeIssue {
    ChangeIssue {
        transition: non_empty(request.transition),
        status: non_empty(request.status),
        resolution: non_empty(request.resolution).map(Some),
        ..ChangeIssue::default()
    }
}

/// Reads a bulk update.
pub(crate) fn bulk(ctx: &Ctx, request: pb::BulkUpdateIssuesRequest) -> Result<BulkChange> {
    let ids = request.issue_ids.iter().enumerate();
    let issues = ids.map(|(index, id)| IssueId::parse(&format!("issue_ids[{index}]"), id));
    let issues = issues.collect::<Result<_>>()?;
    let change = request.change.unwrap_or_default();
    let assignee = change.assignee_id.map(|text| user_or_nobody(ctx, "assignee_id", &text)).transpose()?;
    let change = ChangeIssue {
        status: change.status,
        resolution: change.resolution.map(non_empty),
        issue_type: change.r#type,
        priority: change.priority,
        assignee,
        add_labels: change.add_labels,
        remove_labels: change.remove_labels,
        ..ChangeIssue::default()
    };
    Ok(BulkChange { issues, change })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Instant;

    use super::*;
    use prost_types::FieldMask;
    use tessera_core::id::TenantId;
    use tessera_core::{Principal, Timestamp, Transport};
    use tessera_proto::common::v1::Value as PbValue;
    use tessera_proto::common::v1::value::Kind;

    fn ctx() -> Ctx {
        let times = (Timestamp::default(), Instant::now());
        Ctx::new(TenantId::generate(), Principal::System, "r".into(), times, Transport::Grpc)
    }

    fn masked(paths: &[&str], request: pb::UpdateIssueRequest) -> Result<ChangeIssue> {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        change(&ctx(), pb::UpdateIssueRequest { update_mask: Some(FieldMask { paths }), ..request })
    }

    #[test]
    fn unmasked_update_keeps_unset_fields() {
        let command = change(&ctx(), pb::UpdateIssueRequest::default()).unwrap();
        assert!(command.summary.is_none() && command.description.is_none() && command.assignee.is_none());
        assert!(command.status.is_none() && command.resolution.is_none() && command.issue_type.is_none());
        let request = pb::UpdateIssueRequest {
            description: Some(String::new()),
            assignee_id: Some(String::new()),
            status: 4,
            resolution_name: "DONE".into(),
            ..Default::default()
        };
        let command = change(&ctx(), request).unwrap();
        assert_eq!((command.description, command.assignee), (Some(None), Some(None)));
        assert_eq!(command.status.as_deref(), Some("RESOLVED"));
        assert_eq!(command.resolution, Some(Some("DONE".into())));
    }

    #[test]
    fn masked_update_changes_only_the_masked_fields() {
        let request =
            pb::UpdateIssueRequest { summary: "s".into(), status: 2, priority: 99, ..Default::default() };
        let command = masked(&["description", "resolution", "assignee_id"], request.clone()).unwrap();
        assert_eq!((&command.summary, &command.status), (&None, &None));
        assert_eq!(command.description, Some(None));
        assert_eq!((command.resolution, command.assignee), (Some(None), Some(None)));
        let command = masked(&["summary", "status_name"], request.clone()).unwrap();
        assert_eq!((command.summary.as_deref(), command.status.as_deref()), (Some("s"), Some("ASSIGNED")));
        let error = masked(&["type", "priority"], request.clone()).unwrap_err();
        let fields: Vec<_> = error.faults().iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["type", "priority"]);
        assert!(masked(&["labels"], request).is_err());
    }

    #[test]
    fn mask_selects_single_fields_or_all() {
        let text = |text: &str| PbValue { kind: Some(Kind::Text(text.to_owned())) };
        let fields = BTreeMap::from([("a".to_owned(), text("1")), ("b".to_owned(), text("2"))]);
        let request = pb::UpdateIssueRequest { fields, ..Default::default() };
        let one = masked(&["fields.a", "fields.gone"], request.clone()).unwrap().fields;
        let expected = [("a".to_owned(), Value::from("1")), ("gone".to_owned(), Value::None)];
        assert_eq!(one, expected.into());
        assert_eq!(masked(&["fields"], request.clone()).unwrap().fields.len(), 2);
        assert!(masked(&["summary"], request).unwrap().fields.is_empty());
    }

    #[test]
    fn me_is_refused_without_a_user() {
        let request = pb::UpdateIssueRequest { assignee_id: Some("me".into()), ..Default::default() };
        assert_eq!(change(&ctx(), request).unwrap_err().faults()[0].field, "assignee_id");
    }
}
