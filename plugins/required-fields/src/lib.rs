//! Refuses objects that lack fields which the settings name: issues, all or some of them, or those of another kind.

use serde::Deserialize;
use tessera_plugin::{
    Context, Entity, Manifest, Plugin, Request, Validation, Verdict, Violation, manifest, settings,
};

/// The plugin.
pub struct RequiredFields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    rules: Vec<Rule>,
}

/// Fields that objects must have which fit everything that the rule says of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    fields: Vec<String>,
    /// Kinds of objects; empty: issues.
    #[serde(default)]
    kinds: Vec<String>,
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    states: Vec<String>,
    #[serde(default)]
    priorities: Vec<String>,
}

impl Rule {
    fn fits(&self, held: &Entity) -> bool {
        let says = |list: &[String], field: &str| {
            list.is_empty() || held.text(field).is_some_and(|text| list.iter().any(|name| name == text))
        };
        let kind = if self.kinds.is_empty() { held.kind == "issue" } else { self.kinds.contains(&held.kind) };
        kind && says(&self.types, "type")
            && says(&self.states, "status")
            && says(&self.priorities, "priority")
    }
}

impl Plugin for RequiredFields {
    fn manifest() -> Manifest {
        manifest!()
            .kinds(["issue", "project", "user", "event", "ticket-type", "reservation", "ticket"])
            .settings(include_str!("settings.json"))
    }
}

impl Validation for RequiredFields {
    fn validate(_: &Context, request: &Request) -> Verdict {
        if request.is_delete() {
            return Ok(());
        }
        let settings: Settings = settings();
        let rules = settings.rules.iter().filter(|rule| rule.fits(&request.subject));
        let missing = rules.flat_map(|rule| &rule.fields).filter(|field| !request.subject.has(field));
        let mut names: Vec<_> = missing.collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Ok(());
        }
        let violation = |name: &&String| Violation::of(name, "FIELD_REQUIRED", format!("{name} is required"));
        Err(names.iter().map(violation).collect())
    }
}

tessera_plugin::export!(RequiredFields: validation);

#[cfg(test)]
mod tests {
    use tessera_plugin::testing::{Harness, create, issue, update, with};

    use super::*;

    const SETTINGS: &str = r#"{"rules": [
        {"fields": ["description"], "types": ["BUG"]},
        {"fields": ["assignee_id", "description"], "states": ["IN_PROGRESS"]}
    ]}"#;

    #[test]
    fn only_what_a_rule_asks_for_is_missed() {
        let harness = Harness::new().settings(SETTINGS);
        let feature = issue("1", [("summary", "s"), ("type", "FEATURE"), ("status", "NEW")]);
        assert!(harness.validate::<RequiredFields>(&create(feature.clone())).is_ok());
        let begun = with(&feature, "status", "IN_PROGRESS");
        let refused = harness.validate::<RequiredFields>(&update(feature, begun)).unwrap_err();
        let fields: Vec<_> = refused.iter().filter_map(|held| held.field.as_deref()).collect();
        assert_eq!(fields, ["assignee_id", "description"]);
    }

    #[test]
    fn a_bug_needs_a_description() {
        let harness = Harness::new().settings(SETTINGS);
        let bug = issue("1", [("summary", "s"), ("type", "BUG"), ("status", "NEW")]);
        assert_eq!(harness.validate::<RequiredFields>(&create(bug.clone())).unwrap_err().len(), 1);
        let told = with(&bug, "description", "it breaks");
        assert!(harness.validate::<RequiredFields>(&create(told)).is_ok());
    }
}
