//! The plan of a call's effects: checks the installation's grants and groups the effects by issue.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{IssueId, ProjectId, UserId};
use crate::plugin::{Action, Draft, Effect, Installation, Notice};
use crate::text::Faults;
use crate::time::Timestamp;
use crate::tracker::issue::KIND;
use crate::tracker::link::Relation;
use crate::tracker::{ChangeIssue, CreateIssue};
use crate::value::{Field, Value};

/// The effects of one call: first the drafts, then the effects on each issue, in the order in which the
/// issues are first named.
#[derive(Default)]
pub(super) struct EffectPlan {
    /// Issues to create.
    pub(super) drafts: Vec<Draft>,
    /// The effects on each issue; `None`: the issue that the call is about.
    pub(super) issues: Vec<(Option<String>, IssueEffects)>,
}

/// The effects on one issue.
#[derive(Default)]
pub(super) struct IssueEffects {
    /// Changes of fields, labels, the state and the assignee.
    pub(super) change: ChangeIssue,
    /// Comments to add.
    pub(super) comments: Vec<String>,
    /// Links to add: the relation, and the other issue's id or draft's key.
    pub(super) links: Vec<(Relation, String)>,
    /// Notices to send.
    pub(super) notices: Vec<Notice>,
    /// The plugin's own facts: a name and JSON.
    pub(super) emits: Vec<(String, String)>,
    /// Timers to set.
    pub(super) timers: Vec<(String, Timestamp)>,
    /// Names of timers to remove.
    pub(super) cancelled_timers: Vec<String>,
}

impl IssueEffects {
    /// Whether neither fields nor labels nor the state nor the assignee change.
    pub(super) fn changes_nothing(&self) -> bool {
        let ChangeIssue {
            summary,
            description,
            status,
            transition,
            resolution,
            issue_type,
            priority,
            assignee,
            fields,
            add_labels,
            remove_labels,
        } = &self.change;
        summary.is_none()
            && description.is_none()
            && status.is_none()
            && transition.is_none()
            && resolution.is_none()
            && issue_type.is_none()
            && priority.is_none()
            && assignee.is_none()
            && fields.is_empty()
            && add_labels.is_empty()
            && remove_labels.is_empty()
    }
}

impl EffectPlan {
    /// Groups effects; refuses those that are not granted to the installation.
    pub(super) fn new(installation: &Installation, effects: Vec<Effect>) -> Result<Self> {
        let mut plan = Self::default();
        for Effect { on, action } in effects {
            if let Some(right) = required_grant(&action)
                && !installation.grants.contains(right)
            {
                return Err(bad_effect(installation, format_args!("it was not granted {right}")));
            }
            if let Action::Create(draft) = action {
                plan.drafts.push(draft);
                continue;
            }
            let index = plan.issues.iter().position(|(target, _)| *target == on).unwrap_or_else(|| {
                plan.issues.push((on, IssueEffects::default()));
                plan.issues.len() - 1
            });
            if let Some((_, effects)) = plan.issues.get_mut(index) {
                effects.add(installation, action)?;
            }
        }
        Ok(plan)
    }
}

/// The grant that an action requires; timers require none.
fn required_grant(action: &Action) -> Option<&'static str> {
    match action {
        Action::SetField(_) | Action::AddLabel(_) | Action::RemoveLabel(_) | Action::Assign(_) => {
            Some("issue:update")
        }
        Action::Transition(_) => Some("issue:transition"),
        Action::Comment(_) => Some("comment:create"),
        Action::Link(..) => Some("issue:link"),
        Action::Create(_) => Some("issue:create"),
        Action::Notify(_) => Some("notice:create"),
        Action::Emit(..) => Some("fact:emit"),
        Action::SetTimer(..) | Action::CancelTimer(_) | Action::Other(_) => None,
    }
}

impl IssueEffects {
    fn add(&mut self, installation: &Installation, action: Action) -> Result<()> {
        match action {
            Action::SetField(field) => {
                set_field(&mut self.change, field).map_err(|error| into_bad_effect(installation, error))?;
            }
            Action::Transition(name) => {
                if let Some(first) = &self.change.transition {
                    let message =
                        format_args!("one issue makes two transitions at once: {first:?} and {name:?}");
                    return Err(bad_effect(installation, message));
                }
                self.change.transition = Some(name);
            }
            Action::Comment(body) => self.comments.push(body),
            Action::AddLabel(label) => self.change.add_labels.push(label),
            Action::RemoveLabel(label) => self.change.remove_labels.push(label),
            Action::Assign(user) => {
                let user = user.map(|id| UserId::parse("assign", &id)).transpose();
                self.change.assignee = Some(user.map_err(|error| into_bad_effect(installation, error))?);
            }
            Action::Link(relation, to) => {
                let relation = Relation::named(&relation).ok_or_else(|| {
                    bad_effect(installation, format_args!("{relation:?} is not a relation of issues"))
                })?;
                self.links.push((relation, to));
            }
            Action::Create(_) => {}
            Action::Notify(notice) => {
                check_notice(&notice).map_err(|error| into_bad_effect(installation, error))?;
                self.notices.push(notice);
            }
            Action::SetTimer(name, at) => {
                check_name("timer", &name).map_err(|error| into_bad_effect(installation, error))?;
                self.timers.push((name, at));
            }
            Action::CancelTimer(name) => self.cancelled_timers.push(name),
            Action::Emit(name, data) => {
                check_name("emit", &name).map_err(|error| into_bad_effect(installation, error))?;
                self.emits.push((name, data));
            }
            Action::Other(field) => {
                return Err(bad_effect(
                    installation,
                    format_args!("this host does not support the effect {:?}", field.name),
                ));
            }
        }
        Ok(())
    }
}

/// An effect that cannot be executed.
pub(super) fn bad_effect(installation: &Installation, reason: std::fmt::Arguments<'_>) -> Error {
    let message =
        format!("the plugin {} returned an effect that cannot be executed: {reason}", installation.label());
    Error::new(ErrorKind::PluginFailed, "PLUGIN_BAD_EFFECT", message)
}

/// Turns an error that a client would get for the same change into one of the plugin.
pub(super) fn into_bad_effect(installation: &Installation, error: Error) -> Error {
    match error.kind() {
        ErrorKind::Malformed | ErrorKind::Invalid | ErrorKind::Precondition => {
            bad_effect(installation, format_args!("{}", error.message()))
        }
        _ => error,
    }
}

fn check_name(what: &str, name: &str) -> Result<()> {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    if first && name.len() <= 63 && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::invalid(
        what,
        format!(
            "has the name {name:?}; must be a lower-case letter, then letters, digits, -, _ or ., at most 63"
        ),
    ))
}

fn check_notice(notice: &Notice) -> Result<()> {
    let mut faults = Faults::default();
    if notice.to.is_empty() || notice.to.len() > 50 {
        faults.add("notify.to", format_args!("has {} entries; 1 to 50", notice.to.len()));
    }
    for to in &notice.to {
        match to.strip_prefix("role:") {
            Some(role) => drop(faults.take(crate::Role::parse("notify.to", role))),
            None => drop(faults.take(UserId::parse("notify.to", to))),
        }
    }
    faults.text("notify.subject", &notice.subject, 1, 200);
    faults.text("notify.body", &notice.body, 0, 10_000);
    faults.into_result()
}

fn text(field: &Field) -> Result<String> {
    match &field.value {
        Value::Text(text) => Ok(text.clone()),
        _ => Err(Error::invalid(&field.name, "must be a text")),
    }
}

fn optional(field: &Field) -> Result<Option<String>> {
    if field.value.is_none() { Ok(None) } else { text(field).map(Some) }
}

fn id<T>(field: &Field, parse: impl Fn(&str, &str) -> Result<T>) -> Result<Option<T>> {
    optional(field)?.map(|text| parse(&field.name, &text)).transpose()
}

fn set_field(change: &mut ChangeIssue, field: Field) -> Result<()> {
    match field.name.as_str() {
        "summary" => change.summary = Some(text(&field)?),
        "description" => change.description = Some(optional(&field)?),
        "resolution" => change.resolution = Some(optional(&field)?),
        "type" => change.issue_type = Some(text(&field)?),
        "priority" => change.priority = Some(text(&field)?),
        "assignee_id" => change.assignee = Some(id(&field, UserId::parse)?),
        name => match name.strip_prefix("fields.") {
            Some(own) => {
                change.fields.insert(own.to_owned(), field.value);
            }
            None => return Err(unknown_field(name)),
        },
    }
    Ok(())
}

fn unknown_field(name: &str) -> Error {
    Error::invalid(
        name,
        "cannot be set by a plugin; must be summary, description, resolution, type, priority, assignee_id or fields.<name>",
    )
}

impl Draft {
    /// Returns the command that creates the issue.
    pub(super) fn command(&self, project: ProjectId) -> Result<CreateIssue> {
        if self.kind != KIND {
            return Err(Error::invalid("kind", format!("is {:?}; must be {KIND:?}", self.kind)));
        }
        let mut command = CreateIssue {
            project,
            summary: String::new(),
            description: None,
            issue_type: None,
            priority: None,
            assignee: None,
            parent: None,
            labels: Vec::new(),
            fields: BTreeMap::new(),
        };
        for field in &self.fields {
            match field.name.as_str() {
                "summary" => command.summary = text(field)?,
                "description" => command.description = optional(field)?,
                "type" => command.issue_type = optional(field)?,
                "priority" => command.priority = optional(field)?,
                "assignee_id" => command.assignee = id(field, UserId::parse)?,
                "parent_id" => command.parent = id(field, IssueId::parse)?,
                "labels" => match &field.value {
                    Value::Texts(labels) => command.labels.clone_from(labels),
                    _ => return Err(Error::invalid("labels", "must be a list of texts")),
                },
                name => match name.strip_prefix("fields.") {
                    Some(own) => drop(command.fields.insert(own.to_owned(), field.value.clone())),
                    None => return Err(unknown_field(name)),
                },
            }
        }
        Ok(command)
    }
}
