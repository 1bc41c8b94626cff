//! What a plugin wants done, put in order: pure functions of its effects and its rights.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::id::{IssueId, ProjectId, UserId};
use crate::plugin::effect_executor::bad;
use crate::plugin::{Action, Draft, Effect, Installation, Notice};
use crate::text::Faults;
use crate::time::Timestamp;
use crate::tracker::issue::KIND;
use crate::tracker::link::Relation;
use crate::tracker::{ChangeIssue, CreateIssue};
use crate::value::{Field, Value};

/// The effects of one call: first the drafts, then what is done to each issue, in the order in which the
/// issues were first named.
#[derive(Default)]
pub(super) struct Wanted {
    /// Issues to make.
    pub(super) drafts: Vec<Draft>,
    /// What is done to which issue; none: the one that the call is about.
    pub(super) on: Vec<(Option<String>, Asked)>,
}

/// What is done to one issue.
#[derive(Default)]
pub(super) struct Asked {
    /// Fields, labels, the state and who works on it.
    pub(super) change: ChangeIssue,
    /// The move among them.
    pub(super) transition: Option<String>,
    /// Comments to write.
    pub(super) comments: Vec<String>,
    /// Links: the relation, and the other issue's id or draft's key.
    pub(super) links: Vec<(Relation, String)>,
    /// Notices to give.
    pub(super) notices: Vec<Notice>,
    /// Facts of the plugin's own: a name and JSON.
    pub(super) emits: Vec<(String, String)>,
    /// Timers to set.
    pub(super) timers: Vec<(String, Timestamp)>,
    /// Timers to take away.
    pub(super) cancelled: Vec<String>,
}

impl Asked {
    /// Whether neither fields nor labels nor the state change.
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

impl Wanted {
    /// Puts effects in order; refuses those that the installation has no right to.
    pub(super) fn gather(installation: &Installation, effects: Vec<Effect>) -> Result<Self> {
        let mut wanted = Self::default();
        for Effect { on, action } in effects {
            if let Some(right) = right(&action)
                && !installation.grants.contains(right)
            {
                return Err(bad(installation, format_args!("it was not granted {right}")));
            }
            if let Action::Create(draft) = action {
                wanted.drafts.push(draft);
                continue;
            }
            let at = wanted.on.iter().position(|(held, _)| *held == on).unwrap_or_else(|| {
                wanted.on.push((on, Asked::default()));
                wanted.on.len() - 1
            });
            if let Some((_, asked)) = wanted.on.get_mut(at) {
                asked.add(installation, action)?;
            }
        }
        Ok(wanted)
    }
}

/// What an installation must be granted for an action; timers are its own affair.
fn right(action: &Action) -> Option<&'static str> {
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

impl Asked {
    fn add(&mut self, installation: &Installation, action: Action) -> Result<()> {
        match action {
            Action::SetField(field) => {
                set_field(&mut self.change, field).map_err(|error| told(installation, &error))?;
            }
            Action::Transition(name) => {
                if let Some(first) = self.transition.replace(name.clone()) {
                    return Err(bad(
                        installation,
                        format_args!("{first:?} and {name:?} are two moves of one issue at once"),
                    ));
                }
                self.change.transition = Some(name);
            }
            Action::Comment(body) => self.comments.push(body),
            Action::AddLabel(label) => self.change.add_labels.push(label),
            Action::RemoveLabel(label) => self.change.remove_labels.push(label),
            Action::Assign(user) => {
                let user = user.map(|id| UserId::parse("assign", &id)).transpose();
                self.change.assignee = Some(user.map_err(|error| told(installation, &error))?);
            }
            Action::Link(relation, to) => {
                let relation = Relation::named(&relation).ok_or_else(|| {
                    bad(installation, format_args!("{relation:?} is not a relation of issues"))
                })?;
                self.links.push((relation, to));
            }
            Action::Create(_) => {}
            Action::Notify(notice) => {
                check_notice(&notice).map_err(|error| told(installation, &error))?;
                self.notices.push(notice);
            }
            Action::SetTimer(name, at) => {
                check_name("timer", &name).map_err(|error| told(installation, &error))?;
                self.timers.push((name, at));
            }
            Action::CancelTimer(name) => self.cancelled.push(name),
            Action::Emit(name, data) => {
                check_name("emit", &name).map_err(|error| told(installation, &error))?;
                self.emits.push((name, data));
            }
            Action::Other(field) => {
                return Err(bad(
                    installation,
                    format_args!("this host does not know the effect {:?}", field.name),
                ));
            }
        }
        Ok(())
    }
}

fn told(installation: &Installation, error: &Error) -> Error {
    bad(installation, format_args!("{}", error.message()))
}

fn check_name(what: &str, name: &str) -> Result<()> {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    if first && name.len() <= 63 && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::invalid(
        what,
        format!("has the name {name:?}; a lower-case letter, then letters, digits, -, _ or ., at most 63"),
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
            None => return Err(unknown(name)),
        },
    }
    Ok(())
}

fn unknown(name: &str) -> Error {
    Error::invalid(
        name,
        "is no field that a plugin can set; summary, description, resolution, type, priority, assignee_id or fields.<name> is expected",
    )
}

impl Draft {
    /// The command that makes the issue.
    pub(super) fn command(&self, project: ProjectId) -> Result<CreateIssue> {
        if self.kind != KIND {
            return Err(Error::invalid("kind", format!("is {:?}; {KIND:?} is expected", self.kind)));
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
                    None => return Err(unknown(name)),
                },
            }
        }
        Ok(command)
    }
}
