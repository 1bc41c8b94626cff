//! Response and resolution times of issues. An overdue issue is escalated: a label, the next higher priority, a
//! comment, and a message to the admins.

use serde::Deserialize;
use tessera_plugin::workflow::{Command, find_change};
use tessera_plugin::{
    Change, Context, Effect, Effects, Entity, Field, MINUTE, Manifest, Plugin, Timestamp, Workflow, manifest,
    settings,
};

/// The plugin.
pub struct SupportSla;

const RESPOND: &str = "respond";
const RESOLVE: &str = "resolve";
const ESCALATED: &str = "escalated";
const PAUSED: &str = "sla-paused";

/// Input of `resume-sla`. The maximum is ten years, as in the settings, so that times do not overflow.
const RESUME_INPUT: &str = r#"{"type": "object", "additionalProperties": false,
    "properties": {"minutes": {"type": "integer", "minimum": 1, "maximum": 5256000}}}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Minutes until an issue must have an assignee, by priority; `default` for the others.
    respond: Minutes,
    /// Minutes until an issue must be done, by priority; `default` for the others.
    resolve: Minutes,
    /// The priorities, most urgent first.
    priorities: Vec<String>,
    /// States of issues that are done.
    done: Vec<String>,
    /// Receivers of escalations: ids of users, or roles as `role:admin`.
    notify: Vec<String>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Minutes(std::collections::BTreeMap<String, u64>);

impl Default for Settings {
    fn default() -> Self {
        let minutes = |default: u64, critical: u64| {
            Minutes([("default".to_owned(), default), ("CRITICAL".to_owned(), critical)].into())
        };
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        Self {
            respond: minutes(8 * 60, 30),
            resolve: minutes(5 * 24 * 60, 8 * 60),
            priorities: texts(&["CRITICAL", "MAJOR", "IMPORTANT", "MINOR"]),
            done: texts(&["RESOLVED", "CLOSED"]),
            notify: texts(&["role:admin"]),
        }
    }
}

impl Minutes {
    fn for_issue(&self, issue: &Entity) -> Option<u64> {
        let priority = issue.text("priority").unwrap_or_default();
        self.0.get(priority).or_else(|| self.0.get("default")).copied()
    }
}

impl Settings {
    fn is_done(&self, issue: &Entity) -> bool {
        issue.text("status").is_some_and(|status| self.done.iter().any(|done| done == status))
    }

    fn next_priority(&self, issue: &Entity) -> Option<&String> {
        let at = self.priorities.iter().position(|name| Some(name.as_str()) == issue.text("priority"))?;
        self.priorities.get(at.checked_sub(1)?)
    }
}

impl Plugin for SupportSla {
    fn manifest() -> Manifest {
        manifest!()
            .kinds(["issue"])
            .needs(["issue:update", "comment:create", "notice:create"])
            .settings(include_str!("settings.json"))
    }
}

impl Workflow for SupportSla {
    fn commands(_: &str) -> Vec<Command> {
        vec![
            Command::new("pause-sla", "Pause the SLA"),
            Command::new("resume-sla", "Resume the SLA").with_input(RESUME_INPUT),
        ]
    }

    fn on_change(context: &Context, issue: &Entity, before: Option<&Entity>, changes: &[Change]) -> Effects {
        let settings: Settings = settings();
        if settings.is_done(issue) {
            let was_done = before.is_some_and(|before| settings.is_done(before));
            return Ok(if was_done { Vec::new() } else { stop() });
        }
        if paused(issue) {
            return Ok(Vec::new());
        }
        let reopened = before.is_none_or(|before| settings.is_done(before));
        // A client's change of the priority restarts the timers. A change by a plugin, such as this plugin's
        // escalation, does not.
        let by_client = context.cause.is_empty();
        if reopened || (by_client && find_change(changes, "priority").is_some()) {
            return Ok(start(context, &settings, issue));
        }
        if find_change(changes, "assignee_id").is_some_and(Change::is_first_value) {
            return Ok(vec![Effect::cancel_timer(RESPOND)]);
        }
        Ok(Vec::new())
    }

    fn on_timer(_: &Context, issue: &Entity, timer: &str) -> Effects {
        let settings: Settings = settings();
        if settings.is_done(issue) || paused(issue) {
            return Ok(Vec::new());
        }
        let reason = if timer == RESPOND { "it has no assignee" } else { "it is not resolved" };
        let minutes = if timer == RESPOND {
            settings.respond.for_issue(issue)
        } else {
            settings.resolve.for_issue(issue)
        };
        let text = format!("Escalated: after {} minutes {reason}.", minutes.unwrap_or_default());
        let mut effects = vec![Effect::add_label(ESCALATED), Effect::comment(text.clone())];
        if let Some(higher) = settings.next_priority(issue) {
            effects.push(Effect::set("priority", higher.as_str()));
        }
        if !settings.notify.is_empty() {
            let to: Vec<_> = settings.notify.iter().map(String::as_str).collect();
            effects.push(Effect::notify(&to, issue.text("summary").unwrap_or("An issue"), text));
        }
        Ok(effects)
    }

    fn on_command(context: &Context, issue: &Entity, command: &str, input: &[Field]) -> Effects {
        if command == "pause-sla" {
            let mut effects = stop();
            effects.push(Effect::add_label(PAUSED));
            return Ok(effects);
        }
        let settings: Settings = settings();
        let minutes = input.iter().find_map(|field| match (field.name.as_str(), &field.value) {
            ("minutes", tessera_plugin::Value::Integer(minutes)) => u64::try_from(*minutes).ok(),
            _ => None,
        });
        let mut effects = vec![Effect::remove_label(PAUSED)];
        match minutes {
            Some(minutes) => effects.push(Effect::set_timer(RESOLVE, after(context, minutes))),
            None => effects.extend(start(context, &settings, issue)),
        }
        Ok(effects)
    }
}

/// Returns the time a number of minutes from now. Saturates at the latest time.
fn after(context: &Context, minutes: u64) -> Timestamp {
    context.now.saturating_add(minutes.saturating_mul(MINUTE))
}

fn paused(issue: &Entity) -> bool {
    issue.texts("labels").iter().any(|label| label == PAUSED)
}

fn start(context: &Context, settings: &Settings, issue: &Entity) -> Vec<Effect> {
    let timer = |name: &str, minutes: Option<u64>| {
        minutes.map(|minutes| Effect::set_timer(name, after(context, minutes)))
    };
    let respond =
        if issue.has("assignee_id") { None } else { timer(RESPOND, settings.respond.for_issue(issue)) };
    respond.into_iter().chain(timer(RESOLVE, settings.resolve.for_issue(issue))).collect()
}

fn stop() -> Vec<Effect> {
    vec![Effect::cancel_timer(RESPOND), Effect::cancel_timer(RESOLVE)]
}

tessera_plugin::export!(SupportSla: workflow);

#[cfg(test)]
mod tests {
    use tessera_plugin::testing::{Harness, issue, with_field};

    use super::*;

    const SETTINGS: &str = r#"{"respond": {"default": 10}, "resolve": {"default": 60, "CRITICAL": 5}}"#;

    fn new() -> Entity {
        issue("1", [("summary", "It burns"), ("status", "NEW"), ("priority", "MAJOR")])
    }

    #[test]
    fn new_issue_starts_timers_and_done_issue_stops_them() {
        let harness = Harness::new().settings(SETTINGS);
        let now = harness.context().now;
        let effects = harness.on_change::<SupportSla>(&new(), None).unwrap();
        let expected =
            [Effect::set_timer(RESPOND, now + 10 * MINUTE), Effect::set_timer(RESOLVE, now + 60 * MINUTE)];
        assert_eq!(effects, expected);
        let done = with_field(&new(), "status", "CLOSED");
        assert_eq!(harness.on_change::<SupportSla>(&done, Some(&new())), Ok(stop()));
        let assigned = with_field(&new(), "assignee_id", "ada");
        let effects = harness.on_change::<SupportSla>(&assigned, Some(&new())).unwrap();
        assert_eq!(effects, [Effect::cancel_timer(RESPOND)]);
    }

    #[test]
    fn priority_change_by_a_plugin_keeps_the_timers() {
        let higher = with_field(&new(), "priority", "CRITICAL");
        let harness = Harness::new().settings(SETTINGS);
        let now = harness.context().now;
        let effects = harness.on_change::<SupportSla>(&higher, Some(&new())).unwrap();
        assert!(effects.contains(&Effect::set_timer(RESOLVE, now + 5 * MINUTE)));
        let harness = harness.caused_by(&["an-installation"]);
        assert_eq!(harness.on_change::<SupportSla>(&higher, Some(&new())), Ok(Vec::new()));
    }

    #[test]
    fn overdue_issue_is_escalated() {
        let effects = Harness::new().settings(SETTINGS).on_timer::<SupportSla>(&new(), RESOLVE).unwrap();
        assert!(effects.contains(&Effect::add_label(ESCALATED)));
        assert!(effects.contains(&Effect::set("priority", "CRITICAL")));
        assert_eq!(effects.len(), 4);
    }

    #[test]
    fn paused_timer_has_no_effects() {
        let harness = Harness::new().settings(SETTINGS);
        let effects = harness.on_command::<SupportSla>(&new(), "pause-sla", &[]).unwrap();
        assert!(effects.contains(&Effect::add_label(PAUSED)));
        let paused = with_field(&new(), "labels", vec![PAUSED]);
        assert_eq!(harness.on_timer::<SupportSla>(&paused, RESOLVE), Ok(Vec::new()));
        let minutes = [Field::new("minutes", 7)];
        let effects = harness.on_command::<SupportSla>(&paused, "resume-sla", &minutes).unwrap();
        assert!(effects.contains(&Effect::set_timer(RESOLVE, harness.context().now + 7 * MINUTE)));
    }

    #[test]
    fn time_too_far_ahead_saturates() {
        let minutes = [Field::new("minutes", i64::MAX)];
        let effects = Harness::new().on_command::<SupportSla>(&new(), "resume-sla", &minutes).unwrap();
        assert!(effects.contains(&Effect::set_timer(RESOLVE, u64::MAX)));
    }
}
