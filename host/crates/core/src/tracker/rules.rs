//! The rules of changes of issues: pure functions of the issue, its project's scheme and a command.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, ErrorKind, Result};
use crate::id::{IssueId, ProjectId, UserId};
use crate::text::Faults;
use crate::time::Timestamp;
use crate::tracker::issue::{Issue, KIND};
use crate::tracker::machine::{Machine, Transition};
use crate::tracker::scheme::{Scheme, check_name};
use crate::value::Value;

/// The most labels of an issue.
const MAX_LABELS: usize = 50;

/// The most bytes of an issue's scheme-defined fields in total.
pub const MAX_FIELD_BYTES: usize = 192 * 1024;

/// The command that creates an issue.
#[derive(Clone, Hash, Debug)]
pub struct CreateIssue {
    /// The project.
    pub project: ProjectId,
    /// A summary of one line.
    pub summary: String,
    /// The description.
    pub description: Option<String>,
    /// The type; `None`: the scheme's default.
    pub issue_type: Option<String>,
    /// The priority; `None`: the scheme's default.
    pub priority: Option<String>,
    /// The assignee.
    pub assignee: Option<UserId>,
    /// The parent.
    pub parent: Option<IssueId>,
    /// The labels.
    pub labels: Vec<String>,
    /// The fields that the scheme defines.
    pub fields: BTreeMap<String, Value>,
}

/// The command that changes an issue; `None` keeps a value.
#[derive(Clone, Hash, Debug, Default)]
pub struct ChangeIssue {
    /// A summary of one line.
    pub summary: Option<String>,
    /// The description.
    pub description: Option<Option<String>>,
    /// The state to change to.
    pub status: Option<String>,
    /// The name of the transition to make, instead of a state.
    pub transition: Option<String>,
    /// The resolution.
    pub resolution: Option<Option<String>>,
    /// The type.
    pub issue_type: Option<String>,
    /// The priority.
    pub priority: Option<String>,
    /// The assignee.
    pub assignee: Option<Option<UserId>>,
    /// The fields that the scheme defines; `Value::None` removes one.
    pub fields: BTreeMap<String, Value>,
    /// Labels to add.
    pub add_labels: Vec<String>,
    /// Labels to remove.
    pub remove_labels: Vec<String>,
}

/// Returns a new issue of a project with that scheme.
pub fn create(
    command: &CreateIssue,
    scheme: &Scheme,
    reporter: Option<UserId>,
    now: Timestamp,
) -> Result<Issue> {
    let mut faults = Faults::default();
    let or_default =
        |text: &Option<String>, default: &String| text.clone().unwrap_or_else(|| default.clone());
    let issue = Issue {
        id: IssueId::generate(),
        project: command.project,
        kind: KIND.to_owned(),
        summary: command.summary.clone(),
        description: command.description.clone().filter(|text| !text.is_empty()),
        status: initial_state(command, &scheme.machine, &mut faults),
        resolution: None,
        issue_type: or_default(&command.issue_type, &scheme.default_type),
        priority: or_default(&command.priority, &scheme.default_priority),
        assignee: command.assignee,
        reporter,
        parent: command.parent,
        labels: labels(&command.labels, &mut faults),
        fields: command.fields.clone().into_iter().filter(|(_, value)| !value.is_none()).collect(),
        created_at: now,
        modified_at: now,
        version: 1,
    };
    check_texts(&issue, &mut faults);
    faults.take(check_name("type", &issue.issue_type, &scheme.types));
    faults.take(check_name("priority", &issue.priority, &scheme.priorities));
    check_fields(&issue, scheme, issue.fields.keys(), &mut faults);
    check_required(&issue, scheme, &mut faults);
    faults.into_result()?;
    Ok(issue)
}

/// Returns the state of a new issue: that of an assigned one if it has an assignee.
fn initial_state(command: &CreateIssue, machine: &Machine, faults: &mut Faults) -> String {
    let assigned = machine.assigned(&machine.initial).filter(|_| command.assignee.is_some());
    if let Some(state) = assigned.filter(|state| machine.needs_resolution(state)) {
        faults.add(
            "assignee_id",
            format_args!("must be empty: assignment leads to {state}, which requires a resolution"),
        );
    }
    assigned.unwrap_or(&machine.initial).to_owned()
}

/// Returns the name of the transition that a command makes.
pub fn transition_name(before: &Issue, command: &ChangeIssue, scheme: &Scheme) -> Result<Option<String>> {
    Ok(target(before, command, scheme)?.map(|transition| transition.name.clone()))
}

/// Returns the issue after a command; with the same version if nothing changes.
pub fn change(before: &Issue, command: &ChangeIssue, scheme: &Scheme, now: Timestamp) -> Result<Issue> {
    let mut faults = Faults::default();
    let mut after = before.clone();
    if let Some(summary) = &command.summary {
        after.summary.clone_from(summary);
    }
    if let Some(description) = &command.description {
        after.description = description.clone().filter(|text| !text.is_empty());
    }
    check_texts(&after, &mut faults);
    for (field, new, value, known) in [
        ("type", &command.issue_type, &mut after.issue_type, &scheme.types),
        ("priority", &command.priority, &mut after.priority, &scheme.priorities),
    ] {
        if let Some(name) = new {
            faults.take(check_name(field, name, known));
            value.clone_from(name);
        }
    }
    if let Some(assignee) = command.assignee {
        after.assignee = assignee;
    }
    change_labels(&mut after, command, &mut faults);
    change_fields(&mut after, command, scheme, &mut faults);
    faults.into_result()?;
    change_state(before, &mut after, command, scheme)?;
    if after != *before {
        after.version += 1;
        after.modified_at = now;
    }
    Ok(after)
}

/// Returns the issue in another project, if it fits the scheme there.
pub fn move_to(before: &Issue, project: ProjectId, scheme: &Scheme, now: Timestamp) -> Result<Issue> {
    let mut faults = Faults::default();
    let states: Vec<_> = scheme.machine.states.iter().map(|state| state.name.clone()).collect();
    faults.take(check_name("status", &before.status, &states));
    faults.take(check_name("type", &before.issue_type, &scheme.types));
    faults.take(check_name("priority", &before.priority, &scheme.priorities));
    if let Some(resolution) = &before.resolution {
        faults.take(check_name("resolution", resolution, &scheme.resolutions));
    }
    check_fields(before, scheme, before.fields.keys(), &mut faults);
    check_required(before, scheme, &mut faults);
    faults.into_result()?;
    Ok(Issue { project, version: before.version + 1, modified_at: now, ..before.clone() })
}

/// Returns the fields that a transition requires and the issue lacks.
#[must_use]
pub fn missing<'a>(issue: &Issue, transition: &'a Transition) -> Vec<&'a str> {
    let has_value = |field: &str| match field {
        "description" => issue.description.is_some(),
        "resolution" => issue.resolution.is_some(),
        "assignee_id" => issue.assignee.is_some(),
        "parent_id" => issue.parent.is_some(),
        own => own.strip_prefix("fields.").is_some_and(|name| issue.fields.contains_key(name)),
    };
    transition.requires.iter().map(String::as_str).filter(|field| !has_value(field)).collect()
}

fn change_state(before: &Issue, after: &mut Issue, command: &ChangeIssue, scheme: &Scheme) -> Result<()> {
    let machine = &scheme.machine;
    let transition = target(before, command, scheme)?;
    let assigned = before.assignee.is_none() && after.assignee.is_some();
    if let Some(status) = machine.assigned(&before.status).filter(|_| assigned && transition.is_none()) {
        status.clone_into(&mut after.status);
    }
    if let Some(transition) = transition {
        after.status.clone_from(&transition.to);
    }
    change_resolution(after, command, scheme)?;
    let missing = transition.map(|transition| missing(after, transition)).unwrap_or_default();
    let mut faults = Faults::default();
    for field in missing {
        faults.add(
            field,
            format_args!("is required for the transition from {} to {}", before.status, after.status),
        );
    }
    faults.into_result()
}

fn change_resolution(after: &mut Issue, command: &ChangeIssue, scheme: &Scheme) -> Result<()> {
    let done = scheme.machine.is_done(&after.status);
    match &command.resolution {
        Some(Some(resolution)) => {
            check_name("resolution", resolution, &scheme.resolutions)?;
            if !done {
                let message = format!("must be empty in the state {}: work is not done", after.status);
                return Err(Error::invalid("resolution", message));
            }
            after.resolution = Some(resolution.clone());
        }
        Some(None) => after.resolution = None,
        None => {}
    }
    if !done {
        after.resolution = None;
        return Ok(());
    }
    if scheme.machine.needs_resolution(&after.status) && after.resolution.is_none() {
        let known = scheme.resolutions.join(", ");
        let message = format!("is required in the state {}; must be one of {known}", after.status);
        return Err(Error::invalid("resolution", message));
    }
    Ok(())
}

/// Returns the transition that a command makes; `None` if it names none, or the present state.
fn target<'a>(before: &Issue, command: &ChangeIssue, scheme: &'a Scheme) -> Result<Option<&'a Transition>> {
    let machine = &scheme.machine;
    let open = || machine.leaving(&before.status).collect::<Vec<_>>();
    let names = |of: fn(&Transition) -> &str| {
        let names: BTreeSet<_> = open().into_iter().map(of).collect();
        if names.is_empty() { "none".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") }
    };
    if let Some(name) = &command.transition {
        let transition = machine.leaving(&before.status).find(|transition| transition.name == *name);
        return transition.map(Some).ok_or_else(|| {
            not_allowed(format!(
                "there is no transition {name:?} from {}; open: {}",
                before.status,
                names(|m| &m.name)
            ))
        });
    }
    let Some(status) = command.status.as_ref().filter(|status| **status != before.status) else {
        return Ok(None);
    };
    let states: Vec<_> = machine.states.iter().map(|state| state.name.clone()).collect();
    check_name("status", status, &states)?;
    let transition = machine.leaving(&before.status).find(|transition| transition.to == *status);
    transition.map(Some).ok_or_else(|| {
        not_allowed(format!("{} cannot become {status}; open: {}", before.status, names(|m| &m.to)))
    })
}

fn not_allowed(message: String) -> Error {
    Error::new(ErrorKind::Precondition, "TRANSITION_NOT_ALLOWED", message)
}

fn check_texts(issue: &Issue, faults: &mut Faults) {
    faults.text("summary", &issue.summary, 1, 100);
    if let Some(description) = &issue.description {
        faults.text("description", description, 1, 500);
    }
}

fn labels(texts: &[String], faults: &mut Faults) -> BTreeSet<String> {
    for label in texts {
        let plain = label.chars().all(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, ',' | '"'));
        if label.is_empty() || label.chars().count() > 50 || !plain {
            faults.add(
                "labels",
                format_args!("has {label:?}; must be 1 to 50 characters without spaces, commas or quotes"),
            );
        }
    }
    let labels: BTreeSet<_> = texts.iter().cloned().collect();
    if labels.len() > MAX_LABELS {
        faults.add("labels", format_args!("has {} entries; at most {MAX_LABELS}", labels.len()));
    }
    labels
}

fn change_labels(after: &mut Issue, command: &ChangeIssue, faults: &mut Faults) {
    let added = labels(&command.add_labels, faults);
    after.labels.extend(added);
    for label in &command.remove_labels {
        after.labels.remove(label);
    }
    if after.labels.len() > MAX_LABELS {
        faults.add("labels", format_args!("would have {} entries; at most {MAX_LABELS}", after.labels.len()));
    }
}

fn change_fields(after: &mut Issue, command: &ChangeIssue, scheme: &Scheme, faults: &mut Faults) {
    for (name, value) in &command.fields {
        if value.is_none() {
            after.fields.remove(name);
            if scheme.field(name).is_some_and(|definition| definition.required) {
                faults.add(&format!("fields.{name}"), "is required in this project");
            }
        } else {
            after.fields.insert(name.clone(), value.clone());
        }
    }
    let touched = command.fields.iter().filter(|(_, value)| !value.is_none()).map(|(name, _)| name);
    check_fields(after, scheme, touched, faults);
}

fn check_required(issue: &Issue, scheme: &Scheme, faults: &mut Faults) {
    for definition in scheme.fields.iter().filter(|definition| definition.required) {
        if !issue.fields.contains_key(&definition.name) {
            faults.add(&format!("fields.{}", definition.name), "is required in this project");
        }
    }
}

fn check_fields<'a>(
    issue: &Issue,
    scheme: &Scheme,
    touched: impl Iterator<Item = &'a String>,
    faults: &mut Faults,
) {
    for name in touched {
        match (scheme.field(name), issue.fields.get(name)) {
            (Some(definition), Some(value)) => definition.check(value, faults),
            (None, _) => faults.add(&format!("fields.{name}"), "is not a field of this project's scheme"),
            (Some(_), None) => {}
        }
    }
    let bytes: usize = issue.fields.iter().map(|(name, value)| name.len() + value.size()).sum();
    if bytes > MAX_FIELD_BYTES {
        faults.add("fields", format_args!("hold {bytes} bytes; at most {MAX_FIELD_BYTES}"));
    }
}

#[cfg(test)]
mod tests;
